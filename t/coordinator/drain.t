# A node that drains, by its own wish or its operator's: it stays listed,
# nothing new is placed on it, and all coordinators know.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my @c = map { $t->coordinator(redis => $redis, key => $t->path('c.pem'),
    args => [ '--holders', '3' ]) } 1, 2;
my ($m, $n, $other) = map { Stranger->new(test => $t, coordinator => $c[0],
    name => $_) } 'm', 'n', 'o';
my $store;

sub node {
    my ($node, $c) = @_;
    return $t->json($t->http(
        GET => $c->url . '/v1/nodes/' . $node->id)->{content});
}

sub assigned {
    my ($node, %claims) = @_;
    my $r = $node->heartbeat(store => $store, %claims);
    return map { $_->{sub} } @{ $t->claims($r->{content})->{assign} };
}

$_->register for $m, $n, $other;
$_->heartbeat for $m, $n, $other;
$store = $redis->cli('GET', 'store');

is $n->heartbeat(drain => JSON::PP::true)->{status}, 200, 'one drains';
$t->wait_for(sub { node($n, $_)->{draining} }, 'it to drain', 2) for @c;
ok node($n, $_)->{listed}, 'it is still listed' for @c;
is $t->run($t->build . '/offload-coordinator', 'drain', $m->id, '--redis',
    $redis->url)->{status}, 0, 'the operator drains the other';
$t->wait_for(sub { node($m, $_)->{draining} }, 'it to drain', 2) for @c;

my $origin = Origin->new($t, $c[0]);
$origin->join;
$origin->file('f.bin', $t->bytes(1_000_000, 1));
$origin->manifest('f.bin');
ok $t->wait_for(sub { $origin->manifest('f.bin'); assigned($other) },
    'an assignment'), 'a node that does not drain is to hold a file';
is_deeply [ assigned($n, drain => JSON::PP::true), assigned($m) ], [],
    'the other two are not';

is $t->run($t->build . '/offload-coordinator', 'undrain', $m->id, '--redis',
    $redis->url)->{status}, 0, 'one need not drain any more';
$t->wait_for(sub { !node($m, $_)->{draining} }, 'it to be back', 2) for @c;
ok $t->wait_for(sub { $origin->manifest('f.bin'); assigned($m) },
    'an assignment'), 'contents are placed on it';
is assigned($n, drain => JSON::PP::true), 0, 'still none on the other';
$n->heartbeat;
$t->wait_for(sub { !node($n, $_)->{draining} }, 'it to be back', 2) for @c;
pass 'a heartbeat without drain ends it';

$t->done;
