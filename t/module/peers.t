# peers?path=...: every candidate, for whom it is asked, what it scores and why
# it is not named; who may ask; and what is no question.

use JSON::PP;
use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my ($key, $other) = map { $t->key($_) } qw(coordinator other);
$t->write("html/$_.bin", $t->bytes(300_000, 1)) for 'f', 'a b', 'later';
$t->write('html/private.bin', $t->bytes(300_000, 2));

my $nginx = $t->nginx(<<'CONF',
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    map $http_x_private $control { default ""; 1 private; }

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_peers       3;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        offload_coordinator http://127.0.0.1:9998 %%Y%%;

        set_real_ip_from    127.0.0.1;
        real_ip_header      X-From;

        location = /private.bin        { add_header Cache-Control private; }
        location = /later.bin          { add_header Cache-Control $control; }
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen              127.0.0.1:%%PORT_1%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_site        https://127.0.0.1;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        offload_locality    $http_x_zone;
        set_real_ip_from    127.0.0.1;
        real_ip_header      X-From;

        location /.well-known/offload/ { offload_endpoint open; }
    }
}
CONF
    SITE => $t->key('site')->{file}, X => $key->{x}, Y => $other->{x});

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $d = Offload::Test::Sync->new($t, $other, $nginx->url);

sub ask {
    my ($query, %o) = @_;
    my $r = $t->http(GET => ($o{url} // $nginx->url)
        . "/.well-known/offload/peers$query", headers => $o{headers});
    return $r->{status} == 200 ? $t->json($r->{content}) : $r;
}
sub at {
    my ($said, $n) = @_;
    return (grep { $_->{n} == $n } @{ $said->{candidates} })[0];
}

# What is no question.
for ([ '', 'which file' ], [ '?path=', 'path' ], [ '?path=f.bin', 'path' ],
    [ '?path=/%zz', 'path' ], [ '?path=/%00', 'path' ],
    [ '?path=/../f.bin', 'path' ], [ '?path=/%ff', 'path' ],
    [ '?path=/f.bin&from=me', 'from' ], [ '?path=/f.bin&from=', 'from' ],
    [ '?path=/f.bin&from=1.2.3.4%00', 'from' ],
    [ '?path=/f.bin&from=%3', 'from' ],
    [ '?path=/f.bin&from=' . '1' x 500, 'from' ],
    [ '?path=/f.bin&locality=%0a', 'locality' ],
    [ '?path=/f.bin&variant=8', 'variant' ],
    [ '?path=/f.bin&variant=x', 'variant' ]) {
    my $r = ask($_->[0]);
    is $r->{status}, 400, 'refused: ' . substr $_->[0], 0, 40;
    like $t->json($r->{content})->{error}, qr/$_->[1]/, 'and why';
}
is ask('?path=/f.bin', headers => { 'X-From' => '192.0.2.1' })->{status}, 403,
    'not for anyone';
my $r = $t->http(POST => $nginx->url . '/.well-known/offload/peers?path=/f.bin',
    body => 'x' x 100_000);
is "$r->{status} $r->{headers}{allow}", '405 GET, HEAD', 'POST';

# Files that have no candidates, and why.
is ask('?path=/f.bin')->{file}{status}, 'unknown', 'nobody has asked for it';
is_deeply ask('?path=/f.bin')->{candidates}, [], 'no candidates';
my $root = $c->root('/f.bin');
is_deeply ask('?path=/f.bin')->{file}, { path => '/f.bin', status => 'ready',
    root => $root, size => 300_000 }, 'indexed';
$c->root('/a%20b.bin');
is ask('?path=/a%20b.bin')->{file}{path}, '/a b.bin', 'percent-decoded, once';
$c->get('/private.bin') for 1 .. 2;
is ask('?path=/private.bin')->{file}{root}, undef, 'a private one has no root';

is $c->root('/later.bin'), $root, 'the same content elsewhere';
is ask('?path=/later.bin')->{file}{root}, $root, 'is explained';
$c->get('/later.bin', 'X-Private' => 1, 'Offload-Fetch' => 'direct');
is_deeply [ sort keys %{ ask('?path=/later.bin')->{file} } ],
    [qw(path status why)], 'private now: no more is said of it';
like ask('?path=/later.bin')->{file}{why}, qr/not for everyone/, 'but why';
$c->get('/later.bin', 'X-Private' => 1) for 1 .. 2;
is_deeply ask('?path=/later.bin')->{candidates}, [], 'nor who has it';

# One of each kind.
$c->start;
$d->start;
my %n = (
    1 => $c->node(1, cidrs => ['192.0.2.0/24'], zone => 'DE', spare => 1024),
    2 => $c->node(2, cidrs => [ '198.51.100.0/24', '2001:db8::/32' ],
        zone => 'FR', spare => 8192),
    3 => $c->node(3, zone => 'de'),
    4 => $c->node(4, zone => 'US'),
    5 => $c->node(5));
$c->send(nodes => [ @n{ 1 .. 5 } ], contents => { $root =>
    [ [ 2, 1 ], [ 1, 2 ], [ 1, 3 ], [ 1, 4 ], [ 1, 5 ], [ 1, 99 ] ] });
$d->send(nodes => [ $d->node(7, %{ $n{1} }, n => 7) ],
    contents => { $root => [ [ 1, 7 ] ] });

my $said = ask('?path=/f.bin&from=192.0.2.77&locality=DE');
is_deeply [ @$said{qw(from locality variant offload_peers)} ],
    [ '192.0.2.77', 'DE', 0, 3 ], 'for whom';
is scalar @{ $said->{candidates} }, 6, 'each once';
my $first = $said->{candidates}[0];
is_deeply [ @$first{qw(id url zone held assigned near local spare given place
    tier coordinator)} ],
    [ $n{1}{id}, $n{1}{url}, 'DE', map({ $_ ? JSON::PP::true
        : JSON::PP::false } 1, 0, 1, 1), 1024, JSON::PP::true, 1, 0,
    $other->{id} ],
    'near and holds it, as the other coordinator says';
ok $first->{age} >= 0 && $first->{age} < 10, 'heard of just now';
is $first->{weight}{product}, $first->{weight}{capacity}
    * $first->{weight}{freshness} * $first->{weight}{health},
    'the parts of its weight';
is $first->{weight}{capacity}, 1024, 'what it can spare';
ok $first->{score} > 0, 'its score';
is $said->{candidates}[1]{n}, 3, 'then the one in the same zone, in lower case';
is at($said, 99)->{why}, 'unknown node', 'a number without a node';
is join(' ', sort map { $_->{why} // 'given' } @{ $said->{candidates} }),
    'beyond offload_peers beyond offload_peers given given given unknown node',
    'the others are given, or too many';

is_deeply [ map { $_->{place} } @{ $said->{candidates} } ],
    [ 1 .. 5, undef ], 'in the order of their places';
is ask('?path=/f.bin&from=2001%3adb8%3a%3a1')->{candidates}[0]{n}, 2,
    'an IPv6 client';
is ask('?path=/f.bin')->{from}, '127.0.0.1', 'who asks, if nobody is named';
my %first = map { ask("?path=/f.bin&variant=$_")->{candidates}[0]{n} => 1 }
    0 .. 7;
ok keys %first > 1, 'variants differ in whom they name first';

# What a manifest says is what was explained.
my $m = $t->claims($c->get('/f.bin',
    'Offload-Fetch' => 'manifest')->{content});
ok((grep {
    my $v = ask("?path=/f.bin&variant=$_");
    join(' ', map { $_->{url} } grep { $_->{given} } @{ $v->{candidates} })
        eq join(' ', map { $_->{url} } @{ $m->{peers} })
} 0 .. 7) > 0, 'a manifest names those, in that order');

# A site of its own, where all is https; open to anyone.
my $s = Offload::Test::Sync->new($t, $key, $nginx->url(1), 'https://127.0.0.1');
my %at = (url => $nginx->url(1), headers => { Host => '127.0.0.1',
    'X-From' => '198.51.100.9', 'X-Zone' => 'FR' });
$s->start;
my $same = $s->root('/f.bin');
$s->send(nodes => [ @n{ 1, 2 }, $s->node(6, url => 'https://n6.example') ],
    contents => { $same => [ map { [ 1, $_ ] } 1, 2, 6 ] });
$said = ask('?path=/f.bin', %at);
is join(q( ), map { ($_->{why} // "given") . " $_->{n}" }
    @{ $said->{candidates} }),
    'given 6 not https 1 not https 2', 'https only';
is "$said->{from} $said->{locality}", '198.51.100.9 FR',
    'who asks, and offload_locality';
ok at($said, 2)->{near} && at($said, 2)->{local}, 'what they would be, too';

$t->done;
