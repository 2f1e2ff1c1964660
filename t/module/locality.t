# offload_locality: any text with variables, inherited and replaced; compared
# with nodes' zones; none by default.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write("html/$_/f.bin", $t->bytes(300_000, 1)) for qw(map de none plain);

my $CONF = <<'CONF';
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;

    map $http_x_country $continent { ~^(de|fr)$ EU; us NA; default ""; }

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_peers       1;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        offload_locality    $continent;

        location /de/                  { offload_locality DE; }
        location /none/                { offload_locality ""; }
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen              127.0.0.1:%%PORT_1%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_peers       1;
        offload_key         %%SITE%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
    }
}
CONF
my %vars = (SITE => $t->key('site')->{file}, X => $key->{x});
my $nginx = $t->nginx($CONF, %vars);

# One root for all of them, and the zones of six nodes.
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my ($root) = map { $c->root("/$_/f.bin") } qw(map de none plain);
my %zone = (1 => 'EU', 2 => 'na', 3 => 'DE', 4 => 'X', 5 => undef);
$c->start(nodes => [ map { $c->node($_, $zone{$_} ? (zone => $zone{$_}) : ()) }
    sort keys %zone ], contents => { $root => [ map { [ 1, $_ ] } 1 .. 5 ] });

# Whom clients from a country are sent to, over all variants.
sub zones {
    my ($path, $country, $port) = @_;
    my %seen;
    for (1 .. 30) {
        my $r = $t->http(GET => $nginx->url($port // 0) . $path, headers => {
            'Offload-Fetch' => 'manifest',
            $country ? ('X-Country' => $country) : () });
        $seen{ $_->{zone} // '-' } = 1
            for @{ $t->claims($r->{content})->{peers} };
    }
    return join ' ', sort keys %seen;
}

zones('/map/f.bin');    # a second with more than one request
$t->wait_for(sub { zones('/map/f.bin') =~ / / }, 'variants');
is zones('/map/f.bin', 'fr'), 'EU', 'by a map of what the request says';
is zones('/map/f.bin', 'us'), 'na', 'whatever its case';
like zones('/map/f.bin', 'jp'), qr/ /, 'a country that is mapped to nothing';
zones('/de/f.bin', 'us') for 1 .. 2;
is zones('/de/f.bin', 'us'), 'DE', 'replaced in a location';
$t->wait_for(sub { zones('/none/f.bin', 'us') =~ / / }, 'taken back');
pass 'taken back in a location';
my $other = $t->wait_for(sub { zones('/plain/f.bin', 'us', 1) =~ / / },
    'another server');
pass 'none by default';

# "peers" goes by what is asked, or else by its own location's.
sub explained {
    my ($query, %headers) = @_;
    my $r = $t->http(GET => $nginx->url
        . "/.well-known/offload/peers?path=/map/f.bin$query",
        headers => \%headers);
    my $said = $t->json($r->{content});
    return join ' ', $said->{locality}, map { $_->{zone} }
        grep { $_->{local} } @{ $said->{candidates} };
}
is explained('', 'X-Country' => 'us'), 'NA na', 'who asks';
is explained('&locality=x', 'X-Country' => 'us'), 'x X', 'what is asked';
is explained('&locality=%44%65'), 'De DE', 'percent-encoded';
is explained('&locality=' . 'x' x 65), 'x' x 65, 'longer than a zone';

$t->done;
