# What the Perl tests stand on: a folder, ports, real processes, HTTP, and a
# teardown that leaves nothing behind.
#
#   use Offload::Test;
#   my $t = Offload::Test->new;
#   my $nginx = $t->nginx("http { server { listen 127.0.0.1:%%PORT%%; } }");
#   is $t->http(GET => $nginx->url . '/')->{status}, 404;
#   $t->done;
#
# Owns: the test's folder and the order of teardown.  Every file also asserts,
# in done(), that no log holds an alert or a sanitizer's report and that every
# process ended with status 0.  t/lib/README.md has the whole interface.

package Offload::Test;

use strict;
use warnings;

use Cwd ();
use Digest::SHA qw(sha256);
use File::Path ();
use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url);
use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep time);

use Offload::Test::Daemon;
use Offload::Test::Http;
use Offload::Test::Nginx;
use Offload::Test::Port;
use Offload::Test::Process;
use Offload::Test::Redis;
use Offload::Test::Server;

# A proxy from the environment would take the place of the parts under test.
delete @ENV{ grep { /_proxy$/i } keys %ENV };
$ENV{ASAN_OPTIONS} //= 'detect_stack_use_after_return=1:exitcode=86';
$ENV{UBSAN_OPTIONS} //= 'print_stacktrace=1:halt_on_error=1';
$ENV{TSAN_OPTIONS} //= 'exitcode=86';

my $CURRENT;

sub import {
    strict->import;
    warnings->import;
    Test::More->builder->exported_to(scalar caller);
    Test::More->export_to_level(1);
}

# The folder that holds what was built.
sub build {
    my $path = $ENV{OFFLOAD_BUILD} // 'build/release';
    return Cwd::abs_path($path) // die "$path is missing: run make\n";
}

# KiB that a program's memory may grow under a flood of bad requests.
# AddressSanitizer keeps what was freed, in a quarantine of its own.
sub growth_max { build() =~ m{/(?:asan|tsan)$} ? 300 * 1024 : 1024 }

sub new {
    my ($class) = @_;

    my $dir = File::Temp::tempdir('offload-test-XXXXXXXX', DIR => '/tmp');
    chmod 0755, $dir;
    umask 022;
    my $self = bless { dir => $dir, pid => $$, processes => [], counts => {},
        allowed => [] }, $class;
    $SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
    return $CURRENT = $self;
}

sub dir  { $_[0]{dir} }
sub port { my ($self, @offsets) = @_; Offload::Test::Port::reserve(@offsets) }
sub next { ++$_[0]{counts}{ $_[1] } }

# ---------------------------------------------------------------- files

sub path {
    my ($self, $path) = @_;
    return $path =~ m{^/} ? $path : "$self->{dir}/$path";
}

# The new content takes the old one's place in one step, as a careful editor
# or rsync would do it.
sub write {
    my ($self, $path, $bytes) = @_;

    $path = $self->path($path);
    File::Path::make_path($path =~ s{/[^/]+$}{}r);
    open my $f, '>', "$path.new" or die "$path.new: $!\n";
    binmode $f;
    print $f $bytes;
    close $f or die "$path.new: $!\n";
    rename "$path.new", $path or die "$path: $!\n";
    return $path;
}

sub read {
    my ($self, $path) = @_;

    $path = $self->path($path);
    open my $f, '<', $path or die "$path: $!\n";
    binmode $f;
    local $/;
    return <$f> // '';
}

