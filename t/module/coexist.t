# Beside other modules in one configuration: each answers as it does in an nginx
# that never loaded this one, what they change on its way out is not offered,
# and the file that they leave alone is, to a country's clients from its nodes.
#
# An nginx of one's own (NGINX) has what comes with its sources; the modules
# that Debian packages apart are tested with Debian's.

use Offload::Test;
use Offload::Test::Mmdb;
use Offload::Test::Sync;

use Digest::MD5 qw(md5);
use MIME::Base64 qw(encode_base64url);

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $distribution = Offload::Test::Nginx::binary() eq '/usr/sbin/nginx';

my $LOAD = <<'CONF';
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
load_module /usr/lib/nginx/modules/ngx_http_brotli_filter_module.so;
load_module /usr/lib/nginx/modules/ngx_http_geoip2_module.so;
load_module /usr/lib/nginx/modules/ngx_http_js_module.so;
CONF
my $CONF = <<'CONF';
events {}
http {
    types             { text/html html; }
    default_type      application/octet-stream;
    offload_zone      1m;
    offload_state     %%DIR%%/state;
    set_real_ip_from  127.0.0.1;
    real_ip_header    X-Forwarded-For;
    geoip2 %%DIR%%/geo.mmdb { $geoip2_country default=XX country iso_code; } # apart
    js_path           %%DIR%%;  # apart
    js_import         test.js;  # apart
    log_format        heard '$uri $http_x_case';

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        offload_peers       1;
        offload_locality    $geoip2_country; # apart

        location /.well-known/offload/ { offload_endpoint; }
        location /gzip/    { gzip on; gzip_types *; }
        location /slice/   { slice 64k; proxy_set_header Range $slice_range; proxy_pass http://127.0.0.1:%%PORT_1%%; }
        location /address  { return 200 $remote_addr; }
        location /auth/    { auth_request /judge; }
        location /judge    { internal; if ($http_x_case != good) { return 403; } return 204; }
        location /secure/  { secure_link $arg_md5; secure_link_md5 "secret$uri"; if ($secure_link = "") { return 403; } }
        location /mirror/  { mirror /mirrored; }
        location /mirrored { internal; proxy_pass http://127.0.0.1:%%PORT_1%%/heard/; }
        location /brotli/  { brotli on; brotli_types *; } # apart
        location /country  { return 200 $geoip2_country; } # apart
        location /js       { js_content test.hello; } # apart
        location /jsbody/  { js_body_filter test.upper; } # apart
        location /lua      { content_by_lua_block { ngx.say("lua ", ngx.var.remote_addr) } } # apart
        location /luabody/ { body_filter_by_lua_block { ngx.arg[1] = ngx.arg[1] and ngx.arg[1]:gsub("x", "y") } } # apart
        location /luahead/ { access_by_lua_block { if ngx.var.http_x_case ~= "good" then ngx.exit(403) end } } # apart
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        root   %%DIR%%/html;

        location /heard/ { access_log %%DIR%%/heard.log heard; return 204; }
    }
}
CONF
my @folders = qw(gzip slice auth secure mirror plain);
my @apart = qw(brotli jsbody luabody luahead);
if ($distribution) {
    push @folders, @apart;
}
else {
    note 'only what comes with the sources';
    $CONF =~ s/^.*# apart\n//mg;
    $LOAD = '';
}

Offload::Test::Mmdb::write($t, 'geo.mmdb', '203.0.113.0/24' => 'DE',
    '198.51.100.0/24' => 'FR', '192.0.2.128/25' => 'AT');
$t->write('test.js', <<'JS');
function hello(r) { r.return(200, "js " + r.remoteAddress); }
function upper(r, data, flags) { r.sendBuffer(data.replace(/x/g, "y"), flags); }
export default { hello, upper };
JS
$t->write("html/$_/f.bin", 'x' x 1000 . "\n" . $_ x 60_000) for @folders;

my $with = $t->nginx("$LOAD%%MODULES%%\n$CONF",
    SITE => $t->key('site')->{file}, X => $key->{x});
my $without = $t->nginx($LOAD . $CONF =~ s/^.*\boffload.*\n//mgr);

my $link = encode_base64url(md5('secret/secure/f.bin'));
my %german = ('X-Forwarded-For' => '203.0.113.7');
my %french = ('X-Forwarded-For' => '198.51.100.9');
my %good = ('X-Case' => 'good');

# The same answers: path, request headers, what the status has to be.
my @requests = (
    [ '/plain/f.bin' ], [ '/plain/none', 404 ],
    [ '/plain/f.bin', 206, Range => 'bytes=10-300' ],
    [ '/gzip/f.bin' ], [ '/gzip/f.bin', 200, 'Accept-Encoding' => 'gzip' ],
    [ '/slice/f.bin' ], [ '/slice/f.bin', 206, Range => 'bytes=70000-200000' ],
    [ '/address', 200, %german ],
    [ '/auth/f.bin', 403 ], [ '/auth/f.bin', 200, %good ],
    [ '/secure/f.bin', 403 ], [ "/secure/f.bin?md5=$link" ],
    [ '/mirror/f.bin', 200, %good ],
);
push @requests, (
    [ '/brotli/f.bin' ], [ '/brotli/f.bin', 200, 'Accept-Encoding' => 'br' ],
    [ '/country', 200, %german ], [ '/country', 200, %french ], [ '/country' ],
    [ '/country', 200, 'X-Forwarded-For' => '192.0.2.200' ],
    [ '/js', 200, %german ], [ '/jsbody/f.bin' ],
    [ '/lua', 200, %german ], [ '/luabody/f.bin' ],
    [ '/luahead/f.bin', 403 ], [ '/luahead/f.bin', 200, %good ],
) if $distribution;

# Links may be added to a file's answer; nothing else.
my $added = qr/^(?:link|digest|repr-digest|date)$/;
sub answer {
    my ($nginx, $path, %headers) = @_;

    my $r = $t->http(GET => $nginx->url . $path, headers => \%headers);
    my %head = map { $_ => $r->{headers}{$_} } grep { !/$added/ }
        keys %{ $r->{headers} };
    return { status => $r->{status}, head => \%head, content => $r->{content} };
}

sub compare {
    my ($when) = @_;

    for (@requests) {
        my ($path, $status, %headers) = @$_;
        my $got = answer($with, $path, %headers);
        is $got->{status}, $status // 200, "$when: $path @{[ %headers ]}";
        is_deeply $got, answer($without, $path, %headers), '  as without it';
    }
}

compare('asked for first');

# What they do, so that it is known that they were there.
my %got = map { join(' ', @$_) => answer($with, $_->[0], @$_[ 2 .. $#$_ ]) }
    @requests;
is $got{'/gzip/f.bin 200 Accept-Encoding gzip'}{head}{'content-encoding'},
    'gzip', 'gzip was at work';
is answer($with, '/address', %german)->{content}, '203.0.113.7', 'so was realip';
$t->wait_for(sub { $t->read('heard.log') =~ m{^/heard/ good$}m },
    'so was mirror');
if ($distribution) {
    is $got{'/brotli/f.bin 200 Accept-Encoding br'}{head}{'content-encoding'},
        'br', 'so was brotli';
    is answer($with, '/country', %german)->{content}, 'DE', 'geoip2';
    is answer($with, '/country')->{content}, 'XX', 'where it knows nothing';
    is answer($with, '/js', %german)->{content}, 'js 203.0.113.7', 'njs';
    is answer($with, '/lua', %german)->{content}, "lua 203.0.113.7\n", 'lua';
    like answer($with, "/${_}body/f.bin")->{content}, qr/^y{1000}/,
        "a body filter of $_" for qw(js lua);
}

# The plain file has nodes: those of the client's country.
my $c = Offload::Test::Sync->new($t, $key, $with->url);
my $root = $c->root('/plain/f.bin');
$c->start(nodes => [ $c->node(1, zone => 'FR'), $c->node(2, zone => 'DE') ],
    contents => { $root => [ [ 1, 1 ], [ 1, 2 ] ] });
sub peer {
    my $r = $c->get('/plain/f.bin', Accept => 'application/offload+jwt', @_);
    return Offload::Test::Sync::is_manifest($r)
        ? $t->claims($r->{content})->{peers}[0]{zone} : $r->{status};
}
if ($distribution) {
    is peer(%german), 'DE', 'a node in Germany for a German';
    is peer(%french), 'FR', 'a node in France for a Frenchman';
}
else {
    like peer(%german), qr/^(?:DE|FR)$/, 'a node';
}

# Nothing of those that are changed or kept from some is offered.
my %offered = map { $_->{sub} => 1 } values %{ $c->{told} };
for my $folder (grep { !/^(?:plain|mirror|gzip|brotli|luahead)$/ } @folders) {
    my $r = $c->get("/$folder/f.bin" . ($folder eq 'secure' ? "?md5=$link" : ''),
        'Offload-Fetch' => 'manifest', %good);
    is $r->{status}, 200, "$folder: asked for a manifest";
    ok !Offload::Test::Sync::is_manifest($r), '  it gives the file';
    ok !$offered{"/$folder/f.bin"}, '  no coordinator hears of it';
}

compare('asked for again');

$t->done;
