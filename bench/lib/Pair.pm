# Two nginx that serve the same files: one with the module, which knows so many
# nodes and contents, and one that never loaded it.
#
# Owns: their configuration, the files, and what the module is told.  Nothing
# is put into the zone by hand: files are asked for and hashed, nodes and
# candidates come by syncs, signed, as a coordinator sends them.

package Pair;

use strict;
use warnings;

use Offload::Test;
use Offload::Test::Sync;
use Wrk;

use constant {
    SMALL     => 1024,           # bytes of small.html: too short to be offered
    CONTENT   => 8192,           # of each of the many contents
    LARGE     => 1 << 20,        # of large.bin
    HOT       => 1000,           # contents whose manifests are asked for
    BATCH     => 150,            # nodes or contents in one sync: under 64 KiB
    QUEUE     => 4000,           # files that wait to be hashed
    HOLDERS   => 24,             # of one content, at most
};

my $CONF = <<'CONF';
worker_processes     1;
worker_cpu_affinity  %%CPU%%;
worker_rlimit_nofile 4096;
error_log            %%DIR%%/error-%%NAME%%.log warn;
events { worker_connections 1024; }
http {
    access_log         off;
    sendfile           on;
    keepalive_requests 1000000000;
    types              { text/html html; }
    default_type       application/octet-stream;
    %%HTTP%%

    server {
        listen      127.0.0.1:%%PORT%%;
        server_name 127.0.0.1;
        root        %%FOLDER%%/html;
        %%SERVER%%
    }
}
CONF

my $HTTP = <<'CONF';
    offload_zone  %%ZONE%%;
    offload_state %%FOLDER%%/state;
CONF

my $SERVER = <<'CONF';
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        offload_min_length  4k;
        offload_ttl         10m;
        offload_links       off;

        location /.well-known/offload/ { offload_endpoint; }
        location /links/ { alias %%FOLDER%%/html/; offload_links on; }
        location /redirect/ {
            alias            %%FOLDER%%/html/;
            offload_redirect on;
            offload_trust    %%TRUSTED%%;
        }
CONF

# t; nodes, contents: how many
sub new {
    my ($class, $t, %o) = @_;

    my $self = bless { t => $t, %o }, $class;

    # In memory: what a disk does is no matter of this.
    $self->{folder} = File::Temp::tempdir('offload-bench-XXXXXXXX',
        DIR => '/dev/shm', CLEANUP => 1);
    chmod 0755, $self->{folder};
    $self->_files;
    my $key = $t->key('coordinator');
    my $zone = 8 + int($o{nodes} / 1000) + int($o{contents} / 300);
    $self->{nginx} = $self->_nginx('module', "%%MODULES%%\n",
        HTTP => $HTTP =~ s/%%ZONE%%/${zone}m/r,
        SERVER => $SERVER =~ s/%%SITE%%/$t->key('site')->{file}/er
            =~ s/%%X%%/$key->{x}/r
            =~ s/%%TRUSTED%%/join ' ', map { _id($_) } 1 .. 8/er);
    $self->{sync} = Offload::Test::Sync->new($t, $key, $self->{nginx}->url);
    $self->_index;
    $self->_tell;
    return $self;
}

sub _id { Offload::Test::Sync->node($_[0])->{id} }

sub _nginx {
    my ($self, $name, $head, %part) = @_;

    my $dir = $self->{t}->dir;
    my $conf = $CONF;
    $conf =~ s/%%$_%%/$part{$_}/ for keys %part;
    $conf =~ s/%%NAME%%/$name/;
    $conf =~ s/%%DIR%%/$dir/g;
    $conf =~ s/%%FOLDER%%/$self->{folder}/g;
    return $self->{t}->nginx($head . $conf, CPU => Wrk::worker_mask());
}

# The one without the module: the files, and at a port of their own answers
# that are known by now, {path => directives}.
sub bare {
    my ($self, %locations) = @_;

    my $answers = join '', map { "location $_ { $locations{$_} }\n" }
        sort keys %locations;
    return $self->{bare} = $self->_nginx('bare', '',
        HTTP   => "server { listen 127.0.0.1:%%PORT_1%%; $answers }",
        SERVER => 'location /links/ { alias %%FOLDER%%/html/; }');
}

