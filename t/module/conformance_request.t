# Every kind of request for a file, unknown or offered with nodes that have it:
# the same answer as from nginx without the module, but for the headers that
# are ours.

use Offload::Test;
use Offload::Test::Sync;
use Offload::Test::Twin;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(270_000, 1);
my @places = qw(plain redirect nolinks quiet);
my %file = map { $_ => $t->write("html/$_/f.bin", $bytes) } @places;
$t->write('html/plain/small.txt', 'small');
utime 1_700_000_000, 1_700_000_000, $_ for values %file;

my $twin = Offload::Test::Twin->new($t, <<'CONF',
%%MODULES%%
events {}
http {
    default_type  application/octet-stream;
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        client_max_body_size 100k;
        keepalive_timeout   300ms;
        lingering_timeout   100ms;
        lingering_time      200ms;
        client_header_timeout 300ms;
        client_body_timeout 300ms;

        location /.well-known/offload/ { offload_endpoint; }
        location /redirect/ { offload_redirect on; offload_trust %%NODE%%; }
        location /nolinks/  { offload_links off; }
        location /quiet/    { offload_above 900m; }
    }
}
CONF
    SITE => $t->key('site')->{file}, X => $key->{x},
    NODE => Offload::Test::Sync->node(1)->{id});
my $c = Offload::Test::Sync->new($t, $key, $twin->with->url);

my $etag = sprintf '"%x-%x"', 1_700_000_000, length $bytes;
my $date = 'Tue, 14 Nov 2023 22:13:20 GMT';
my ($before, $after) = map { $date =~ s/22:13:20/22:13:$_/r } 19, 21;

# Headers of a GET, by what they are called here.
my @headers = (
    [ 'nothing special' ],
    [ 'a range', 'Range: bytes=0-99' ],
    [ 'one byte', 'Range: bytes=0-0' ],
    [ 'all of it as a range', 'Range: bytes=0-' ],
    [ 'the rest', 'Range: bytes=269900-' ],
    [ 'a suffix', 'Range: bytes=-100' ],
    [ 'a long suffix', 'Range: bytes=-999999999' ],
    [ 'no suffix', 'Range: bytes=-0' ],
    [ 'beyond the end', 'Range: bytes=270000-' ],
    [ 'over the end', 'Range: bytes=269990-280000' ],
    [ 'backwards', 'Range: bytes=99-0' ],
    [ 'several', 'Range: bytes=0-9,100-109,-5' ],
    [ 'several, one beyond', 'Range: bytes=0-9,999999-' ],
    [ 'overlapping', 'Range: bytes=0-99,50-149' ],
    [ 'more than the file', 'Range: bytes=0-,0-,0-' ],
    [ 'many', 'Range: bytes=' . join ',', map { "$_-$_" } 1 .. 200 ],
    [ 'no number', 'Range: bytes=abc' ],
    [ 'no range', 'Range: bytes' ],
    [ 'a huge number', 'Range: bytes=0-99999999999999999999999' ],
    [ 'another unit', 'Range: lines=0-99' ],
    [ 'two Range headers', 'Range: bytes=0-9', 'Range: bytes=5-' ],
    [ 'If-Range, its ETag', 'Range: bytes=5-9', "If-Range: $etag" ],
    [ 'If-Range, another', 'Range: bytes=5-9', 'If-Range: "x"' ],
    [ 'If-Range, weak', 'Range: bytes=5-9', "If-Range: W/$etag" ],
    [ 'If-Range, its date', 'Range: bytes=5-9', "If-Range: $date" ],
    [ 'If-Range, later', 'Range: bytes=5-9', "If-Range: $after" ],
    [ 'If-Range, no range', "If-Range: $etag" ],
    [ 'If-None-Match', "If-None-Match: $etag" ],
    [ 'If-None-Match, others', 'If-None-Match: "a", "b"' ],
    [ 'If-None-Match, a list', "If-None-Match: \"a\", $etag" ],
    [ 'If-None-Match, weak', "If-None-Match: W/$etag" ],
    [ 'If-None-Match, *', 'If-None-Match: *' ],
    [ 'If-None-Match, a range', "If-None-Match: $etag", 'Range: bytes=0-9' ],
    [ 'If-Modified-Since', "If-Modified-Since: $date" ],
    [ 'If-Modified-Since, before', "If-Modified-Since: $before" ],
    [ 'If-Modified-Since, after', "If-Modified-Since: $after" ],
    [ 'If-Modified-Since, no date', 'If-Modified-Since: yesterday' ],
    [ 'both, one matches', 'If-None-Match: "x"', "If-Modified-Since: $date" ],
    [ 'If-Match', "If-Match: $etag" ],
    [ 'If-Match, another', 'If-Match: "x"' ],
    [ 'If-Match, weak', "If-Match: W/$etag" ],
    [ 'If-Match, *', 'If-Match: *' ],
    [ 'If-Match, a range', "If-Match: $etag", 'Range: bytes=0-9' ],
    [ 'If-Unmodified-Since', "If-Unmodified-Since: $date" ],
    [ 'If-Unmodified-Since, before', "If-Unmodified-Since: $before" ],
    [ 'a cookie', 'Cookie: a=b' ],
    [ 'credentials', 'Authorization: Basic eDp5' ],
    [ 'a bad Authorization', 'Authorization: x' ],
    [ 'Accept', 'Accept: text/html,application/xhtml+xml,*/*;q=0.8' ],
    [ 'any offload type', 'Accept: application/*' ],
    [ 'a manifest, refused', 'Accept: application/offload+jwt;q=0' ],
    [ 'gzip', 'Accept-Encoding: gzip, br' ],
    [ 'Expect', 'Expect: 100-continue' ],
    [ 'a body', 'Content-Length: 5' ],
    [ 'an empty header', 'X-Empty:' ],
    [ 'a header without a name', ': x' ],
);
my %first = ('redirect' => "Offload-Fetch: direct\r\n");

