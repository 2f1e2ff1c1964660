# offload_sri: a script or a style on offer comes with a signature over its
# digest and the path that was asked for; who asks for that by Accept-Signature
# and our key is sent to any holder of all of it, and manifests have what that
# one is to send.  Verified by Python.

use Offload::Test;
use Offload::Test::Sync;

use Digest::SHA qw(sha256);
use MIME::Base64 qw(encode_base64 encode_base64url decode_base64url);

my $t = Offload::Test->new;
my ($site, $other, $key) = map { $t->key($_) } qw(site other coordinator);
my $bytes = join '', map { "f($_);\n" } 1 .. 200;
$t->write("html/$_", $bytes)
    for qw(app.js a.css doc.txt own.js off.js zip.js bypass.js deny.js cookie.js), "a b\xc3\xa4.js", 'b[1].js';

my $nginx = $t->nginx(<<'CONF', SITE => $site->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    types { application/javascript js; text/css css; text/plain txt; }
    offload_zone  1m;
    offload_state %%DIR%%/state;
    log_format    seen "$uri $offload_status $offload_peer";

    server {
        listen              127.0.0.1:%%PORT%%;
        root                %%DIR%%/html;
        charset             utf-8;
        charset_types       *;
        offload             on;
        offload_min_length  1k;
        offload_sri         on;
        offload_key         %%SITE%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator https://tracker.example/ %%X%%;
        offload_bypass      $arg_bypass;
        access_log          %%DIR%%/seen.log seen;

        location = /own.js { add_header Access-Control-Allow-Origin https://a.example; }
        location = /off.js { offload_sri off; }
        location = /deny.js { allow 127.0.0.1; deny all; }
        location = /cookie.js { add_header Set-Cookie a=b; }
        location = /zip.js { gzip on; gzip_types *; }
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $id = encode_base64(decode_base64url($site->{x}), '');
my @signed = qw(unencoded-digest signature-input signature);

sub get {
    my ($path, %headers) = @_;
    return $t->http(GET => $nginx->url . $path, headers => \%headers);
}

sub asking {
    my ($for, %p) = (ref $_[0] ? (shift)->{x} : $site->{x});
    return ('Accept-Signature' => 'sig0=("unencoded-digest";sf);keyid="'
        . encode_base64(decode_base64url($for), '') . '";tag="ed25519-integrity"');
}

sub verifies {
    my ($path, @values) = @_;
    my $r = $t->run('/usr/bin/python3', 't/interop/sri.py', $id, $path, @values);
    return $r->{status} ? undef : [ split ' ', $r->{out} ];
}

sub unsigned {
    my ($r, $what) = @_;
    is_deeply [ grep { defined $r->{headers}{$_} } @signed ], [], $what;
}

unsigned(get('/app.js'), 'not yet hashed: no signature');
$c->root("/$_") for qw(app.js a.css doc.txt own.js off.js zip.js bypass.js a%20b%C3%A4.js b[1].js);

my $before = signatures();
my $r = get('/app.js');
is $r->{headers}{'unencoded-digest'}, 'sha-256=:' . encode_base64(sha256($bytes), '') . ':',
    'Unencoded-Digest';
my $life = verifies('/app.js', @{ $r->{headers} }{@signed});
ok $life, 'the signature verifies, for this path';
cmp_ok abs($life->[0] - time), '<', 5, 'made now';
is $life->[1] - $life->[0], 86400, 'for a day';
is $r->{headers}{'access-control-allow-origin'}, '*', 'for pages of any origin';
ok $r->{content} eq $bytes, 'the script';
is get('/app.js')->{headers}{signature}, $r->{headers}{signature}, 'signed once';
is signatures() - $before, 1, 'and counted';

my $head = $t->http(HEAD => $nginx->url . '/app.js');
is $head->{headers}{signature}, $r->{headers}{signature}, 'HEAD: the same';
my $part = get('/app.js', Range => 'bytes=0-99');
is $part->{status}, 206, 'a part';
unsigned($part, 'has none');
my $same = get('/app.js', 'If-None-Match' => $r->{headers}{etag});
is $same->{status}, 304, 'not modified';
is $same->{headers}{signature}, $r->{headers}{signature}, 'goes on with a signature that is good';
is $same->{headers}{'access-control-allow-origin'}, '*', 'and for pages of any origin';
unsigned(get('/app.js', 'Offload-Fetch' => 'direct'), 'nodes need none');
is get('/app.js?v=1')->{headers}{signature}, $r->{headers}{signature}, 'a query is not signed';
ok verifies('/bypass.js', @{ get('/bypass.js?bypass=1')->{headers} }{@signed}), 'offload_bypass: signed all the same';

$r = get('/a.css');
ok verifies('/a.css', @{ $r->{headers} }{@signed}), 'a style';
ok !verifies('/app.js', @{ $r->{headers} }{@signed}), 'for no other path';
for my $path ('/a%20b%C3%A4.js', '/b[1].js', '/b%5B1%5D.js') {
    ok verifies($path, @{ get($path)->{headers} }{@signed}), "as it is spelled: $path";
}
unsigned(get('/%61pp.js'), 'but not however it may be spelled');
unsigned(get('/doc.txt'), 'another type: none');
unsigned(get('/off.js'), 'offload_sri off: none');
$r = get('/own.js');
ok $r->{headers}{signature}, 'Access-Control-Allow-Origin of the site\'s own';
is $r->{headers}{'access-control-allow-origin'}, 'https://a.example', 'stays';
$r = get('/zip.js', 'Accept-Encoding' => 'gzip');
is $r->{headers}{'content-encoding'}, 'gzip', 'a coded answer';
unsigned($r, 'has none');

# Redirects.
is get('/app.js', asking)->{status}, 200, 'nobody has it: the file';
my $root = $c->offer('/app.js', [ 2, 1 ], [ 1, 2 ]);
$t->wait_for(sub { get('/app.js', asking)->{status} == 302 }, 'a redirect', 5);
$r = get('/app.js', asking);
like $r->{headers}{location}, qr{^http://127\.0\.0\.1:2002/c/$root/app\.js\?e=\d+&s=[\w-]{86}$},
    'to the one that holds all of it, trusted or not, with a ticket';
is $r->{headers}{'cache-control'}, 'private, no-store', 'not to be kept';
is $r->{headers}{vary}, 'Accept, Offload-Fetch, Accept-Signature', 'Vary';
is $r->{headers}{'access-control-allow-origin'}, '*', 'for pages of any origin';
is $r->{headers}{$_}, undef, "no $_" for qw(link digest), @signed;
$t->wait_for(sub { $t->read('seen.log') =~ m{^/app\.js redirect ${\ $c->node(2)->{id} }$}m },
    'it is logged');

my %date = (older => 'Mon, 01 Jan 2001 00:00:00 GMT', newer => 'Fri, 01 Jan 2100 00:00:00 GMT');
my $etag = get('/app.js')->{headers}{etag};
for ([ 'no such header' ], [ 'another key', asking($other) ],
    [ 'another kind', 'Accept-Signature' => (asking)[1] =~ s/ed25519-//r ],
    [ 'malformed', 'Accept-Signature' => (asking)[1] . '"' ],
    [ 'too long', 'Accept-Signature' => (asking)[1] . ', a=()' x 700 ],
    [ 'a part', asking, Range => 'bytes=0-9' ], [ 'a precondition', asking, 'If-Match' => $etag ],
    [ 'another', asking, 'If-Modified-Since' => $date{older} ],
    [ 'direct', asking, 'Offload-Fetch' => 'direct' ],
    [ 'credentials', asking, Authorization => 'Basic YTpi' ]) {
    my ($what, @headers) = @$_;
    like get('/app.js', @headers)->{status}, qr/^20[06]$/, "the file: $what";
}
$r = get('/app.js', asking, 'Offload-Fetch' => 'direct');
is $r->{headers}{link}, undef, 'no holder is named for others';
$r = get('/app.js');
unlike $r->{headers}{link}, qr/rel=duplicate/, 'nor in links of a file';
is get('/app.js?bypass=1', asking)->{status}, 200, 'offload_bypass: the file';
is $t->http(HEAD => $nginx->url . '/app.js', headers => { asking() })->{status}, 200, 'HEAD: no redirect';
$c->send(nodes => [ $c->node(2) ], contents => { $c->root('/doc.txt') => [ [ 1, 2 ] ] });
is get('/doc.txt', asking)->{status}, 200, 'another type: the file';
is get('/off.js', asking)->{status}, 200, 'offload_sri off: the file';
is get('/app.js', 'X-A' => 1, asking)->{status}, 302, 'among other headers';

# What is not for everyone; it is the same content, so somebody holds it.
for my $path ('/deny.js', '/cookie.js') {
    for my $try ([], [asking], [ 'If-None-Match' => get($path)->{headers}{etag} ]) {
        $r = get($path, @$try);
        is $r->{status}, (@$try && $try->[0] eq 'If-None-Match' ? 304 : 200), "$path: given";
        unsigned($r, "without a signature @$try[ 0 .. @$try / 2 - 1 ]");
        is $r->{headers}{'access-control-allow-origin'}, undef, 'and to no other origin';
    }
}

# What the node is told.
my $m = $t->claims($c->get('/app.js', 'Offload-Fetch' => 'manifest')->{content})->{content};
is $m->{sri}{name}, 'app.js', 'a manifest says for which name';
is $m->{sri}{key}, $site->{x}, 'by which key';
is $m->{sri}{expires} - $m->{sri}{created}, 604800, 'for a week';
ok verifies("/c/$root/app.js", 'sha-256=:' . encode_base64(pack('H*', $m->{sha256}), '') . ':',
    qq{sig1=("unencoded-digest";sf "\@path";req);keyid="$id";created=$m->{sri}{created};}
        . qq{expires=$m->{sri}{expires};tag="ed25519-integrity"},
    'sig1=:' . encode_base64(decode_base64url($m->{sri}{signature}), '') . ':'),
    'the signature is over the path at a node';
$m = $t->claims($c->get('/a%20b%C3%A4.js', 'Offload-Fetch' => 'manifest')->{content})->{content};
is $m->{sri}{name}, 'a%20b%C3%A4.js', 'the name is encoded';
for (qw(doc.txt off.js)) {
    $m = $t->claims($c->get("/$_", 'Offload-Fetch' => 'manifest')->{content})->{content};
    is $m->{sri}, undef, "none for $_";
}

# A new version is signed anew.
$bytes .= "g();\n";
$t->write('html/app.js', $bytes);
$t->wait_for(sub {
    my $digest = get('/app.js')->{headers}{'unencoded-digest'};
    $digest && $digest eq 'sha-256=:' . encode_base64(sha256($bytes), '') . ':';
}, 'the new digest');
ok verifies('/app.js', @{ get('/app.js')->{headers} }{@signed}), 'a new version has its own';

sub signatures {
    return $t->json(get('/.well-known/offload/status')->{content})->{signatures};
}

$t->done;
