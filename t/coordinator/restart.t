# The coordinator is killed and started again: sites and nodes are known still,
# manifests keep their peers all the time.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my @nodes = map { $t->node(coordinator => $c) } 1 .. 2;
my $origin = Origin->new($t, $c);
my $site = $origin->join;
$origin->file('f.bin', $t->bytes(1_000_000, 1));
my $m = $origin->wait_peers('f.bin', \@nodes);
my $root = $m->{content}{root};
my %number = map { $_->id => $redis->cli('HGET', 'key:{' . $_->id . '}', 'n') }
    @nodes;

for my $how (qw(kill stop)) {
    my $id = $c->id;
    $c->$how;
    ok $origin->manifest('f.bin'), "$how: manifests go on";
    $c->start;
    is $c->id, $id, 'it has its key still';
    is $t->http(GET => $c->url . "/v1/sites/$site->{id}")->{status}, 200,
        'it knows the site';
    # What is new has the store told of the next sync sooner.
    my $new = "$how.bin";
    $origin->file($new, $t->bytes(600_000, $how));
    $origin->manifest($new);
    my $lost = 0;
    my $since = time;
    $t->wait_for(sub {
        my $m = $origin->manifest('f.bin');
        $lost++ unless $m && @{ $m->{peers} } == 2;
        my $r = $t->http(GET => $c->url . "/v1/sites/$site->{id}");
        $t->json($r->{content})->{synced} > $since + 1;
    }, 'the next sync', 30);
    is $lost, 0, 'no manifest lacked a peer meanwhile';
    my $r = $t->http(GET => $c->url . "/v1/content/$root/peers");
    is scalar(@{ $t->json($r->{content})->{peers} }), 2,
        'it knows who holds the file';
    $origin->wait_peers($new, \@nodes, 30);
    pass 'new files are placed';
}
is $redis->cli('HGET', 'key:{' . $_ . '}', 'n'), $number{$_},
    'a node keeps its number' for sort keys %number;

$t->done;
