# /.well-known/offload/: the keys, what the site says of itself, piece tables
# short and long, the numbers; methods, bodies, and paths that lead nowhere.

use Offload::Test;
use Offload::Test::Sync;

use IO::Socket::IP;
use Digest::SHA qw(sha256 sha256_hex);

my $t = Offload::Test->new;
my ($site, $next, $key) = map { $t->key($_) } qw(site next coordinator);
my $long = $t->bytes(33 * 262_144 + 5, 2);
$t->write('html/short.bin', $t->bytes(300_000, 1));
$t->write('html/long.bin', $long);

my $nginx = $t->nginx(<<'CONF',
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        listen              127.0.0.1:%%PORT_1%%;
        listen              [::1]:%%PORT%%;
        root                %%DIR%%/html;
        offload             on;
        offload_site        HTTPS://Www.Example.ORG:443/ http://example.org:80;
        offload_key         %%SITE%%;
        offload_key         %%NEXT%%;
        offload_coordinator https://Tracker.example:443/ %%X%%;
        set_real_ip_from    127.0.0.1;
        real_ip_header      X-Real;

        location /.well-known/offload/ { offload_endpoint; }
        location /elsewhere/           { offload_endpoint; }
    }
}
CONF
    SITE => $site->{file}, NEXT => $next->{file}, X => $key->{x});

my $at = '/.well-known/offload';
my $c = Offload::Test::Sync->new($t, $key, $nginx->url,
    'https://www.example.org');

my $r = $c->get("$at/key");
is $r->{headers}{'content-type'}, 'application/jwk-set+json', 'key: type';
is $r->{headers}{'cache-control'}, 'no-cache', 'key: asked for again';
my $keys = $t->json($r->{content})->{keys};
is_deeply [ map { [ @$_{qw(kty crv x kid)} ] } @$keys ],
    [ map { [ 'OKP', 'Ed25519', @$_{qw(x id)} ] } $site, $next ],
    'key: the signing key first';
is scalar(grep { exists $_->{d} } @$keys), 0, 'key: nothing private';

$r = $c->get("$at/site");
is $r->{headers}{'content-type'}, 'application/jwt', 'site: type';
is $t->json(MIME::Base64::decode_base64url((split /\./, $r->{content})[0]))
    ->{kid}, $site->{id}, 'site: signed with the first key';
my $s = $t->claims($r->{content});
is $s->{exp} - $s->{iat}, 3600, 'site: an hour';
delete @$s{qw(iat exp)};
is_deeply $s, { iss => 'https://www.example.org',
    names => [ 'https://www.example.org', 'http://example.org' ],
    coordinators => [ { url => 'https://tracker.example', id => $key->{id} } ],
    sync => ['https://www.example.org/.well-known/offload/sync'] },
    'site: what it says';
is $c->get("$at/site")->{content}, $r->{content}, 'site: signed once';

# Tables: short ones from the zone, long ones from the state folder.
for (my @cases = ([ 'short.bin', $t->bytes(300_000, 1) ], [ 'long.bin', $long ])) {
    my ($name, $bytes) = @$_;
    my $table = join '', map { sha256(substr $bytes, $_ * 262_144, 262_144) }
        0 .. int((length($bytes) - 1) / 262_144);
    my $root = $c->root("/$name");
    is $root, sha256_hex($table), "$name: root";
    my $r = $c->get("$at/pieces/$root");
    ok $r->{content} eq $table, "$name: table";
    is $r->{headers}{'content-type'}, 'application/octet-stream', "$name: type";
    is $t->http(HEAD => $nginx->url . "$at/pieces/$root")->{headers}
        {'content-length'}, length $table, "$name: HEAD";
}
my $m = $c->get('/long.bin', 'Offload-Fetch' => 'manifest');
is $t->claims($m->{content})->{content}{table}, undef, 'a long table is apart';

for my $path ('/', '/nothing', '/keys', '/site/', '/pieces', '/pieces/',
    '/pieces/' . 'a' x 64, '/pieces/' . 'A' x 64, '/pieces/x', '/pieces/../x')
{
    my $r = $c->get("$at$path");
    is $r->{status}, 404, "404 $path";
    next if $path eq '/pieces/../x';
    ok $t->json($r->{content})->{error}, 'and why';
}
is $c->get('/elsewhere/key')->{status}, 404, 'only at its own place';

for ([ POST => 'key', 'GET, HEAD' ], [ PUT => 'site', 'GET, HEAD' ],
    [ GET => 'sync', 'POST' ], [ DELETE => 'status', 'GET, HEAD' ])
{
    my ($method, $name, $allow) = @$_;
    my $r = $t->http($method => $nginx->url . "$at/$name", body => 'x' x 50_000);
    is "$r->{status} $r->{headers}{allow}", "405 $allow", "$method $name";
}

# The numbers are for this machine only, as the connection's address has it.
my $n = $t->json($c->get("$at/status")->{content});
is $n->{files}, 2, 'status: files';
is $n->{contents}, 2, 'status: contents';
is $n->{hashed}, 2, 'status: hashed';
cmp_ok $n->{signatures}, '>=', 5, 'status: signatures';
cmp_ok $n->{requests}{manifest}, '>=', 3, 'status: manifests';
is $c->get("$at/status", 'X-Real' => '192.0.2.1')->{status}, 403, 'not for all';
is $c->get("$at/status", 'X-Real' => '127.0.0.9')->{status}, 200, 'loopback';
my $v6 = IO::Socket::IP->new(PeerAddr => '::1', PeerPort => $nginx->port) or die;
print $v6 "GET $at/status HTTP/1.0\r\n\r\n";
like scalar <$v6>, qr/^HTTP\/1.1 200 /, 'loopback of IPv6';

# A table that was lost is made again.
unlink grep { -s > 1024 } glob $t->path('state/*.table');
my $root = sha256_hex(join '', map { sha256(substr $long, $_ * 262_144, 262_144) }
    0 .. 33);
is $c->get("$at/pieces/$root")->{status}, 404, 'lost';
$t->wait_for(sub {
    $c->get('/long.bin');
    $c->get("$at/pieces/$root")->{status} == 200;
}, 'the table is there again');
is sha256_hex($c->get("$at/pieces/$root")->{content}), $root, 'the same';

$t->done;
