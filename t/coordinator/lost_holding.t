# A node that has lost a content is no holder once its word is 15 minutes old;
# then it is told again to hold it, if it is still to.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my @nodes = map { $t->node(coordinator => $c) } 1 .. 2;
my $origin = Origin->new($t, $c);
$origin->join;
$origin->file('f.bin', $t->bytes(1_000_000, 1));
my $m = $origin->wait_peers('f.bin', \@nodes, 30);
my $root = $m->{content}{root};

my ($lost) = @nodes;
$lost->kill;
system 'rm', '-rf', $lost->dir . '/c';
$lost->start;
isnt $t->http(GET => $lost->url . $m->{path})->{status}, 200,
    'a node has lost a content';
$redis->cli('ZREM', "c:{$root}:h", $lost->id);    # 15 minutes have passed
$t->wait_for(sub {
    $t->http(GET => $lost->url . $m->{path})->{status} == 200
}, 'it to have it again', 40);
pass 'it has it again';
$origin->wait_peers('f.bin', \@nodes, 10);
pass 'and is offered';
$t->wait_for(sub { $redis->cli('ZCARD', 'a:{' . $lost->id . '}') == 0 },
    'the assignment to be acknowledged', 30);
pass 'the assignment is acknowledged';

$t->done;
