# Only what anyone may fetch is offered: every other way to a file of the same
# kind gives the file, is never indexed, and is never told to a coordinator.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(300_000, 1);
$t->write("html/$_", $bytes) for qw(open.bin alias/a.bin basic/f.bin deny/f.bin
    hidden/f.bin other/f.bin cookie/f.bin private/f.bin store/f.bin sub/f.txt
    ssi/f.shtml small.bin x.html tree/f.bin error/f.bin add/f.txt noetag/f.bin
    gz/f.txt off/f.bin index/index.bin etag/f.bin date/f.bin);
$t->write('html/small.bin', 'x' x 262_143);
$t->write('html/recoded/f.txt', "\xc1\xd0 the same length\n" x 20_000);
$t->write('html/page.shtml', '<!--#include virtual="/other/f.bin" -->');
$t->write('passwd', "u:{PLAIN}p\n");

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    types { text/plain txt; text/html html; }
    default_type  application/octet-stream;
    offload_zone  1m;
    offload_state %%DIR%%/state;
    charset_map   koi8-r windows-1251 { C1 E0; D0 EF; }

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_types       application/octet-stream text/plain;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        add_header          X-Offload $offload_status always;

        location /.well-known/offload/ { offload_endpoint; }
        location /renamed/ { alias %%DIR%%/html/alias/; }
        location /basic/   { auth_basic x; auth_basic_user_file %%DIR%%/passwd; }
        location /deny/    { deny all; }
        location /hidden/  { internal; }
        location /accel/   { proxy_pass http://127.0.0.1:%%PORT_1%%; }
        location /proxied/ { proxy_pass http://127.0.0.1:%%PORT_1%%/other/; }
        location /cookie/  { add_header Set-Cookie a=b; }
        location /private/ { add_header Cache-Control "max-age=1, Private"; }
        location /store/   { add_header Cache-Control no-store; }
        location /sub/     { sub_filter_types *; sub_filter nothing else; }
        location /ssi/     { ssi on; ssi_types *; }
        location /add/     { addition_types *; add_after_body /small.bin; }
        location /noetag/  { etag off; }
        location /gz/      { gzip on; gzip_types text/plain; }
        location /off/     { offload off; }
        location /index/   { index index.bin; }
        location /error/   { error_page 405 =200 /other/f.bin; return 405; }
        location /try/     { try_files /none /other/f.bin; }
        location /tried/   { try_files /other/f.bin =404; }
        location /etag/    { add_header ETag '"v1"'; }
        location /date/    { add_header Last-Modified "Thu, 01 Jan 2026 00:00:00 GMT"; }
        location /recoded/ { charset windows-1251; source_charset koi8-r; }
        location /rewritten/ { rewrite ^ /other/f.bin break; }
        location = /page.shtml { ssi on; ssi_types *; }
        location /mirrored { mirror /other/f.bin; return 204; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        root   %%DIR%%/html;
        location /accel/ { add_header X-Accel-Redirect /hidden/f.bin; return 200; }
    }
}
CONF

my %want = (Accept => 'application/offload+jwt');
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);

my @never = qw(/basic/f.bin /accel/f.bin /proxied/f.bin /cookie/f.bin
    /private/f.bin /store/f.bin /sub/f.txt /ssi/f.shtml /add/f.txt
    /noetag/f.bin /off/f.bin /error/f.bin /try/f.bin /small.bin /x.html
    /index/ /page.shtml /mirrored /etag/f.bin /date/f.bin /recoded/f.txt
    /rewritten/f.bin);
for my $path (@never) {
    my $r = $c->get($path, %want,
        $path =~ /basic/ ? (Authorization => 'Basic dTpw') : (),
        $path =~ /gz/ ? ('Accept-Encoding' => 'gzip') : ());
    like $r->{status}, qr/^20[04]$/, "$path: an answer";
    ok !Offload::Test::Sync::is_manifest($r), "$path: no manifest";
    is $r->{headers}{'offload-status'}, undef, "$path: and none to come";
}
is $c->get('/basic/f.bin', %want)->{status}, 401, 'no password';
is $c->get('/deny/f.bin', %want)->{status}, 403, 'denied';
is $c->get('/hidden/f.bin', %want)->{status}, 404, 'internal';
is $c->get('/none.bin', %want)->{status}, 404, 'not there';
is $c->get('/tree', %want)->{status}, 301, 'a folder';

# What comes out coded is not the file; the same uncoded is.
my $r = $c->get('/gz/f.txt', %want, 'Accept-Encoding' => 'gzip');
is "$r->{headers}{'content-encoding'} $r->{headers}{'x-offload'}",
    'gzip ineligible', 'coded';

# These are.
my @ever = qw(/open.bin /renamed/a.bin /tried/any.bin /gz/f.txt);
my %root = map { $_ => $c->root($_) } @ever;
is_deeply { map { $_ => 1 } values %root }, { $root{'/open.bin'} => 1 },
    'the same content everywhere';
$c->start;
is_deeply [ sort keys %{ $c->{told} } ], [ sort @ever ],
    'and nothing else was told';

# Once an answer was private, there are no more manifests.
$c->offer('/open.bin', [ 1, 1 ]);
ok Offload::Test::Sync::is_manifest($c->get('/open.bin', %want)), 'open';
$nginx->reload($nginx->conf =~ s/(add_header\s+X-Offload)/
    add_header Cache-Control private; $1/r);
my $pieces = "/.well-known/offload/pieces/$root{'/open.bin'}";
$c->get('/open.bin');
ok !Offload::Test::Sync::is_manifest($c->get('/open.bin', %want)), 'no more';
is $c->get($pieces)->{status}, 404, 'nor a table';
$c->send;
ok $c->told('/open.bin')->{gone}, 'the coordinator is told that it went';

$t->done;
