# file.meta4 and the like are judged by both: the rules of the location that
# the name with the suffix has, and those of the file's own.  Files that not
# everyone may have are never offered; t/module/private_*.t ask for theirs.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(300_000, 1);
my @open = qw(/f.bin /tf/f.bin /lim/f.bin /later/f.bin /inner/f.bin /rec/f.bin
    /named/f.bin /req/f.bin);
$t->write("html$_", $bytes) for @open, '/basic/f.bin', '/deny/f.bin',
    '/int/f.bin';
$t->write('html/denied.html', 'the page for the denied');
$t->write('html/page.shtml', '[<!--#include virtual="/f.bin.sha256" -->]');
$t->write('passwd', "u:{PLAIN}p\n");

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    map $uri $error     { default /denied.html; }
    map $http_x_bad $no { default ""; x /none; }
    limit_req_zone $http_x_bad zone=z:64k rate=1r/m;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        auth_basic_user_file %%DIR%%/passwd;

        location ^~ /.well-known/offload/ { offload_endpoint; }

        # Guarded files under suffixes that are open to all.
        location /basic/ { auth_basic x; }
        location /deny/  { deny all; }
        location /int/   { internal; }
        location ~ \.meta4$   { }

        # Open files under suffixes that are not.
        location ~ \.torrent$ { auth_basic x; }
        location ~ \.sha256$  { deny all; }

        # The file's own location refuses some, in its own words.
        location ^~ /tf/ {
            try_files $uri$http_x_bad =403;
            error_page 403 /denied.html;
        }
        location ^~ /lim/ { try_files $no$uri @refused; }
        location @refused { try_files /denied.html =404; }
        location ^~ /rec/ {
            try_files $uri$http_x_bad =403;
            error_page 403 = /denied.html?x;
            recursive_error_pages on;
        }
        location ^~ /named/ {
            try_files $uri$http_x_bad =403;
            error_page 403 = @refused;
            recursive_error_pages on;
        }
        location ^~ /req/ {
            error_page 503 = $error;
            recursive_error_pages on;
            location ~ \.bin$ { limit_req zone=z; }
        }
        location ^~ /inner/ {
            location ~ \.bin$ { limit_rate 1m; }
            location ~ \.offload$ { return 410; }
        }
        location ^~ /later/ { }

        location /accel  { proxy_pass http://127.0.0.1:%%PORT_1%%; }
        location = /page.shtml { ssi on; ssi_types *; }
        location = /err  { error_page 404 = /f.bin.meta4; return 404; }
        location = /rw   { rewrite ^ /f.bin.meta4 last; }
    }
    server {
        listen 127.0.0.1:%%PORT_1%%;
        add_header X-Accel-Redirect /f.bin.meta4;
        return 200;
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my %user = (Authorization => 'Basic dTpw');
my $root = $c->offer('/f.bin', [ 1, 1 ]);
$c->root($_) for @open;
$c->get("/basic/f.bin", %user, 'Offload-Fetch' => 'manifest');

sub is_given {
    my ($path, $expected, @headers) = @_;
    my $r = $c->get($path, @headers);
    my $what = $r->{content} =~ /<metalink / ? 'meta4'
        : $r->{content} =~ /^d8:announce/ ? 'torrent'
        : $r->{content} =~ /^[0-9a-f]{64}  \S/ ? 'sha256'
        : $r->{content} eq $bytes ? 'file' : 'other';
    is "$r->{status} $what", $expected, "$path: $expected"
        . (@headers ? " (@headers)" : '');
    return $r;
}

is_given("$_.meta4", '200 meta4') for @open;

# Guarded files are not there by another name, whoever asks.
is_given('/basic/f.bin', '200 file', %user);
for (qw(/basic/f.bin.meta4 /deny/f.bin.meta4 /int/f.bin.meta4)) {
    is_given($_, '404 other');
    is_given($_, '404 other', %user);
}
is_given('/basic/f.bin.offload', '401 other');

# Suffixes with rules of their own.
is_given('/f.bin.torrent', '401 other');
is_given('/f.bin.torrent', '404 other', %user);
is_given('/f.bin.sha256', '403 other');
is_given('/inner/f.bin.offload', '410 other');

# What the file's location refuses is refused in its own way.
is_given('/tf/f.bin', '403 other', 'X-Bad' => 'x');
my $r = is_given('/tf/f.bin.meta4', '403 other', 'X-Bad' => 'x');
is $r->{content}, 'the page for the denied', 'with its error page';
is_given('/tf/f.bin.sha256', '200 sha256');
for (qw(rec named)) {
    $r = is_given("/$_/f.bin.meta4", '200 other', 'X-Bad' => 'x');
    is $r->{content}, 'the page for the denied', 'a page with its own status';
    is_given("/$_/f.bin.torrent", '200 torrent');
}
is_given('/req/f.bin.meta4', '200 meta4', 'X-Bad' => 'y');
$r = is_given('/req/f.bin.meta4', '200 other', 'X-Bad' => 'y');
is $r->{content}, 'the page for the denied', 'a page before the file is reached';
is_given('/lim/f.bin', '200 other', 'X-Bad' => 'x');
is_given('/lim/f.bin.meta4', '404 other', 'X-Bad' => 'x');
is_given('/lim/f.bin.torrent', '200 torrent');

# Only by its own URL: no redirect, no subrequest, no rewrite.
is_given($_, '404 other') for qw(/accel /err /rw);
like $c->get('/page.shtml')->{content}, qr/^\[(?!\w{64})/, 'no subrequest';

# A rule that comes later holds at once.
is_given('/later/f.bin.offload', '200 other');
$nginx->reload($nginx->conf =~ s/(later\/ \{)/$1 auth_basic x;/r);
is_given('/later/f.bin.offload', '401 other');
is_given('/later/f.bin.meta4', '401 other');
is_given('/later/f.bin.meta4', '404 other', %user);
$c->get('/f.bin');
is_given("/.well-known/offload/f/$root/f.bin.meta4", '200 meta4');
like $c->get("/.well-known/offload/f/$root/f.bin.meta4")->{content},
    qr{>\Q$c->{url}\E/f\.bin<}, 'only the place that is open is named';

$t->done;
