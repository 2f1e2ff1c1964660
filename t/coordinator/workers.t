# Several workers on one port: all serve, one that is killed is replaced on the
# same socket, a second coordinator is refused, and the end of the master is
# everyone's.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use IO::Socket::INET;
use Steady;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--workers', 3 ]);
my ($host, $port) = $c->url =~ m{//(.*):(\d+)$};

is scalar($c->workers), 3, 'three workers';
is scalar(() = $c->log =~ /ready: listening on/g), 1, 'one word when ready';
is scalar(() = $c->log =~ /key id/g), 1, 'and one about the key';

# The kernel spreads clients by their ports: each worker accepts some.
my @open = map { IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port) }
    1 .. 60;
for my $worker ($c->workers) {
    my $count = $t->wait_for(sub {
        scalar grep { (readlink($_) // '') =~ /^socket/ }
            glob "/proc/$worker/fd/*";
    }, "sockets of $worker");
    cmp_ok $count, '>', 8, 'a worker has its share of clients';
}
@open = ();

# A second one on the same address does not start, whatever SO_REUSEPORT says.
my $second = $t->run(Offload::Test::build() . '/offload-coordinator',
    '--listen', "$host:$port", '--redis', $redis->url, '--key', $c->{key});
is $second->{status}, 1, 'a second coordinator is refused';
like $second->{err}, qr/cannot listen on \Q$host:$port\E: .*running already/,
    'with the address';

# kill -9 of one worker after the other.
my $load = Steady->new($t, $c);
$load->more(20);
for my $worker ($c->workers) {
    kill KILL => $worker;
    $t->wait_for(sub {
        my @now = $c->workers;
        @now == 3 && !grep { $_ == $worker } @now;
    }, 'another worker');
    $load->more(20);
}
my @failed = $load->stop;
cmp_ok scalar(@failed), '<=', 3 * 4,
    'killed workers: only what was in flight in them failed';
is join("\n", grep { /connect to|connect:|refused/ } @failed), '',
    'no connection is refused';
like $c->log, qr/error: worker \d was ended by signal 9, starting another/,
    'the log tells';

# One that is killed at once is started again, but not in a rush.
my $log = length $c->log;
for (1 .. 6) {
    my ($first) = $t->wait_for(sub { ($c->workers)[0] }, 'a worker');
    kill KILL => $first;
    $t->wait_for(sub { !grep { $_ == $first } $c->workers }, 'its end');
}
$t->wait_for(sub { 3 == $c->workers }, 'three workers again');
is $t->http(GET => $c->url . '/v1/key')->{status}, 200, 'they serve';

# A master that is killed takes its workers along.
my @workers = $c->workers;
kill KILL => $c->pid;
$t->wait_for(sub { !grep { kill 0 => $_ } @workers }, 'all workers to go', 5);
$c->wait;
pass 'without their master no worker stays';
$c->start;
is scalar($c->workers), 3, 'and the next one starts at once';

my $c2 = $t->coordinator(redis => $redis);
is scalar($c2->workers), 1, 'one worker is the default';

$t->done;
