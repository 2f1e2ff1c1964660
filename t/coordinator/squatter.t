# A node is a peer of what it was assigned, not of what it says it holds; and it
# is told again and again that nobody wants the rest of it.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my $node = $t->node(coordinator => $c);
my $origin = Origin->new($t, $c);
$origin->join;
$origin->file('f.bin', $t->bytes(1_000_000, 1));
my $root = $origin->wait_peers('f.bin', [$node], 30)->{content}{root};
my $store = $redis->cli('GET', 'store');

sub claims { $t->claims($_[0]{content}) }

my @squatters = map { Stranger->new(test => $t, coordinator => $c,
    name => "s$_", host => "127.0.1.$_") } 1 .. 4;
my %full = (store => $store,
    load => { rate => 0, connections => 0, free => 0 });
for my $s (@squatters) {
    is $s->register(capacity => 9e14)->{status}, 200, 'a stranger registers';
    is claims($s->heartbeat(%full, holdings => [ { root => $root } ]))
        ->{assign}[0], undef, 'has no room, but says that it holds a content';
}
is $redis->cli('ZCARD', "c:{$root}:h"), 1, 'it is not believed';
$origin->wait_peers('f.bin', [$node]);
my $r = $t->http(GET => $c->url . "/v1/content/$root/peers");
is_deeply [ map { $_->{id} } @{ $t->json($r->{content})->{peers} } ],
    [ $node->id ], 'nor handed out';

my ($s) = @squatters;
for my $round (1 .. 2) {
    my $a = claims($s->heartbeat(%full, holdings => [ { root => $root } ]));
    is_deeply $a->{release}, [$root], 'what it lists is released';
    is_deeply claims($s->heartbeat(%full))->{release}, [], 'once each time';
}
$s->heartbeat(%full, holdings => [ map { { root => sprintf '%064x', $_ } }
    1 .. 500 ]) for 1 .. 3;
is @{ claims($s->heartbeat(%full))->{release} }, 0, 'listings leave nothing';

$t->done;
