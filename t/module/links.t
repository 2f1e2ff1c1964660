# What a direct answer says for clients of Metalink/HTTP (RFC 6249, 9530):
# digests, where the file is described, and the trusted holders of it.

use Offload::Test;
use Offload::Test::Sync;

use Digest::SHA qw(sha256);
use MIME::Base64 qw(encode_base64 encode_base64url);

my $t = Offload::Test->new;
my $site = $t->key('site');
my $key = $t->key('coordinator');
my $path = '/iso/disk,%20one%E2%82%AC.iso';
my $bytes = $t->bytes(700_000, 1);
$t->write("html/iso/disk, one\xe2\x82\xac.iso", $bytes);
$t->write('html/private/f.bin', $bytes);
$t->write("html/$_/f.bin", $bytes) for qw(quiet idle);
$t->write('html/small.bin', $t->bytes(1000, 2));

my $nginx = $t->nginx(<<'CONF', SITE => $site->{file}, X => $key->{x},
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator https://tracker.example/ %%X%%;
        offload_bypass      $arg_bypass;
        offload_trust       %%TRUST%%;
        offload_ttl         2s;

        location /quiet/ { offload_links off; }
        location /idle/ { offload_above 1000m; }
        location /private/ { add_header Cache-Control private; }
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
    TRUST => join ' ', map { encode_base64url(pack 'N8', ($_) x 8) }
        1, 2, 4, 5);

my $url = $nginx->url . $path;
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $digest = encode_base64(sha256($bytes), '');

# The lines of a header that are of interest, in their order.
sub lines {
    my ($r) = @_;
    return [ grep { /^(?:Link|Digest|Repr-Digest):/i }
        split /\r\n/, $r->{head} ];
}

is_deeply lines($t->http(GET => $url)), [], 'nothing before it is indexed';

my $root = $c->root($path);
my $place = $nginx->url . "/.well-known/offload/f/$root/"
    . 'disk%2C%20one%E2%82%AC.iso';
my @digests = ("Digest: SHA-256=$digest", "Repr-Digest: sha-256=:$digest:");
my @described = (
    qq(Link: <$place.meta4>; rel=describedby; )
        . 'type="application/metalink4+xml"',
    qq(Link: <$place.torrent>; rel=describedby; )
        . 'type="application/x-bittorrent"');

my $r = $t->http(GET => $url);
is_deeply lines($r), [ @digests, @described ], 'digests and places';
is $r->{headers}{vary}, undef, 'no Vary';
ok $r->{content} eq $bytes, 'with the file';
$r = $t->http(HEAD => $url);
is_deeply lines($r), [ @digests, @described ], 'HEAD says the same';
$r = $t->http(GET => $url, headers => { Range => 'bytes=5-9' });
is "$r->{status} $r->{content}", '206 ' . substr($bytes, 5, 5), 'a range';
is_deeply lines($r), [ @digests, @described ], 'with digests of the whole';
$r = $t->http(GET => $url, headers =>
    { 'If-None-Match' => $r->{headers}{etag} });
is $r->{status}, 304, 'not modified';
is_deeply lines($r), [], 'has none';

# 1 and 2 hold it, 3 is nobody the site trusts, 4 has only been asked to get
# it; 5 is trusted, holds it, and names no country.
$c->start;
$c->send(nodes => [ $c->node(1, zone => 'DE', spare => 1 << 20),
        $c->node(2, zone => 'eu-west'), $c->node(3, zone => 'FR'),
        $c->node(4), $c->node(5) ],
    contents => { $root => [ [ 1, 3 ], [ 1, 1 ], [ 1, 2 ], [ 2, 4 ],
        [ 1, 5 ] ] });
$r = $t->http(GET => $url);
my @links = @{ lines($r) };
is_deeply [ splice @links, 0, 4 ], [ @digests, @described ], 'as before';
is scalar @links, 3, 'and three holders';
my %of = map { m{<http://127\.0\.0\.1:(\d+)/} ? ($1 => $_) : () } @links;
is_deeply [ sort keys %of ], [ 2001, 2002, 2005 ],
    'those that are trusted and have all of it';
my $e = (int(time / 600) + 2) * 600;
my $file = quotemeta "/c/$root/disk%2C%20one%E2%82%AC.iso";
like $of{2001}, qr{^Link:\x20<http://127\.0\.0\.1:2001$file\?e=$e&s=[\w-]{86}>;
    \x20rel=duplicate;\x20pri=\d;\x20geo=de$}x, 'with ticket and country';
like $of{2002}, qr/; pri=\d$/, 'which another word for a zone is not';
is_deeply [ map { /pri=(\d+)/ } @links ], [ 1, 2, 3 ], 'in order';
my ($query) = $of{2001} =~ /\?([^>]+)>/;
is $t->claims($c->get($path, 'Offload-Fetch' => 'manifest')->{content})
    ->{path}, "/c/$root?$query", 'the ticket that manifests have';

my $again = $t->http(HEAD => $url);
is_deeply lines($again), lines($r), 'the same for the next one';
$c->send(gone => [1]);
unlike join(' ', @{ lines($t->http(GET => $url)) }), qr/:2001/,
    'one that is gone is not named';

# Where there is nothing to say.
is_deeply lines($t->http(GET => "$url?bypass=1")), [], 'offload_bypass';
is_deeply lines($t->http(GET => $nginx->url . '/small.bin')), [], 'small';
$c->root('/quiet/f.bin');
$r = $t->http(GET => $nginx->url . '/quiet/f.bin');
is_deeply lines($r), [], 'offload_links off';
ok $r->{content} eq $bytes, 'where the file is as it was';
$c->root('/idle/f.bin');
$r = $t->http(GET => $nginx->url . '/idle/f.bin');
is_deeply [ map { /rel=(\w+)/ } @{ lines($r) } ], [ ('describedby') x 2 ],
    'while no help is needed, no holders';
for (1, 2) {
    $r = $t->http(GET => $nginx->url . '/private/f.bin');
    is_deeply lines($r), [], 'nothing of a private file';
}

# Another version: nothing of the one before.
my $new = $t->bytes(800_000, 3);
$t->write("html/iso/disk, one\xe2\x82\xac.iso", $new);
is_deeply lines($t->http(GET => $url)), [], 'nothing of a replaced file';
isnt $c->root($path), $root, 'it is indexed';
like lines($t->http(HEAD => $url))->[0],
    qr/^Digest: SHA-256=\Q${\ encode_base64(sha256($new), '')}\E$/,
    'and has its own digest';

$t->done;
