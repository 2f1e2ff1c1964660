# An nginx with a configuration that stands in the test.
#
# Owns: completing that configuration (module, ports, folders of its own, no
# daemon), starting, reloading, its workers.  Everything it writes lies in the
# test's folder.

package Offload::Test::Nginx;

use strict;
use warnings;

use IO::Socket::INET;
use Time::HiRes qw(sleep time);

use parent 'Offload::Test::Process';

# To nginx itself the variable means sockets that it inherits.
our $BINARY = delete $ENV{NGINX} // '/usr/sbin/nginx';
sub binary { $BINARY }

# test, conf, vars => {NAME => value for %%NAME%%}
sub new {
    my ($class, %o) = @_;

    my $self = $class->_prepare(%o);
    return $class->SUPER::new(
        %$self,
        cmd   => [ $self->_command ],
        ready => sub { $_[0]->_answers },
    );
}

# What nginx says when it has to refuse a configuration; undef if it does not.
sub refusal {
    my ($class, %o) = @_;

    my $self = $class->_prepare(%o);
    # nginx leaves as it stands: nothing of that is a leak.
    my $asan = join ':', $ENV{ASAN_OPTIONS} // (), 'detect_leaks=0';
    my $r = $o{test}->run({ env => { ASAN_OPTIONS => $asan } },
        $self->_command('-t'));
    return $r->{status} ? $r->{out} . $r->{err} . $self->log : undef;
}

sub _prepare {
    my ($class, %o) = @_;

    my $self = bless { ports => {} }, $class;
    my $dir = $o{test}->dir;
    my $name = 'nginx-' . $o{test}->next('nginx');
    my $own = $self->{folder} = "$dir/$name";

    mkdir $own or die "$own: $!\n";
    $self->{name} = $name;
    $self->{log} = "$own/error.log";

    my $conf = $o{conf};
    my %vars = (DIR => $dir, MODULES => 'load_module ' . module() . ';',
        %{ $o{vars} // {} });
    $conf =~ s/%%PORT(?:_(\d+))?%%/$self->{ports}{$1 \/\/ 0}
        \/\/= $o{test}->port/gex;
    $conf =~ s/%%(\w+)%%/$vars{$1} \/\/ die "%%$1%% is not set\n"/ge;
    $self->{conf} = _complete($conf, $own);
    $o{test}->write("$name/nginx.conf", $self->{conf});
    return $self;
}

sub module {
    my $path = $ENV{OFFLOAD_MODULE}
        // Offload::Test::build() . '/ngx_http_offload_module.so';
    return $path =~ m{^/} ? $path : Cwd::abs_path($path) // $path;
}

# Only what the test does not say itself.
sub _complete {
    my ($conf, $own) = @_;

    my $main = '';
    my %directives = (
        daemon    => 'off',
        pid       => "$own/nginx.pid",
        error_log => "$own/error.log info",
        $> == 0 ? (user => 'nobody nogroup') : (),
    );
    for my $name (sort keys %directives) {
        $main .= "$name $directives{$name};\n"
            unless $conf =~ /^\s*$name\s/m;
    }

    my $http = '';
    for my $name (qw(client_body proxy fastcgi uwsgi scgi)) {
        $http .= "\n    ${name}_temp_path $own/$name;"
            unless $conf =~ /^\s*${name}_temp_path\s/m;
    }
    $http .= "\n    access_log $own/access.log;"
        unless $conf =~ /^\s*access_log\s/m;
    $conf =~ s/^(\s*http\s*\{)/$1$http/m;
    return $main . $conf;
}

sub _command {
    my ($self, @more) = @_;
    my $own = $self->{folder};

    return (binary(), '-p', "$own/", '-e', "$own/error.log", '-c',
        "$own/nginx.conf", @more);
}

sub _answers {
    my ($self) = @_;

    my $port = $self->port // return -s "$self->{folder}/nginx.pid";
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
}

sub port { $_[0]{ports}{ $_[1] // 0 } }
sub url  { 'http://127.0.0.1:' . $_[0]->port($_[1]) }
sub conf { $_[0]{conf} }

# The processes that take new requests.
sub workers {
    my ($self) = @_;
    my $master = $self->pid // return;

    return grep {
        my $title = _title($_);
        $title =~ /worker process/ && $title !~ /shutting down/;
    } map { $_->{pid} } grep { $_->{parent} == $master }
        Offload::Test::Process::processes();
}

sub _title {
    my ($pid) = @_;
    open my $f, '<', "/proc/$pid/cmdline" or return '';
    return <$f> // '';
}

# Returns when as many new workers as there were before take requests; old
# ones may still be finishing theirs.  With an argument the configuration is
# replaced first; ports keep their numbers.
sub reload {
    my ($self, $conf) = @_;

    if (defined $conf) {
        my $dir = $self->{folder} =~ s{/[^/]+$}{}r;
        $conf =~ s/%%PORT(?:_(\d+))?%%/$self->{ports}{$1 \/\/ 0}/g;
        $conf =~ s/%%DIR%%/$dir/g;
        $conf =~ s/%%MODULES%%/'load_module ' . module() . ';'/ge;
        $self->{conf} = _complete($conf, $self->{folder});
        open my $f, '>', "$self->{folder}/nginx.conf" or die "nginx.conf: $!\n";
        print $f $self->{conf};
        close $f or die "nginx.conf: $!\n";
    }

    my %old = map { $_ => 1 } $self->workers;
    $self->signal('HUP');
    my $end = time + $self->{wait};
    while (1) {
        my @now = $self->workers;
        my @new = grep { !$old{$_} } @now;
        return if @new && @new == @now;
        die "$self->{name} has no new workers after reload:\n"
            . $self->tail . "\n"
            if time > $end;
        sleep 0.01;
    }
}

1;
