# The eight variants of a manifest spread clients over nodes in proportion to
# what these can spare; a crowd gets all variants, of which each is signed once;
# a node that failed, as clients say, gets less.

use JSON::PP;
use Offload::Test;
use Offload::Test::Sync;

my $FILES = 40;
my %spare = (1 => 1024, 2 => 1024, 3 => 2048, 4 => 4096);    # the sum is 8192

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write("html/$_", $t->bytes(2000, $_)) for 1 .. $FILES;

my $nginx = $t->nginx(<<'CONF',
%%MODULES%%
events {}
http {
    offload_zone     2m;
    offload_state    %%DIR%%/state;
    set_real_ip_from 127.0.0.1;
    real_ip_header   X-From;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_min_length  1k;
        offload_peers       2;
        offload_ttl         600s;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
    SITE => $t->key('site')->{file}, X => $key->{x});

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
$c->get("/$_", 'Offload-Fetch' => 'manifest') for 1 .. $FILES;
my %root = map { $_ => $c->root("/$_") } 1 .. $FILES;
$c->start;
$c->send(
    nodes => [ map { $c->node($_, spare => $spare{$_}) } sort keys %spare ],
    contents => { map { $_ => [ map { [ 1, $_ ] } 1 .. 4 ] } values %root });

sub explained {
    my ($file, $variant) = @_;
    my $r = $t->http(GET => $nginx->url
        . "/.well-known/offload/peers?path=/$file&variant=$variant");
    return $t->json($r->{content})->{candidates};
}
sub number { $_[0]{url} =~ /2(\d+)$/ && $1 + 0 }

# Over contents and variants: first places as capacities, give or take four
# standard deviations.
my (%first, %named);
for my $file (1 .. $FILES) {
    for my $variant (0 .. 7) {
        my @list = @{ explained($file, $variant) };
        $first{ number($list[0]) }++;
        $named{ number($_) }++ for grep { $_->{given} } @list;
    }
}
my $draws = 8 * $FILES;
for my $n (sort keys %spare) {
    my $share = $spare{$n} / 8192;
    my $off = abs(($first{$n} // 0) - $share * $draws);
    my $limit = 4 * sqrt($draws * $share * (1 - $share));
    ok $off < $limit, sprintf 'node %d: %d of %d first places, %d expected',
        $n, $first{$n} // 0, $draws, $share * $draws;
}
is $named{1} + $named{2} + $named{3} + $named{4}, 2 * $draws, 'two a manifest';
ok $named{1} > $draws / 8, 'the smallest are named, too';

# A crowd on one file: all variants, each signed once.
my %said = map { join(' ', map { number($_) } grep { $_->{given} }
    @{ explained(7, $_) }) => 1 } 0 .. 7;
my (%tokens, %lists);
$t->wait_for(sub {
    for (1 .. 20) {
        my $r = $c->get('/7', Accept => 'application/offload+jwt');
        next if $tokens{ $r->{content} }++;
        my $m = $t->claims($r->{content});
        $lists{ join ' ', map { number($_) } @{ $m->{peers} } } = 1;
    }
    keys %lists == keys %said;
}, 'a crowd has met all variants');
is_deeply \%lists, \%said, 'those that were explained, no others';
ok keys %tokens <= 8, 'each signed once';

# What clients say of a node counts against it.
my $r = $c->get('/9', 'Offload-Fetch' => 'manifest', 'X-From' => '192.0.2.1');
my @peers = @{ $t->claims($r->{content})->{peers} };
my $bad = number($peers[0]);
my $said = $t->http(
    POST => $nginx->url . '/.well-known/offload/report',
    headers => { 'Content-Type' => 'application/json',
        'X-From' => '192.0.2.1' },
    body => encode_json({ receipt => $r->{headers}{'offload-receipt'},
        root => $root{9}, peers => [ { id => $peers[0]{id}, bytes => 0,
        failed => JSON::PP::true } ] }));
is $said->{status}, 204, 'a report';
my ($node) = grep { number($_) == $bad } @{ explained(9, 0) };
ok $node->{failures} > 0.9 && $node->{failures} <= 1, 'one failure';
ok $node->{weight}{health} >= 0.5 && $node->{weight}{health} < 0.55,
    'half the weight';
$c->send(nodes => [ $c->node($bad, spare => 512) ]);
($node) = grep { number($_) == $bad } @{ explained(9, 0) };
ok $node->{failures} > 0.9, 'which a change of the node does not heal';
$c->send(nodes => [ $c->node($bad, zone => 'DE') ]);
($node) = grep { number($_) == $bad } @{ explained(9, 0) };
ok $node->{failures} > 0.9 && $node->{zone} eq 'DE', 'of whatever kind';

$t->done;
