# Who is named to whom, in manifests: holders before those that would pull,
# near ones first, then local ones; each node once; what changes at a node
# counts from then on; a coordinator that falls silent counts no more.

use Offload::Test;
use Offload::Test::Clock;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my ($key, $other) = map { $t->key($_) } qw(coordinator other);
$t->write("html/$_.bin", $t->bytes(300_000, $_)) for 1 .. 3;

my $clock = Offload::Test::Clock->new($t);
my $nginx = $clock->run(sub {
    $t->nginx(<<'CONF',
%%MODULES%%
events {}
http {
    offload_zone     1m;
    offload_state    %%DIR%%/state;
    set_real_ip_from 127.0.0.1;
    real_ip_header   X-From;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_ttl         600s;
        offload_locality    $http_x_zone;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        offload_coordinator http://127.0.0.1:9998 %%Y%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
        SITE => $t->key('site')->{file}, X => $key->{x}, Y => $other->{x});
});
$clock->forward(3);

my ($c, $d) = map { Offload::Test::Sync->new($t, $_, $nginx->url) }
    $key, $other;
my @root = map { $c->root("/$_.bin") } 1 .. 3;

sub sync {
    my ($by, %members) = @_;
    my $r = $by->send(iat => $clock->time, exp => $clock->time + 60, %members);
    return $r->{status} == 200 ? $by->claims->{need} // ''
        : $t->json($r->{content})->{error};
}

sub token {
    my ($i, %client) = @_;
    my $r = $c->get("/$i.bin", 'Offload-Fetch' => 'manifest',
        'X-From' => $client{from} // '203.0.113.1',
        $client{zone} ? ('X-Zone' => $client{zone}) : ());
    return $r->{content};
}

# The first variant: others come with more than a request a second.
sub calm { $clock->forward(2); return token(@_) }

# Numbers of the nodes, in order; sets in brackets are sorted.
sub peers { [ map { $_->{url} =~ /2(\d+)$/ && $1 + 0 }
    @{ $t->claims(token(@_))->{peers} } ] }
sub sorted { [ sort { $a <=> $b } @_ ] }
sub tiers {
    my ($peers, @size) = @_;
    return [ map { sorted(splice @$peers, 0, $_) } @size, scalar @$peers ];
}

sync($_), sync($_, full => { part => 1, parts => 1 }) for $c, $d;

# What is said of nodes has limits.
for ([ cidrs => [ ('10.0.0.0/8') x 9 ], 'nine networks' ],
    [ cidrs => ['10.0.0.0/33'], 'no prefix' ],
    [ cidrs => ['10.0.0.1/8'], 'bits beyond it' ],
    [ cidrs => [7], 'a number' ], [ cidrs => '10.0.0.0/8', 'no list' ],
    [ spare => 1000, 'no power of two' ], [ spare => 0, 'nothing' ],
    [ spare => 1 << 25, 'too much' ], [ spare => '1', 'text' ]) {
    my ($member, $value, $name) = @$_;
    my $said = sync($c, nodes => [ $c->node(1, $member => $value) ]);
    ok length $said > 4, "$member: $name: $said";
    $c->{base} = $c->{seq}, sync($c, full => { part => 1, parts => 1 });
}

# Tiers: whatever a node can spare, and wherever the coordinator names it.
is sync($c, nodes => [
    $c->node(1, spare => 1 << 24),
    $c->node(2, spare => 1, cidrs => [ '198.51.100.0/24', '192.0.2.0/25' ]),
    $c->node(3, spare => 1, zone => 'DE', cidrs => ['2001:db8::/32']),
    $c->node(4, spare => 1 << 24, cidrs => ['192.0.2.0/24'], zone => 'FR'),
    $c->node(5, spare => 1 << 24, zone => 'fr'),
    $c->node(6, spare => 1 << 24) ],
    contents => { $root[0] => [ map({ [ 2, $_ ] } 4, 5, 6),
        map { [ 1, $_ ] } 1, 2, 3 ] }), '', 'six nodes';
my @all = (1 .. 3);
is_deeply tiers(peers(1), 3), [ \@all, [ 4 .. 6 ] ], 'holders first';
is_deeply tiers(peers(1, from => '192.0.2.1'), 1, 2, 1),
    [ [2], [ 1, 3 ], [4], [ 5, 6 ] ], 'near ones first, of either';
is_deeply tiers(peers(1, from => '192.0.2.129'), 3, 1),
    [ \@all, [4], [ 5, 6 ] ], 'as wide as the prefix';
is_deeply peers(1, from => '2001:db8:1::1')->[0], 3, 'IPv6';
is_deeply tiers(peers(1, zone => 'Fr'), 3, 2), [ \@all, [ 4, 5 ], [6] ],
    'those in the same zone, however it is written';
is_deeply tiers(peers(1, zone => 'FR', from => '192.0.2.200'), 3, 1, 1),
    [ \@all, [4], [5], [6] ], 'near before local';
is_deeply tiers(peers(1, zone => 'x' x 100), 3), [ \@all, [ 4 .. 6 ] ],
    'no such zone';

# Those who get the same share what was signed.
is calm(1, from => '203.0.113.9'), calm(1, from => '203.0.113.200'),
    'two clients, one manifest';
is calm(1, zone => 'XX'), calm(1), 'a zone that no node is in is none';

# A change of what it can spare leaves manifests alone; one of its networks
# makes those that name it void.
my $before = calm(1);
sync($c, nodes => [ $c->node(1, spare => 1 << 3) ]);
is calm(1), $before, 'another spare capacity';
sync($c, nodes => [ $c->node(1, spare => 1 << 3, cidrs => ['10.0.0.0/8']) ]);
isnt calm(1), $before, 'a node that has come to be near somebody';
is peers(1, from => '10.1.2.3')->[0], 1, 'it is named to them';
is calm(1, from => '203.0.113.9'), calm(1), 'others share as before';
sync($c, nodes => [ $c->node(1, spare => 1 << 3, cidrs => ['11.0.0.0/8']) ]);
peers(1);
is peers(1, from => '11.1.2.3')->[0], 1, 'it moves';
is calm(1, from => '10.1.2.3'), calm(1), 'and is near nobody there';

# Twenty-four networks of a content are looked at, one of each node first.
my @many = map { my $n = $_; $c->node($n, cidrs =>
    [ map { "10.$n.$_.0/24" } 0 .. 7 ]) } 10 .. 29;
is sync($c, nodes => \@many, contents => { $root[1] =>
    [ map { [ 1, $_ ] } 10 .. 29 ] }), '', 'twenty nodes, eight networks each';
is_deeply [ map { peers(2, from => "10.$_.0.1")->[0] } 10 .. 29 ],
    [ 10 .. 29 ], 'each is near somebody';
is scalar @{ peers(2) }, 8, 'and eight are named, as by default';

# Two coordinators name the same node: once, on the better word.
sync($c, nodes => [ $c->node(40), $c->node(41) ],
    contents => { $root[2] => [ [ 2, 40 ], [ 1, 41 ] ] });
sync($d, nodes => [ $d->node(40, n => 7), $d->node(42) ],
    contents => { $root[2] => [ [ 2, 42 ], [ 1, 7 ] ] });
is_deeply tiers(peers(3), 2), [ [ 40, 41 ], [42] ], 'it holds all of it';
$clock->forward(40);
sync($c);
$clock->forward(30);
is_deeply peers(3), [ 41, 40 ], 'who said so is silent';
my $said = $t->json($t->http(GET => $nginx->url
    . '/.well-known/offload/peers?path=/3.bin')->{content});
$_->{why} && $_->{why} =~ s/7[0-5] s$/a minute/
    for @{ $said->{candidates} };
is_deeply { map { $_->{id} => $_->{why} } @{ $said->{candidates} } },
    { $c->node(40)->{id} => undef, $c->node(41)->{id} => undef,
        $d->node(42)->{id} => 'coordinator silent for a minute' }, 'as explained';

$t->done;
