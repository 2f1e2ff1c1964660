# Giving a manifest costs no system call beyond those of `return 200`, and no
# signature; asking for a file costs what it costs without the module.

use Offload::Test;
use Offload::Test::Sync;

use Time::HiRes qw(time);

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write("html/$_", $t->bytes(300_000, 1)) for qw(f.bin off/f.bin basic/f.bin);

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
worker_processes 1;
events {}
http {
    access_log    off;
    sendfile      on;
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        keepalive_requests  10000;

        location /.well-known/offload/ { offload_endpoint; }
        location /off/   { offload off; }
        location /return { return 200 x; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
sub status { $t->json($c->get('/.well-known/offload/status')->{content}) }
$c->offer('/f.bin', [ 1, 1 ]);
$c->send;

# System calls of the worker for so many requests on one connection, by name.
sub calls {
    my ($count, $path, $header) = @_;

    my ($worker) = $nginx->workers;
    my $out = $t->path('strace');
    unlink $out;
    my $strace = $t->spawn('strace', '-f', '-qq', '-o', $out, '-p', $worker);
    $t->wait_for(sub {
        $t->read("/proc/$worker/status") =~ /TracerPid:\s+[1-9]/;
    }, 'strace is attached');

    my $request = "GET $path HTTP/1.1\r\nHost: 127.0.0.1:"
        . $nginx->port . "\r\n$header\r\n";
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $nginx->port) or die;
    my $got = 0;
    for (1 .. $count) {
        print $s $request;
        local $/ = "\r\n\r\n";
        my $head = <$s>;
        my ($length) = $head =~ /^Content-Length: (\d+)/m;
        $got += read $s, my($body), $length;
    }
    close $s;
    $strace->signal('INT');
    $strace->wait;

    my %calls;
    /^\d+ +(\w+)\(/ and $calls{$1}++ for split /\n/, $t->read($out);
    return \%calls;
}

sub text { join ' ', map { "$_: $_[0]{$_}" } sort keys %{ $_[0] } }

my $count = 500;
my $accept = "Accept: application/offload+jwt\r\n";

# Requests come fast from now on, so that there are as many variants as may be.
my ($signed, $since) = (0, 0);
$t->wait_for(sub {
    $c->get('/f.bin', Accept => 'application/offload+jwt') for 1 .. 20;
    my $now = status()->{signatures};
    ($signed, $since) = ($now, time) if $now != $signed;
    return time - $since > 2.5;
}, 'all variants are signed');
my $before = status();
my $started = time;
my $manifest = calls($count, '/f.bin', $accept);
my $seconds = int(time - $started) + 2;
my $after = status();
my $return = calls($count, '/return', $accept);
note 'manifest: ', text($manifest);
note 'return:   ', text($return);

is $after->{requests}{manifest} - $before->{requests}{manifest}, $count,
    "$count manifests";
is $after->{signatures} - $before->{signatures}, 0, 'no signature';

# Once a second nginx looks whether the file is still the same.
my %looks = map { $_ => 1 } qw(openat newfstatat fstat close);
is join(' ', grep { !$return->{$_} && !$looks{$_} } sort keys %$manifest), '',
    'no other system calls';
# (AddressSanitizer maps memory now and then.)
my $asan = Offload::Test::build() =~ m{/asan$};
for my $call (grep { !$asan || !/^m(?:un)?map$/ } sort keys %$manifest) {
    my $more = $manifest->{$call} - ($return->{$call} // 0);
    cmp_ok $more, '<=', $looks{$call} ? $seconds : $count / 50, "$call";
}

# The file itself: on, off, and for those who are not eligible.
my $off = calls($count, '/off/f.bin', '');
my $on = calls($count, '/f.bin', '');
my $ineligible = calls($count, '/f.bin', "Authorization: Basic eDp5\r\n");
# A thread that clears up in the state folder says so to the worker.
my %thread = map { $_ => 1 } qw(gettid write futex getdents64 unlink read);
is join(' ', grep { !$thread{$_} } sort keys %$on),
    join(' ', grep { !$thread{$_} } sort keys %$off), 'the same calls';
for ([ 'a direct one', $on ], [ 'an ineligible one', $ineligible ]) {
    my ($what, $calls) = @$_;
    for my $call (qw(openat newfstatat fstat close read pread64)) {
        # The ends of connections may be seen or not.
        cmp_ok abs(($calls->{$call} // 0) - ($off->{$call} // 0)), '<=', 4,
            "$what: $call as without the module";
    }
}

# Nor does a file that is too young to be indexed cost anything.
$t->write('html/young.bin', $t->bytes(300_000, 2));
my $young = calls($count, '/young.bin', '');
is join(' ', grep { /^(?:geteuid|getrlimit|prlimit64|setpriority)$/ }
    sort keys %$young), '', 'a young file in the queue';

$t->done;
