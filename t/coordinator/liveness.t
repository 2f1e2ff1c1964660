# A node that dies is gone from the tracker's answers and from new manifests
# within 30 s; another one takes its place; back again, it is offered again.
# Audits, which find some of them sooner, are off.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis,
    args => [ '--holders', 2, '--holders-max', 2, '--audit-rate', 0 ]);
my @nodes = map { $t->node(coordinator => $c) } 1 .. 3;
my $origin = Origin->new($t, $c);
$origin->join;
$origin->file('f.bin', $t->bytes(1_000_000, 1));

sub holders {
    my ($root) = @_;
    my $r = $t->http(GET => $c->url . "/v1/content/$root/peers");
    return map { $_->{id} } @{ $t->json($r->{content})->{peers} };
}

my $m = $t->wait_for(sub {
    my $m = $origin->manifest('f.bin');
    return $m && @{ $m->{peers} } == 2 ? $m : undef;
}, 'two peers');
my $root = $m->{content}{root};
my %held = map { $_->{id} => 1 } @{ $m->{peers} };
my ($dies, $stays) = grep { $held{ $_->id } } @nodes;
my ($spare) = grep { !$held{ $_->id } } @nodes;
is scalar(holders($root)), 2, 'as many nodes as --holders says';

# A third process holds the heartbeat of a node for up to 10 s; a dead one is
# noticed 30 s after it was last heard.
my $start = time;
$dies->kill;
$origin->wait_peers('f.bin', [ $stays, $spare ], 45);
my $took = time - $start;
ok $took <= 35, "a dead node is replaced in manifests ($took s)";
is_deeply [ sort(holders($root)) ], [ sort $stays->id, $spare->id ],
    'and in the tracker\'s answers';
$t->wait_for(sub { !$redis->cli('EXISTS', 'node:{' . $dies->id . '}') },
    'Redis to forget it');
pass 'Redis forgets it';

$dies->start;
$t->wait_for(sub { my %now = map { $_ => 1 } holders($root);
    $now{ $dies->id } }, 'the node to be back');
pass 'back again, it still holds what it held';
$origin->wait_peers('f.bin', [ $dies, $stays ]);
pass 'and is offered again, in place of the one that held for it';

$t->done;
