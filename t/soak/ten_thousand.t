# Ten thousand nodes register at once, and hold their heartbeats: none is
# answered late, at most 64 are called back at a time, all get in without asking
# often, and once they have gone memory is where it was, but for what is known of
# the nodes, which may come back.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Offload::Test::Crowd;
use Time::HiRes qw(time);

use constant NODES => 10_000;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--audit-rate', 0 ]);
my ($before, $idle) = ($c->memory, descriptors());

my $start = time;
my $crowd = Offload::Test::Crowd->new(test => $t, coordinators => [$c],
    nodes => NODES, args => [ '--connecting', 4096 ]);
my ($slowest, $asked) = (0, 0);
$t->wait_for(sub {
    my $sent = time;
    my $r = $t->http(GET => $c->url . '/v1/key');
    $slowest = time - $sent if time - $sent > $slowest;
    $asked++ if $r->{status} == 200;
    ($crowd->last->{registered} // 0) == NODES;
}, 'all to be registered', 300);
my $last = $crowd->last;
diag sprintf '%d nodes registered in %.0f s; %d times later, %d broken; '
    . 'slowest answer %d ms, of another client %.0f ms', NODES, time - $start,
    @$last{qw(busy broken slowest_ms)}, 1000 * $slowest;
is $last->{slow}, 0, 'no node waited more than 2 s for an answer';
is $last->{broken}, 0, 'none was hung up on';
cmp_ok $last->{busy}, '<', 3 * NODES, 'they were told well when to come again';
cmp_ok $last->{callbacks_most}, '<=', 64,
    'at most 64 were called back at a time';
cmp_ok $slowest, '<', 2, 'another client was served meanwhile';
cmp_ok $asked, '>', 10, 'often';

my $beats = $last->{beats};
$t->wait_for(sub { $crowd->last->{beats} >= $beats + NODES },
    'a heartbeat of each', 60);
is $crowd->last->{slow}, 0, 'which were answered in time, too';
my $full = $c->memory;
$crowd->stop;
$t->wait_for(sub { descriptors() < $idle + 10 }, 'the connections to end');
my $left = sub { ($c->memory - $before) / NODES };
$t->wait_for(sub { $left->() < 4 }, 'memory to be given back', 60);
diag sprintf 'memory: %d KiB before, %d with %d nodes (%.1f KiB each), '
    . '%.1f KiB each afterwards', $before, $full, NODES,
    ($full - $before) / NODES, $left->();
cmp_ok +($full - $before) / NODES, '<', 20, 'at most 20 KiB for each';
$t->done;

# Open descriptors of the workers.
sub descriptors {
    my $sum = 0;
    $sum += () = glob "/proc/$_/fd/*" for $c->workers;
    return $sum;
}
