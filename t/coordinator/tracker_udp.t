# The tracker over UDP: announces and scrapes over IPv4 and IPv6, from the
# address that was asked; what is forged, expired or cut short.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Udp;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $port = $t->port;
my $c = $t->coordinator(redis => $redis, host => '[::]', port => $port);
my @hashes = map { pack 'a20', "hash $_" } 1 .. 74;
register($_) for @hashes[0 .. 1];

# As a site's sync does.
sub register {
    my $h = unpack 'H*', $_[0];
    $t->wait_for(sub { $redis->cli('FUNCTION', 'LIST') =~ /ol_swarm_reg/ },
        'the functions are there');
    $redis->cli('FCALL', 'ol_swarm_register', 6, map({ "t:{$h}:$_" }
        qw(m o s4 l4 s6 l6)),
        'a' x 64, 'b' x 64, 'f.iso', 1 << 20, time, time + 1800, 7200);
}

sub client {
    my $client = Udp->new(port => $port, @_);
    $client->connect;
    return $client;
}

for ([ 'IPv4', '127.0.0.5', '127.0.1.1', '127.0.1.2', 0 ],
        [ 'IPv6', '::1', '::1', '::1', 1 ]) {
    my ($name, $to, $first, $second, $hash) = @$_;

    # Its socket takes an answer from this address only.
    my $seed = client(to => $to, from => $first);
    my $r = $seed->announce(hash => $hashes[$hash], port => 7001, left => 0,
        event => 2);
    ok $r->{interval}, "$name: a seed announces" or diag explain $r;
    is_deeply $r->{peers}, [], '... and is given nobody';

    my $leecher = client(to => $to, from => $second);
    $r = $leecher->announce(hash => $hashes[$hash], port => 7002, event => 2,
        options => "\2\x09/announce\0");
    is_deeply $r->{peers}, ["$first 7001"], '... a leecher is given the seed';
    is "$r->{seeders} $r->{leechers}", '1 1', '... and both are counted';
    $r = $seed->announce(hash => $hashes[$hash], port => 7001, left => 0);
    is_deeply $r->{peers}, ["$second 7002"], '... the seed the leecher';
    $r = $leecher->announce(hash => $hashes[$hash], port => 7002, want => 0);
    is_deeply $r->{peers}, [], '... and nobody is given who is not wanted';
    is_deeply $leecher->scrape($hashes[$hash]), [ [ 1, 0, 1 ] ],
        '... a scrape says so';
    $leecher->announce(hash => $hashes[$hash], port => 7002, event => 3);
    is_deeply $leecher->scrape($hashes[$hash]), [ [ 1, 0, 0 ] ],
        '... and that it stopped';
}

my $client = client(to => '127.0.0.1', from => '127.0.1.3');
my $all = $client->scrape(@hashes);
is @$all, 74, 'a scrape of 74 hashes is answered';
is_deeply $all->[0], [ 1, 0, 0 ], '... with what is known';
is_deeply $all->[73], [ 0, 0, 0 ], '... and zeros for what is not';

my $unknown = $client->announce(hash => $hashes[50], port => 7003);
like $unknown->{error}, qr/\w/, 'an unknown hash is refused with a reason';

# Connection ids.
my $other = client(to => '127.0.0.1', from => '127.0.1.4');
for ([ 'of another address', $other->{id} ], [ 'made up', 'x' x 8 ],
        [ 'none', "\0" x 8 ], [ 'expired', expired() ]) {
    my ($what, $id) = @$_;
    my $r = $client->announce(hash => $hashes[0], port => 7004, id => $id);
    like $r->{error}, qr/connection id/, "an id that is $what is refused";
}
is $client->announce(hash => $hashes[0], port => 7005)->{error}, undef,
    'its own is good';
unlike join(' ', @{ $other->announce(hash => $hashes[0], port => 7006)
    ->{peers} }), qr/7004/, 'what was refused is not stored';

# An answer to who has proved nothing is not larger than what it answers.
for my $packet (pack('a8 N N', 'x' x 8, 1, 1) . $client->announcement(
        hash => $hashes[0], port => 1), pack 'a8 N N a20', 'x' x 8, 2, 1, 'h') {
    my $answer = $client->raw($packet);
    ok length $answer && length $answer <= length $packet,
        'a refusal is not larger than ' . length $packet;
}

# What is no request is not answered, and nothing comes of it.
my $whole = $client->{id} . pack('NN', 1, 7)
    . $client->announcement(hash => $hashes[0], port => 7007);
is join('', map { $client->raw(substr($whole, 0, $_), 0.01) } 0 .. 97), '',
    'a packet that is cut short is not answered';
is $client->raw(pack('a8 N N', $client->{id}, 9, 1), 0.1), '',
    'nor one of another action';
is $client->announce(hash => $hashes[0], port => 7005)->{error}, undef,
    'others are answered as before';

# An id of the same key, from five minutes ago.
sub expired {
    my $shim = $t->path('late.so');
    $t->write('late.c', <<'C');
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ts);

    if (id == CLOCK_REALTIME)
        ts->tv_sec -= 300;
    return rc;
}
C
    my $built = $t->run($ENV{CC} // 'cc', '-shared', '-fPIC', '-o', $shim,
        $t->path('late.c'));
    die $built->{err} if $built->{status};
    local $ENV{LD_PRELOAD} = $shim;
    local $ENV{ASAN_OPTIONS} = join ':', $ENV{ASAN_OPTIONS} // (),
        'verify_asan_link_order=0';
    my $late = $t->port;
    my $twin = $t->coordinator(redis => $redis, port => $late,
        key => $c->{key});
    return Udp->new(to => '127.0.0.1', from => '127.0.1.3', port => $late)
        ->connect;
}

$t->done;
