# Under every directive that changes how a file is found, sent or answered for:
# the same as from nginx without the module, while the file is unknown and when
# it is offered.

use Offload::Test;
use Offload::Test::Sync;
use Offload::Test::Twin;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(270_000, 1);
$t->write("html/$_", $bytes) for qw(file/f.bin err/big.bin text/f.txt a/b/f.bin);
$t->write('html/small.txt', "small\n" x 100);
$t->write('html/text/page.shtml', '<!--#include virtual="/file/f.bin" -->'
    . '<!--#include virtual="/none" --> and <!--#echo var="uri" -->');
$t->write('html/text/f.txt', 'the same words ' x 20_000);
symlink 'file', $t->path('html/linked');
symlink '../file/f.bin', $t->path('html/a/link.bin');
symlink 'nowhere', $t->path('html/a/dangling.bin');
$t->write('html/forbidden/f.bin', $bytes);
chmod 0, $t->path('html/forbidden/f.bin');
$t->write('passwd', "u:{PLAIN}p\n");

my $twin = Offload::Test::Twin->new($t, <<'CONF',
%%MODULES%%
events {}
http {
    types { text/plain txt; text/html html shtml; }
    default_type  application/octet-stream;
    offload_zone  1m;
    offload_state %%DIR%%/state;
    keepalive_timeout 300ms;
    lingering_timeout 100ms;
    server_tokens off;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
        location /alias/     { alias %%DIR%%/html/file/; }
        location ~ ^/re/(?<n>.+)$ { alias %%DIR%%/html/file/$n; }
        location /linked/    { }
        location /nolinks/   { disable_symlinks on; alias %%DIR%%/html/; }
        location /ownlinks/  { disable_symlinks if_not_owner; alias %%DIR%%/html/; }
        location /cached/    { alias %%DIR%%/html/; open_file_cache max=9 inactive=60s; open_file_cache_valid 60s; open_file_cache_errors on; }
        location /noetag/    { etag off; alias %%DIR%%/html/file/; }
        location /exact/     { if_modified_since exact; alias %%DIR%%/html/file/; }
        location /before/    { if_modified_since before; alias %%DIR%%/html/file/; }
        location /never/     { if_modified_since off; alias %%DIR%%/html/file/; }
        location /noranges/  { max_ranges 0; alias %%DIR%%/html/file/; }
        location /onerange/  { max_ranges 1; alias %%DIR%%/html/file/; }
        location /sendfile/  { sendfile on; tcp_nopush on; alias %%DIR%%/html/file/; }
        location /chunks/    { sendfile on; sendfile_max_chunk 32k; alias %%DIR%%/html/file/; }
        location /read/      { sendfile off; output_buffers 1 7k; alias %%DIR%%/html/file/; }
        location /threads/   { aio threads; alias %%DIR%%/html/file/; }
        location /sendthreads/ { sendfile on; aio threads; alias %%DIR%%/html/file/; }
        location /direct/    { directio 4k; alias %%DIR%%/html/file/; }
        location /rate/      { limit_rate 8m; limit_rate_after 64k; alias %%DIR%%/html/file/; }
        location /postpone/  { postpone_output 0; alias %%DIR%%/html/file/; }
        location /expires/   { expires 10y; alias %%DIR%%/html/file/; }
        location /never-expires/ { expires max; alias %%DIR%%/html/file/; }
        location /expired/   { expires epoch; alias %%DIR%%/html/file/; }
        location /headers/   { add_header Link "</x>; rel=x"; add_header X-A b always; add_header Vary Origin; add_trailer X-T t; alias %%DIR%%/html/file/; }
        location /modified/  { add_header Last-Modified "Thu, 01 Jan 2026 00:00:00 GMT"; alias %%DIR%%/html/file/; }
        location /unmodified/ { add_header Last-Modified ""; add_header ETag '"mine"'; alias %%DIR%%/html/file/; }
        location /gzip/      { gzip on; gzip_types *; gzip_vary on; alias %%DIR%%/html/text/; }
        location /unchunked/ { gzip on; gzip_types *; chunked_transfer_encoding off; alias %%DIR%%/html/text/; }
        location /charset/   { charset utf-8; charset_types *; alias %%DIR%%/html/text/; }
        location /ssi/       { ssi on; alias %%DIR%%/html/text/; }
        location /sub/       { sub_filter words bytes; sub_filter_once off; sub_filter_types *; alias %%DIR%%/html/text/; }
        location /add/       { add_before_body /small.txt; add_after_body /file/f.bin; addition_types *; alias %%DIR%%/html/text/; }
        location /types/     { types { } default_type text/x-own; alias %%DIR%%/html/file/; }
        location /try/       { try_files $uri /file/$arg_n /file/f.bin =404; }
        location /trynamed/  { try_files $uri @named; }
        location /try500/    { try_files $uri =500; }
        location @named      { root %%DIR%%/html/a; rewrite ^ /b/f.bin break; }
        location /err404/    { error_page 404 /err/big.bin; }
        location /err200/    { error_page 404 =200 /err/big.bin; }
        location /errnamed/  { error_page 404 = @named; }
        location /err302/    { error_page 404 =302 /err/big.bin; }
        location /errurl/    { error_page 404 https://example.org/; }
        location /err403/    { error_page 403 /err/big.bin; alias %%DIR%%/html/forbidden/; }
        location /err405/    { error_page 405 =200 $uri; }
        location /err50x/    { error_page 500 502 503 504 /err/big.bin; return 503; }
        location /err416/    { error_page 416 /err/big.bin; error_page 412 =200 /small.txt; alias %%DIR%%/html/file/; }
        location /loop/      { error_page 404 /loop/x; recursive_error_pages on; }
        location /forbidden/ { }
        location /auth/      { auth_basic x; auth_basic_user_file %%DIR%%/passwd; alias %%DIR%%/html/file/; }
        location /limit/     { limit_except GET { deny all; } alias %%DIR%%/html/file/; }
        location /rewrite/   { rewrite ^/rewrite/(.*)$ /file/$1 last; }
        location /return/    { return 301 /file/f.bin; }
        location /if/        { if ($arg_x) { add_header X-If $arg_x; } alias %%DIR%%/html/file/; }
        location /index/     { index f.bin; alias %%DIR%%/html/a/b/; }
        location /list/      { autoindex on; alias %%DIR%%/html/a/; }
        location /random/    { random_index on; alias %%DIR%%/html/a/b/; }
        location /mirror/    { mirror /file/f.bin; alias %%DIR%%/html/file/; }
        location /proxy/     { proxy_pass http://127.0.0.1:%%PORT_1%%/file/; }
        location /slice/     { slice 64k; proxy_set_header Range $slice_range; proxy_http_version 1.1; proxy_pass http://127.0.0.1:%%PORT_1%%/file/; }
        location /range/     { proxy_force_ranges on; proxy_pass http://127.0.0.1:%%PORT_1%%/file/; }
        location /internal/  { internal; alias %%DIR%%/html/file/; }
        location /accel/     { proxy_pass http://127.0.0.1:%%PORT_1%%/accel/; }
        location /slow/      { limit_req zone=%%ZONE%% burst=1000 nodelay; alias %%DIR%%/html/file/; }
        location /dav/       { dav_methods PUT DELETE MKCOL; alias %%DIR%%/html/file/; }
        location /gzs/       { gzip_static on; alias %%DIR%%/html/text/; }
        location /userid/    { userid off; alias %%DIR%%/html/file/; }
        location /realip/    { set_real_ip_from 127.0.0.1; alias %%DIR%%/html/file/; }
    }

    limit_req_zone $binary_remote_addr zone=%%ZONE%%:1m rate=1000r/s;

    server {
        listen 127.0.0.1:%%PORT_1%%;
        root   %%DIR%%/html;
        location /accel/ { rewrite ^/accel/(.*)$ /internal/$1 break; return 200 ""; add_header X-Accel-Redirect $uri; }
    }
}
CONF
    SITE => $t->key('site')->{file}, X => $key->{x}, ZONE => 'requests');

# Paths, and the requests for each of them.
my @paths = (map({ "/$_/f.bin" } qw(alias re linked file cached/file nolinks/file
        nolinks/linked ownlinks/linked noetag exact before never noranges
        onerange sendfile chunks read threads sendthreads direct rate postpone
        expires never-expires expired headers modified unmodified types auth
        limit rewrite return if mirror proxy slice range internal accel slow
        dav userid realip err405 err416 err403 forbidden)),
    map({ "/$_/f.txt" } qw(gzip unchunked charset sub add gzs)),
    qw(/ssi/page.shtml /try/file/f.bin /try/none /trynamed/f.bin /try500/f.bin
        /err404/none /err200/none /errnamed/none /err302/none /errurl/none
        /err50x/f.bin /loop/none /index/ /index /list/ /list /random/
        /nolinks/a/link.bin /ownlinks/a/link.bin /cached/a/link.bin
        /a/link.bin /a/dangling.bin /cached/none /if/f.bin?x=1 /small.txt));
my @requests = (
    [ 'GET' ], [ 'HEAD' ],
    [ 'GET', 'Range: bytes=5-9' ],
    [ 'GET', 'Range: bytes=0-9,20-29' ],
    [ 'GET', 'Range: bytes=999999999-' ],
    [ 'GET', 'Accept-Encoding: gzip' ],
    [ 'GET', 'If-Modified-Since: %DATE%' ],
    [ 'GET', 'If-Modified-Since: Fri, 01 Jan 2038 00:00:00 GMT' ],
    [ 'GET', 'If-None-Match: %ETAG%' ],
    [ 'GET', 'If-Match: "x"' ],
    [ 'GET', 'Authorization: Basic dTpw' ],
    [ 'POST', 'Content-Length: 0' ],
);

sub compare {
    my ($state, @requests) = @_;

    for my $path (@paths) {
        my $r = $t->http(HEAD => $twin->without->url . $path);
        my %value = (DATE => $r->{headers}{'last-modified'} // 'x',
            ETAG => $r->{headers}{etag} // 'x');
        for (@requests) {
            my ($method, @lines) = map { s/%(\w+)%/$value{$1}/gr } @$_;
            $twin->same("$state: $method $path @lines", join "\r\n",
                "$method $path HTTP/1.1", 'Host: %%HOST%%',
                'Connection: close', @lines, '', '');
        }
    }
}

compare('unknown', @requests[0 .. 2]);
my $c = Offload::Test::Sync->new($t, $key, $twin->with->url);
my @offered = grep { /^\/(?:alias|re|linked|file|cached|nolinks\/file|exact|before
    |never|noranges|onerange|sendfile|chunks|read|threads|direct|rate|headers
    |expires|expired|mirror|if)\/(?:file\/)?f\.bin$/x } @paths;
my @roots = map { $c->root($_) } @offered;
$c->start(nodes => [ $c->node(1) ], contents => { $roots[0] => [ [ 1, 1 ] ] });
is scalar(grep { Offload::Test::Sync::is_manifest($c->get($_,
    Accept => 'application/offload+jwt')) } @offered), scalar(@offered),
    'they are offered';
compare('offered', @requests);
is join(' ', grep { !Offload::Test::Sync::is_manifest($c->get($_,
    'Offload-Fetch' => 'manifest')) } @offered), '', 'nothing ends an offer';

$t->done;