sub nginx { $_[0]{nginx} }

# ---------------------------------------------------------------- files

sub paths {
    my ($self, $max) = @_;

    my $count = $self->{contents};
    $count = $max if $max && $max < $count;
    return map { sprintf '/c/%03d/%06d.bin', $_ % 100, $_ } 1 .. $count;
}

# Old enough to be hashed at once.
sub _files {
    my ($self) = @_;
    my $t = $self->{t};

    my %size = ('/small.html' => SMALL, '/large.bin' => LARGE,
        map { $_ => CONTENT } $self->paths);
    my $block = $t->bytes(LARGE, 1);
    for my $path (sort keys %size) {
        my $file = $t->write("$self->{folder}/html$path",
            pack('A64', $path) . substr $block, 64, $size{$path} - 64);
        utime 1_700_000_000, 1_700_000_000, $file or die "$file: $!\n";
    }
}

sub status {
    my ($self) = @_;
    return $self->{t}->json(
        $self->{sync}->get('/.well-known/offload/status')->{content});
}

# Asks for as many files at a time as there is a queue for.
sub _index {
    my ($self) = @_;

    my @paths = ('/large.bin', $self->paths);
    my $count = 0;
    while (my @some = splice @paths, 0, QUEUE) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $self->{nginx}->port) or die "connect: $!\n";
        for my $path (@some) {
            print $s "GET $path HTTP/1.1\r\nHost: 127.0.0.1:",
                $self->{nginx}->port, "\r\n\r\n";
            local $/ = "\r\n\r\n";
            my ($length) = <$s> =~ /^Content-Length: (\d+)/m;
            read $s, my ($body), $length;
        }
        $count += @some;
        $self->{t}->wait_for(sub { $self->status->{contents} == $count },
            "$count files are hashed", 60);
    }
}

# ---------------------------------------------------------------- syncs

# All nodes hold something, and every content is held by as many as it can be.
sub _tell {
    my ($self) = @_;
    my $sync = $self->{sync};

    my @nodes = map {
        $sync->node($_, url => "http://n$_.example.org", zone => 'DE')
    } 1 .. $self->{nodes};
    $self->_send;
    $self->_send(full => { part => 1, parts => 1 });
    while (my @some = splice @nodes, 0, BATCH) {
        $self->_send(nodes => \@some);
    }

    # Each answer tells of some contents.
    my $told = 0;
    while ($told <= $self->{contents}) {
        my @some = splice @{ $self->{heard} }, 0, BATCH;
        $self->_send(contents =>
            { map { $_ => [ $self->_holders ] } @some });
        $told += @some;
        die "the module does not tell of its contents\n"
            if !@some && $self->{idle}++ > 100;
    }
}

sub _holders {
    my ($self) = @_;

    my $count = $self->{nodes} < HOLDERS ? $self->{nodes} : HOLDERS;
    return map { [ 1, 1 + ($self->{next}++ % $self->{nodes}) ] } 1 .. $count;
}

sub _send {
    my ($self, @members) = @_;

    my $r = $self->{sync}->send(@members);
    die "sync: $r->{status} $r->{content}\n" unless $r->{status} == 200;
    push @{ $self->{heard} }, grep { !$self->{known}{$_}++ }
        map { $_->{root} } @{ $self->{sync}->claims->{contents} };
}

# A coordinator that has not been heard from for a minute is not believed.
sub renew {
    my ($self) = @_;

    $self->_send;
    die "the zone is too small\n" if $self->{sync}->claims->{need};
}

# ---------------------------------------------------------------- requests

sub ask {
    my ($self, $nginx, $path, %headers) = @_;
    return $self->{t}->http(GET => $nginx->url . $path, headers => \%headers);
}

# Asks for each until it is a manifest: signatures are made at a certain rate.
sub warm {
    my ($self, $paths, %headers) = @_;

    for my $path (@$paths) {
        $self->{t}->wait_for(sub {
            Offload::Test::Sync::is_manifest(
                $self->ask($self->{nginx}, $path, %headers));
        }, "a manifest of $path");
    }
}

1;
