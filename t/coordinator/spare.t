# What a node can spare reaches the sites: its rate less its load, in powers of
# two; told again when that has changed a good deal, and not too often; where no
# rate is known, neither is this.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my $origin = Origin->new($t, $c);
$origin->join;
$origin->file('f.bin', $t->bytes(300_000, 1));

my ($n, $unlimited) = map { Stranger->new(test => $t, coordinator => $c,
    name => $_, host => '127.0.0.4' . ($_ eq 'n' ? 1 : 2)) } qw(n unlimited);
$n->register(rate => 2 << 20, cidrs => ['127.0.0.0/8']);
$unlimited->register;
my $start = time;
$_->heartbeat for $n, $unlimited;
my $root = $t->wait_for(sub {
    my $m = $origin->manifest('f.bin', 1);
    return $m && $m->{content}{root};
}, 'the file is indexed');

sub beat {
    my ($node, $rate) = @_;
    return $node->heartbeat(holdings => [ { root => $root } ],
        load => { rate => $rate, connections => 0, free => 1e10 })->{status};
}

# What the origin knows of a node.
sub known {
    my ($node) = @_;
    my $r = $t->http(GET => $origin->url
        . '/.well-known/offload/peers?path=/f.bin');
    return (grep { $_->{id} eq $node->id }
        @{ $t->json($r->{content})->{candidates} })[0];
}
sub told {
    my ($load, $want) = @_;
    $t->wait_for(sub {
        die 'heartbeat' if beat($n, $load) != 200;
        select undef, undef, undef, 0.3;
        my $said = known($n);
        return $said && ($said->{spare} // 0) == $want;
    }, "$want KiB/s to spare", 30);
    return time;
}

told(0, 2048);
pass 'all of its rate';
beat($unlimited, 0);
my $said = $t->wait_for(sub { known($unlimited) }, 'the other node');
is $said->{spare}, undef, 'not known without a rate';
ok known($n)->{near}, 'its networks are told, too';
cmp_ok told((2 << 20) - 300 * 1024, 256) - $start, '>=', 4,
    'less under load, but 5 s after the last change';
told(3 << 20, 1);
pass 'next to nothing, when it sends more than it said';

$t->done;