# Bytes that look random and are the same in every run: no two blocks of 4 KiB
# are alike.
sub bytes {
    my ($self, $count, $seed) = @_;

    my $name = 'offload-test ' . ($seed // 0);
    my $pad = join '', map { sha256("$name pad $_") } 1 .. 128;
    my $blocks = '';
    for (my $i = 0; $i * 4096 < $count; $i++) {
        $blocks .= sha256("$name $i") x 128 ^ $pad;
    }
    return substr $blocks, 0, $count;
}

# ---------------------------------------------------------------- keys, JWS

sub key {
    my ($self, $name) = @_;

    my $file = $self->path("$name.pem");
    my $r = $self->run('openssl', 'genpkey', '-algorithm', 'ed25519',
        '-out', $file);
    die "openssl genpkey: $r->{err}" if $r->{status};
    chmod 0600, $file;
    return $self->public_key($file);
}

# {file, x, id} of a private key's file.
sub public_key {
    my ($self, $file) = @_;

    my $r = $self->run('openssl', 'pkey', '-in', $file, '-pubout',
        '-outform', 'DER');
    die "$file: $r->{err}" if $r->{status};
    my $x = encode_base64url(substr $r->{out}, -32);
    my $id = encode_base64url(
        sha256(qq({"crv":"Ed25519","kty":"OKP","x":"$x"})));
    return { file => $file, x => $x, id => $id };
}

# A compact JWS over the claims; %header replaces members of its header.
sub sign {
    my ($self, $key, $typ, $claims, %header) = @_;

    my $json = JSON::PP->new->utf8->canonical;
    my $head = { alg => 'EdDSA', typ => $typ, kid => $key->{id}, %header };
    my $body = ref $claims ? $json->encode($claims) : $claims;
    my $input = encode_base64url($json->encode($head)) . '.'
        . encode_base64url($body);
    my $file = $self->write('run/sign-' . $self->next('sign'), $input);
    my $r = $self->run('openssl', 'pkeyutl', '-sign', '-rawin', '-inkey',
        $key->{file}, '-in', $file);
    die "openssl pkeyutl: $r->{err}" if $r->{status};
    return "$input." . encode_base64url($r->{out});
}

# The claims of a JWS, unchecked.
sub claims {
    my ($self, $jws) = @_;
    return $self->json(decode_base64url((split /\./, $jws)[1]));
}

sub json { JSON::PP->new->utf8->decode($_[1]) }

# ---------------------------------------------------------------- processes

sub add {
    my ($self, $make) = @_;

    my $process = $make->();
    push @{ $self->{processes} }, $process;
    return $process;
}

sub nginx {
    my ($self, $conf, %vars) = @_;
    return $self->add(sub {
        Offload::Test::Nginx->new(test => $self, conf => $conf,
            vars => \%vars);
    });
}

sub nginx_fails {
    my ($self, $conf, %vars) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $text = Offload::Test::Nginx->refusal(test => $self, conf => $conf,
        vars => \%vars);
    Test::More::ok(defined $text, 'nginx refuses the configuration');
    return $text // '';
}

sub redis {
    my ($self, %o) = @_;
    return $self->add(sub { Offload::Test::Redis->new(test => $self, %o) });
}

sub coordinator {
    my ($self, %o) = @_;
    return $self->add(
        sub { Offload::Test::Daemon->coordinator(test => $self, %o) });
}

sub node {
    my ($self, %o) = @_;
    return $self->add(
        sub { Offload::Test::Daemon->node(test => $self, %o) });
}

sub serve {
    my ($self, $handler, %o) = @_;
    return $self->add(sub {
        Offload::Test::Server->new(test => $self, handler => $handler, %o);
    });
}

# A process in the background; ->wait gives its status.
sub spawn {
    my ($self, @cmd) = @_;

    my $name = 'process-' . $self->next('process');
    return $self->add(sub {
        Offload::Test::Process->new(name => $name, cmd => \@cmd,
            log => "$self->{dir}/$name.log", out => "$self->{dir}/$name.out");
    });
}

# Runs a command to its end.  The first argument may be {stdin => bytes,
# timeout => seconds, env => {...}, dir => folder}.
sub run {
    my ($self, @cmd) = @_;

    my %o = ref $cmd[0] ? %{ shift @cmd } : ();
    my $base = "$self->{dir}/run/" . $self->next('run');
    mkdir "$self->{dir}/run";
    $self->write("$base.in", $o{stdin} // '');

    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        setpgrp 0, 0;
        @ENV{ keys %{ $o{env} } } = values %{ $o{env} } if $o{env};
        open STDIN, '<', "$base.in";
        open STDOUT, '>', "$base.out";
        open STDERR, '>', "$base.err";
        chdir($o{dir}) if $o{dir};
        no warnings 'exec';
        exec { $cmd[0] } @cmd;
        print STDERR "cannot start $cmd[0]: $!\n";
        POSIX::_exit(127);
    }
    setpgrp $pid, $pid;

    my $timed_out;
    my $end = time + ($o{timeout} // 120);
    until (waitpid $pid, POSIX::WNOHANG()) {
        if (time > $end) {
            kill KILL => -$pid;
            $timed_out = 1;
        }
        sleep 0.005;
    }
    my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    my %result = (status => $status, out => $self->read("$base.out"),
        err => $self->read("$base.err"));
    unlink "$base.in", "$base.out";
    unlink "$base.err" unless $result{err} =~ sanitizer();
    $result{err} .= "@cmd: killed, it took too long\n" if $timed_out;
    return \%result;
}

sub offload {
    my ($self, @args) = @_;

    my @options = ref $args[0] ? shift @args : ();
    return $self->run(@options, build() . '/offload', @args);
}

# ---------------------------------------------------------------- requests

sub http {
    my ($self, $method, $url, %o) = @_;
    return Offload::Test::Http::request($method, $url, %o);
}

sub raw {
    my ($self, $host, $port, $bytes, $timeout) = @_;
    my ($got) = Offload::Test::Http::exchange($host, $port, $bytes,
        $timeout // 10);
    return $got;
}

# Waits until the condition holds and returns its value; dies if it does not
# come true in time.
sub wait_for {
    my ($self, $condition, $what, $seconds) = @_;

    $seconds //= 20;
    my $end = time + $seconds;
    while (1) {
        my $value = $condition->();
        return $value if $value;
        die "waited $seconds s in vain for: $what\n" if time > $end;
        sleep 0.02;
    }
}

# ---------------------------------------------------------------- the end

sub sanitizer {
    return qr/AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime\ error:
        |UndefinedBehavior/x;
}

# Log lines that are no fault in this test, such as the alert about a worker
# that it has killed.
sub allow {
    my ($self, $pattern) = @_;
    push @{ $self->{allowed} }, $pattern;
}

sub done {
    my ($self) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @problems = $self->_stop_all;
    Test::More::is(join("\n", @problems), '',
        'every process ended with status 0');
    Test::More::is(join('', $self->_alarms), '',
        'no alert and no report of a sanitizer');
    Test::More::done_testing();
}

sub _stop_all {
    my ($self) = @_;

    my @problems;
    for my $process (reverse @{ $self->{processes} }) {
        $process->stop;
        push @problems, $process->problems;
    }
    return @problems;
}

sub _logs {
    my ($self) = @_;

    my %seen;
    return grep { -f && -s _ && !$seen{$_}++ } map { $_->{log} }
        @{ $self->{processes} };
}

sub _alarms {
    my ($self) = @_;

    my $sanitizer = sanitizer();
    my @found;
    for my $log ($self->_logs, glob "$self->{dir}/run/*.err") {
        open my $f, '<', $log or next;
        while (my $line = <$f>) {
            next unless $line =~ /\[(?:alert|emerg)\]|$sanitizer/;
            next if grep { $line =~ $_ } @{ $self->{allowed} };
            push @found, $log =~ s{.*/(?=[^/]+/[^/]+$)}{}r . ": $line";
        }
    }
    return @found;
}

sub _explain {
    my ($self) = @_;

    for my $log ($self->_logs) {
        my @lines = split /^/m, $self->read($log);
        splice @lines, 0, -25 if @lines > 25;
        Test::More::diag("end of $log:\n", map { "    $_" } @lines);
    }
}

END {
    if ($CURRENT && $CURRENT->{pid} == $$) {
        my $status = $?;
        my $failed = $status || !Test::More->builder->is_passing;

        $CURRENT->_stop_all;
        $CURRENT->_explain if $failed;
        if ($failed && $ENV{OFFLOAD_TEST_KEEP}) {
            Test::More::diag("kept: $CURRENT->{dir}");
        }
        else {
            File::Path::remove_tree($CURRENT->{dir});
        }
        $? = $status;
    }
}

1;