sub get {
    my ($method, $path, @lines) = @_;
    my $body = (grep { /^Content-Length/ } @lines) ? 'xxxxx' : '';
    return join("\r\n", "$method $path HTTP/1.1", 'Host: %%HOST%%',
        'Connection: close', @lines) . "\r\n\r\n$body";
}

# Whole requests, for %PATH%.
my @requests = (
    [ 'HTTP/1.0', "GET %PATH% HTTP/1.0\r\nHost: %%HOST%%\r\n\r\n" ],
    [ 'HTTP/1.0 without Host', "GET %PATH% HTTP/1.0\r\n\r\n" ],
    [ 'HTTP/1.0, kept', "GET %PATH% HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        . "HEAD %PATH% HTTP/1.0\r\n\r\n" ],
    [ 'HTTP/0.9', "GET %PATH%\r\n" ],
    [ 'HTTP/1.1 without Host', "GET %PATH% HTTP/1.1\r\n\r\n" ],
    [ 'HTTP/2.0', "GET %PATH% HTTP/2.0\r\nHost: %%HOST%%\r\n\r\n" ],
    [ 'two Hosts', "GET %PATH% HTTP/1.1\r\nHost: %%HOST%%\r\nHost: x\r\n\r\n" ],
    [ 'another Host', "GET %PATH% HTTP/1.1\r\nHost: example.org\r\n"
        . "Connection: close\r\n\r\n" ],
    [ 'an absolute URL', get('GET', 'http://%%HOST%%%PATH%') ],
    [ 'a query', get('GET', '%PATH%?a=b&c') ],
    [ 'a fragment', get('GET', '%PATH%#a') ],
    [ 'slashes', get('GET', '//x/..%PATH%') ],
    [ 'encoded', get('GET', '%PATH%' =~ s/f/%66/r) ],
    [ 'a NUL', get('GET', '%PATH%%00') ],
    [ 'a slash too many', get('GET', '%PATH%/') ],
    [ 'its folder', get('GET', '%PATH%/../') ],
    [ 'its folder without a slash', get('GET', '/plain') ],
    [ 'a small file', get('GET', '/plain/small.txt') ],
    [ 'nothing', get('GET', '%PATH%x') ],
    [ 'no path at all', get('GET', '*') ],
    [ 'HEAD', get('HEAD', '%PATH%') ],
    [ 'HEAD, a range', get('HEAD', '%PATH%', 'Range: bytes=5-9') ],
    [ 'HEAD, If-None-Match', get('HEAD', '%PATH%', "If-None-Match: $etag") ],
    [ 'HEAD, If-Match', get('HEAD', '%PATH%', 'If-Match: "x"') ],
    map({ [ $_, get($_, '%PATH%') ], [ "$_ with a body",
        get($_, '%PATH%', 'Content-Length: 5') ] }
        qw(POST PUT DELETE OPTIONS PATCH PROPFIND TRACE CONNECT get X-Y)),
    [ 'a body that is too long', get('POST', '%PATH%',
        'Content-Length: 5000000') ],
    [ 'pipelined', "GET %PATH% HTTP/1.1\r\nHost: %%HOST%%\r\nRange: bytes=0-9"
        . "\r\n\r\nHEAD %PATH% HTTP/1.1\r\nHost: %%HOST%%\r\n\r\n"
        . get('GET', '%PATH%', 'Range: bytes=5-') ],
    [ 'kept, with a body unread', "POST %PATH% HTTP/1.1\r\nHost: %%HOST%%\r\n"
        . "Content-Length: 60000\r\n\r\n" . 'x' x 60_000
        . get('GET', '%PATH%', 'Range: bytes=-9') ],
    [ 'kept, a GET with a body', "GET %PATH% HTTP/1.1\r\nHost: %%HOST%%\r\n"
        . "Content-Length: 60000\r\n\r\n" . 'x' x 60_000
        . get('GET', '%PATH%', 'Range: bytes=-9') ],
    [ 'kept, chunks', "GET %PATH% HTTP/1.1\r\nHost: %%HOST%%\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n0\r\n\r\n"
        . get('GET', '%PATH%', 'Range: bytes=-9') ],
    [ 'kept, bad chunks', "GET %PATH% HTTP/1.1\r\nHost: %%HOST%%\r\n"
        . "Transfer-Encoding: chunked\r\n\r\nz\r\n"
        . get('GET', '%PATH%', 'Range: bytes=-9') ],
);

sub compare {
    my ($state) = @_;

    for my $place (@places) {
        my $path = "/$place/f.bin";
        my @direct = $first{$place} ? 'Offload-Fetch: direct' : ();
        for (@headers) {
            my ($name, @lines) = @$_;
            $twin->same("$state, $place: $name",
                get('GET', $path, @lines, @direct));
        }
        next if $place !~ /plain|nolinks/;
        for (@requests) {
            my ($name, $text) = @$_;
            $twin->same("$state, $place: $name", $text =~ s/%PATH%/$path/gr);
        }
    }
}

compare('unknown');
my @root = map { $c->root("/$_/f.bin") } @places;
$c->start(nodes => [ $c->node(1) ], contents => { $root[0] => [ [ 1, 1 ] ] });
ok Offload::Test::Sync::is_manifest($c->get('/plain/f.bin',
    Accept => 'application/offload+jwt')), 'there is a manifest to give';
like $c->get('/plain/f.bin')->{head}, qr/^Repr-Digest: /mi,
    'and headers of ours';
is $c->get('/redirect/f.bin')->{status}, 302, 'and a redirect';
compare('offered');

# Nothing that anyone may send ends an offer.
ok Offload::Test::Sync::is_manifest($c->get("/$_/f.bin",
    'Offload-Fetch' => 'manifest')), "$_: offered as before" for @places;

# What asks for a manifest is judged against the file first.
for my $place (@places) {
    for (grep { $_->[0] =~ /^If-(?:None|Mod|Match|Unmod).*|^both/ } @headers) {
        my ($name, @lines) = @$_;
        my $request = get('GET', "/$place/f.bin", @lines,
            'Accept: application/offload+jwt');
        my ($status) = $t->raw('127.0.0.1', $twin->without->port,
            $request =~ s/%%HOST%%/x/r) =~ m{^HTTP/1.1 (\d+)};
        next if $status !~ /^(?:304|412)$/;
        $twin->same("a manifest, $place: $name", $request);
    }
}

$t->done;
