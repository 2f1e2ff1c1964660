# A flood of changes by other processes does not delay what follows it.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Stranger;
use Time::HiRes ();

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my $n = Stranger->new(test => $t, coordinator => $c, name => 'n');
is $n->register->{status}, 200, 'a node';
my $root = 'ab' x 32;

my $held = $n->held_heartbeat($redis, wait => 9900,
    store => $redis->cli('GET', 'store'));

# As another process does it: 20,000 changes, and then an assignment.
my $id = $n->id;
my $start = Time::HiRes::time;
is $redis->cli('EVAL', <<'LUA', 0, $root), 1, 'a flood of changes';
for i = 1, 20000 do
    redis.call('XADD', 'changes', '*', 'k', 'h', 'v', ARGV[1], 'p', 'other')
end
return 1
LUA
$redis->cli('FCALL', 'ol_content_want', 4, "c:{$root}:w:$id", "a:{$id}",
    "ad:{$id}", "r:{$id}", $root, 'cd' x 32, '{"root":"x"}', 1,
    int(1000 * Time::HiRes::time), 7200);
$redis->cli('XADD', 'changes', '*', 'k', 'a', 'v', $id, 'p', 'other');
my ($jws) = join('', <$held>) =~ /\r\n\r\n(.*)/s;
is_deeply $t->claims($jws)->{assign}, [ { root => 'x' } ], 'the node is told';
cmp_ok Time::HiRes::time - $start, '<', 8, 'at once';

$t->done;
