# Heartbeats: what is refused, how long they are held, assignments and how they
# are acknowledged, holdings as the tracker tells them.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;
use Stranger;
use Time::HiRes ();

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my $n = Stranger->new(test => $t, coordinator => $c, name => 'n');

sub claims { $t->claims($_[0]{content}) }

sub timed {
    my $start = Time::HiRes::time;
    my $r = $n->heartbeat(@_);
    return (Time::HiRes::time - $start, $r);
}

sub peers {
    my ($root) = @_;
    my $r = $t->http(GET => $c->url . "/v1/content/$root/peers");
    return $r->{status} == 200 ? $t->json($r->{content}) : $r->{status};
}

my $r = $n->heartbeat;
is $r->{status}, 404, 'a node that is not registered';
is $n->register->{status}, 200, 'it registers';
my $store = $redis->cli('GET', 'store');

$r = $n->heartbeat(seq => 100);
is $r->{status}, 200, 'a heartbeat';
is $r->{headers}{'content-type'}, 'application/jwt', 'its answer is a JWS';
my $a = claims($r);
is $a->{iss}, $c->id, 'by the coordinator';
is $a->{aud}, $n->id, 'for the node';
is $a->{seq}, 100, 'to this heartbeat';
is $a->{store}, $store, 'with the name of the store';
is_deeply [ $a->{assign}, $a->{release} ], [ [], [] ], 'nothing to do';
is $a->{next}, 2000, 'to be held shortly, where nodes are few';

$n->{seq} = 100;
$r = $n->heartbeat(seq => 100);
is $r->{status}, 409, 'a replay';
is $t->json($r->{content})->{seq}, 100, 'is told the last seq';
is $n->heartbeat(iat => time + 600, exp => time + 660)->{status}, 401,
    'from the future';
is $n->heartbeat(aud => $n->id)->{status}, 400, 'for another one';
is $n->heartbeat(iss => $c->id)->{status}, 400, 'by another one';
is $n->heartbeat(load => undef)->{status}, 400, 'without load';
is $n->heartbeat(header => { kid => $c->id })->{status}, 404,
    'signed by a node that nobody knows';
{
    local $n->{key} = { %{ $t->key('thief') }, id => $n->id };
    is $n->heartbeat(seq => 1000)->{status}, 401, 'with another key';
}

my ($took, $answer) = timed(wait => 9000, store => 'another');
ok $took < 3, 'another store: answered at once';
($took) = timed(wait => 1500, store => $store);
ok $took > 1.4 && $took < 5, 'nothing to tell: held as long as asked';

# A later heartbeat ends the earlier one.
my $held = $n->held_heartbeat($redis, store => $store, wait => 9000);
my $start = Time::HiRes::time;
$n->heartbeat(store => $store);
like join('', <$held>), qr{^HTTP/1\.1 200 }, 'the earlier one is answered';
ok Time::HiRes::time - $start < 5, 'at once';

# Holdings of contents that nobody offers are not kept.
my $unknown = 'ab' x 32;
$n->heartbeat(holdings => [ { root => $unknown } ]);
is peers($unknown), 404, 'an unknown content';
is $redis->cli('EXISTS', "c:{$unknown}:h"), 0, 'leaves nothing';
is peers('xyz'), 400, 'no root at all';

# An assignment wakes a held heartbeat.
my $origin = Origin->new($t, $c);
$origin->join;
$origin->file('f.bin', $t->bytes(3_000_000, 1));
$origin->manifest('f.bin');
my $assign = $t->wait_for(sub {
    my $a = claims($n->heartbeat(store => $store, wait => 9000));
    return @{ $a->{assign} } ? $a->{assign} : undef;
}, 'an assignment');
my ($entry) = @$assign;
is @$assign, 1, 'one content';
is $entry->{iss}, $origin->url, 'of the site';
is $entry->{sub}, '/f.bin', 'at its path';
is $entry->{size}, 3_000_000, 'with its size';
like $entry->{salt}, qr/^[\w-]{22}$/, 'and the salt';
is_deeply $entry->{nodes}, [ { id => $n->id, url => $n->url } ],
    'and the nodes that are to hold it';
my $root = $entry->{root};
is_deeply claims($n->heartbeat(store => $store))->{assign}, [],
    'it is not told again at once';
$a = $t->wait_for(sub {
    my $a = claims($n->heartbeat(store => $store, wait => 1000));
    return @{ $a->{assign} } ? $a : undef;
}, 'it is repeated');
is $a->{assign}[0]{root}, $root, 'while it is not acknowledged';
is_deeply peers($root)->{peers}, [], 'nor is the node a peer';

$n->heartbeat(store => $store,
    holdings => [ { root => $root, bitmap => 'oAA', count => 12 } ]);
my $p = $t->wait_for(sub { peers($root)->{peers}[0] }, 'the node as a peer');
is_deeply $p, { id => $n->id, url => $n->url, zone => '',
    complete => JSON::PP::false, have => 2 }, 'an incomplete one';
is $redis->cli('ZCARD', 'a:{' . $n->id . '}'), 0, 'it is acknowledged';
$origin->wait_peers('f.bin', [$n]);
pass 'the origin offers a node that will have it';

$n->heartbeat(store => $store, holdings => [ { root => $root } ]);
ok $t->wait_for(sub { peers($root)->{peers}[0]{complete} }, 'completeness'),
    'a complete one';
is peers($root)->{size}, 3_000_000, 'the content has its size';
$origin->wait_peers('f.bin', [$n]);

$n->heartbeat(store => $store, dropped => [$root]);
$t->wait_for(sub { !@{ peers($root)->{peers} } }, 'the node is no peer');
$t->wait_for(sub { !$origin->manifest('f.bin') }, 'no more offers');
pass 'what is dropped is not offered';

# A file that is replaced need not be kept.  (As the node had dropped it, and it
# is renewed every ten seconds, it may be assigned once more before that.)
$n->heartbeat(store => $store, holdings => [ { root => $root } ]);
$origin->wait_peers('f.bin', [$n]);
$origin->file('f.bin', $t->bytes(2_000_000, 2));
my (%released, $new);
$t->wait_for(sub {
    $origin->manifest('f.bin');
    my $a = claims($n->heartbeat(store => $store, wait => 1000));
    ($new) = (grep { $_ ne $root } map { $_->{root} } @{ $a->{assign} }, $new // ());
    $released{$_} = 1 for @{ $a->{release} };
    return $new && %released;
}, 'the new version to be assigned and the old one released', 30);
is_deeply [ keys %released ], [$root], 'the old one is released';
$a = claims($n->heartbeat(store => $store, wait => 1000,
    holdings => [ { root => $new } ]));
is_deeply $a->{assign}, [], 'and not assigned any more';

$t->done;
