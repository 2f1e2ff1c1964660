# What a report may say, what each refusal says, and that a flood of worthless
# ones costs little.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write('html/f.bin', $t->bytes(300_000, 1));

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone     1m;
    offload_state    %%DIR%%/state;
    set_real_ip_from 127.0.0.0/8;
    real_ip_header   X-From;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen              127.0.0.1:%%PORT_1%%;
        server_name         other.example;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->offer('/f.bin', [ 1, 1 ], [ 1, 2 ]);
my ($one, $two, $three) = map { $c->node($_)->{id} } 1 .. 3;
my $url = $nginx->url . '/.well-known/offload/report';

# Of form, with a receipt that is good and stays so: how the report differs
# from a good one, status, a word of the reason.
my $good = $c->receipt('/f.bin');
my @refused = (
    [ { receipt => undef }, 400, 'receipt: missing' ],
    [ { receipt => 7 }, 400, 'receipt: not a string' ],
    [ { receipt => '' }, 400, 'version' ],
    [ { receipt => '2' . substr $good, 1 }, 400, 'version' ],
    [ { receipt => "$good.x" }, 400, 'seal' ],
    [ { receipt => $good =~ s/[.]\d+-\d+[.]/.0-01./r }, 400, 'counter' ],
    [ { receipt => $good =~ s/[.]\d+-\d+[.]/.1./r }, 400, 'counter' ],
    [ { receipt => $good =~ s/-(\d+)[.](\d+)[.]/-$1.$2x./r }, 400, 'time' ],
    [ { receipt => $good =~ s/[.][^.]+([.][^.]+)$/.$1/r }, 400, 'peers' ],
    [ { receipt => 'x' x 500 }, 400, 'receipt: longer' ],
    [ { root => undef }, 400, 'root: missing' ],
    [ { root => uc $root }, 400, 'root' ],
    [ { root => 'f' x 64 }, 403, 'not made here' ],
    [ { peers => undef }, 400, 'peers: missing' ],
    [ { peers => {} }, 400, 'peers: not an array' ],
    [ { peers => [] }, 400, 'peers: none' ],
    [ { peers => [ 1 ] }, 400, 'peers: not an object' ],
    [ { peers => [ { bytes => 1 } ] }, 400, 'id: missing' ],
    [ { peers => [ { id => 'x', bytes => 1 } ] }, 400, 'id' ],
    [ { peers => [ { id => $one } ] }, 400, 'bytes: missing' ],
    [ { peers => [ { id => $one, bytes => -1 } ] }, 400, 'bytes' ],
    [ { peers => [ { id => $one, bytes => '1' } ] }, 400, 'bytes' ],
    [ { peers => [ { id => $one, bytes => 1, failed => 1 } ] }, 400, 'failed' ],
    [ { peers => [ ({ id => $one, bytes => 1 }) x 2 ] }, 400, 'twice' ],
    [ { peers => [ { id => $three, bytes => 1 } ] }, 403, 'does not name' ],
    [ { peers => [ { id => $one, bytes => 300_001 } ] }, 403, 'more than' ],
    [ { peers => [ { id => $one, bytes => 200_000 },
        { id => $two, bytes => 100_001 } ] }, 403, 'more than' ],
);
for (@refused) {
    my ($change, $status, $word) = @$_;
    my $r = $c->report($good, $root, [ [ 1, 1 ] ], %$change);
    is $r->{status}, $status, "$status: $word";
    like $t->json($r->{content})->{error}, qr/\Q$word\E/, "says $word";
}
is $c->report($good, $root, [ [ 1, 200_000 ], [ 2, 100_000, 1 ] ])->{status},
    204, 'all of that spent nothing';

# Of the request.
my $body = '{"receipt":"x"}';
my %type = ('Content-Type' => 'application/json');
my $r = $t->http(POST => $url, headers => { %type }, body => 'junk');
is $r->{status}, 400, 'no JSON';
is $t->http(POST => $url, headers => {}, body => $body)->{status}, 400,
    'no type';
for my $type ('text/plain', 'application/jsonx', 'application/jwt') {
    is $t->http(POST => $url, headers => { 'Content-Type' => $type },
        body => $body)->{status}, 400, "type $type";
}
$good = $c->receipt('/f.bin');
is $c->report($good, $root, [ [ 1, 1 ] ], headers => { 'Content-Type' =>
    'application/JSON; charset=utf-8' })->{status}, 204, 'with a parameter';
$r = $t->http(POST => $url, headers => { %type }, body => ' ' x 4096);
is $r->{status}, 400, '4096 bytes are read';
$r = $t->http(POST => $url, headers => { %type }, body => ' ' x 4097);
is $r->{status}, 413, 'no more';
like $t->raw('127.0.0.1', $nginx->port, "POST /.well-known/offload/report "
    . "HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    . "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    . "2\r\n{}\r\n0\r\n\r\n"), qr{^HTTP/1.1 411 }, 'a length is needed';
$r = $t->http(GET => $url);
is "$r->{status} $r->{headers}{allow}", '405 POST', 'GET';

# A receipt is one site's, though both have the same file, node and key.
my $other = Offload::Test::Sync->new($t, $key, $nginx->url(1),
    'http://other.example:' . $nginx->port(1));
$other->offer('/f.bin', [ 1, 1 ]);
$good = $c->receipt('/f.bin');
is $other->report($good, $root, [ [ 1, 1 ] ])->{status}, 403,
    'not at another site';
is $c->report($good, $root, [ [ 1, 1 ] ])->{status}, 204, 'only at its own';

# A root that is gone from the catalogue, a node that nobody names any more.
$good = $c->receipt('/f.bin');
$c->send(gone => [ 2 ]);
is $c->report($good, $root, [ [ 2, 1 ] ])->{status}, 204,
    'a node that has gone meanwhile';

# Fifty that are worth nothing in one second, then no more are read, of this
# network; others are not disturbed (one of them may share its counter, by a
# hash that is another one each time).
my %status;
my @else;
my @spare = map { $c->receipt('/f.bin') } 1 .. 60;
$t->wait_for(sub {
    my $second = time;
    %status = ();
    $status{ $t->http(POST => $url, headers => { %type },
        body => $body)->{status} }++ for 1 .. 70;
    @else = map { $c->report(pop @spare, $root, [ [ 1, 1 ] ],
        headers => { 'X-From' => "198.51.$_.1" })->{status} } 1 .. 3;
    $status{429} && time == $second;
}, 'a flood');
is_deeply [ sort keys %status ], [ 400, 429 ], 'a flood is met with 429';
cmp_ok $status{400}, '<=', 50, 'after so many were read';
cmp_ok scalar(grep { $_ == 204 } @else), '>=', 2,
    'at once, reports from elsewhere';
$t->wait_for(sub { $c->report($c->receipt('/f.bin'), $root, [ [ 1, 1 ] ])
    ->{status} == 204 }, 'and is over in a second', 5);

$t->done;
