# A file that comes by another way than the static handler's own, or that is
# changed on its way out: it is given as ever, and nothing of it is offered.

use Offload::Test;
use Offload::Test::Secret;
use Offload::Test::Sync;

use Compress::Zlib ();

my $t = Offload::Test->new;
my $key = $t->key('coordinator');

# What nginx has, and which of Debian's modules lie beside it.
my $built = $t->run(Offload::Test::Nginx::binary(), '-V')->{err};
my ($folder) = $built =~ /--modules-path=(\S+)/;
$folder //= '';
my %dynamic = map { $_ => "$folder/ngx_http_${_}_module.so" }
    qw(image_filter xslt_filter brotli_filter echo);
my $distribution = Offload::Test::Nginx::binary() eq '/usr/sbin/nginx';
$_ = -e $_ && $distribution ? "load_module $_;" : '' for values %dynamic;

my %bytes;
sub file {
    my ($name, $bytes, $path) = @_;
    $bytes{$name} = $bytes // $t->bytes(300_000, $name);
    $t->write($path // "html/$name/secret-$name.bin", $bytes{$name});
}
file($_) for qw(proxied accel errored named fallback rewritten last mirrored
    included added missing mp4 flv fcgi uwsgi scgi memcached sub ssi echo
    indexed open dav alias subst);
file('koi', "\xc1\xd0 the same length\n" x 20_000);
file('recode', "\xc1\xd1 the same length\n" x 20_000);
file('gzip', 'x y ' x 100_000);
file('gz', Compress::Zlib::memGzip($t->bytes(400_000, 'gz')),
    'html/gz/secret-gz.bin.gz');
file('gunzip', Compress::Zlib::memGzip($t->bytes(400_000, 'gunzip')),
    'html/gunzip/secret-gunzip.bin.gz');
file('xslt', '<a>' . '<b>text</b>' x 30_000 . '</a>');
$t->write('x.xslt', '<xsl:stylesheet version="1.0" xmlns:xsl='
    . '"http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
    . '<xsl:copy-of select="."/></xsl:template></xsl:stylesheet>');
file('image', png(400, 300), 'html/image/secret-image.bin');
file('size', png(300, 400), 'html/size/secret-size.bin');
$t->write('html/page/page.shtml',
    '<!--#include virtual="/included/secret-included.bin" -->');
$t->write('html/plus/page.txt', 'x');

# An image of noise, which cannot be made smaller.
sub png {
    my ($width, $height) = @_;
    my $row = $width * 3;
    my $noise = $t->bytes($row * $height, $width);
    my $chunk = sub { pack('Na4', length $_[1], $_[0]) . $_[1]
        . pack 'N', Compress::Zlib::crc32($_[0] . $_[1]) };
    return "\x89PNG\r\n\x1a\n"
        . $chunk->('IHDR', pack 'NNC5', $width, $height, 8, 2, 0, 0, 0)
        . $chunk->('IDAT', Compress::Zlib::compress(join '', map {
            "\0" . substr $noise, $_ * $row, $row } 0 .. $height - 1))
        . $chunk->('IEND', '');
}

my $conf = <<'CONF';
%%DYNAMIC%%
%%MODULES%%
events {}
http {
    types { text/xml xml; }
    default_type  application/octet-stream;
    offload_zone  1m;
    offload_state %%DIR%%/state;
    charset_map   koi8-r windows-1251 { C1 E0; D0 EF; }

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
        location /proxied/   { proxy_pass http://127.0.0.1:%%PORT_1%%; }
        location /buffered/  { proxy_buffering off; proxy_pass http://127.0.0.1:%%PORT_1%%/proxied/; }
        location /x-accel/   { proxy_pass http://127.0.0.1:%%PORT_1%%; }
        location /accel/     { internal; }
        location /errored/   { error_page 405 =200 /files/errored/secret-errored.bin; return 405; }
        location /missing/   { error_page 404 =200 /files/missing/secret-missing.bin; root %%DIR%%/none; }
        location /named/     { error_page 404 = @named; root %%DIR%%/none; }
        location @named      { root %%DIR%%/html; }
        location /fallback/  { root %%DIR%%/none; try_files $uri /files$uri; }
        location /rewritten/ { rewrite ^ /html$uri break; root %%DIR%%; }
        location /last/      { rewrite ^ /files$uri last; }
        location /files/     { internal; alias %%DIR%%/html/; }
        location /mirror/    { mirror /files/mirrored/secret-mirrored.bin; return 204; }
        location /page/      { ssi on; ssi_types *; ssi_min_file_chunk 1; }
        location /included/  { }
        location /plus/      { addition_types *; add_after_body /added/secret-added.bin; }
        location /added/     { addition_types *; add_before_body /plus/page.txt; }
        location /fcgi/      { fastcgi_pass 127.0.0.1:1; error_page 502 =200 /files$uri; }
        location /uwsgi/     { uwsgi_pass 127.0.0.1:1; error_page 502 =200 /files$uri; }
        location /scgi/      { scgi_pass 127.0.0.1:1; error_page 502 =200 /files$uri; }
        location /memcached/ { set $memcached_key x; memcached_pass 127.0.0.1:1; error_page 502 =200 /files$uri; }
        location /sub/       { sub_filter_types *; sub_filter nothing else; }
        location /ssi/       { ssi on; ssi_types *; }
        location /koi/       { charset windows-1251; source_charset koi8-r; charset_types *; }
        location /recode/    { charset windows-1251; override_charset on; charset_types *; proxy_pass http://127.0.0.1:%%PORT_1%%; }
        location /gzip/      { gzip on; gzip_types *; }
        location /mp4/       { mp4; }
        location /flv/       { flv; }
        location /gz/        { gzip_static always; }
        location /gunzip/    { gzip_static always; gunzip on; }
        location /indexed/   { index secret-indexed.bin; }
        location /xslt/      { xslt_types *; xslt_stylesheet %%DIR%%/x.xslt; } # xslt_filter
        location /image/     { image_filter rotate 90; image_filter_buffer 4m; } # image_filter
        location /size/      { image_filter size; image_filter_buffer 4m; } # image_filter
        location /echo/      { echo_exec /files$uri; } # echo
        location /dav/       { dav_methods PUT DELETE; limit_except GET { deny all; } }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        root   %%DIR%%/html;
        location /recode/  { charset koi8-r; charset_types *; }
        location /x-accel/ { rewrite ^/x-accel/(.*)$ /accel/$1 break; add_header X-Accel-Redirect $uri; }
    }
}
CONF
for my $name (sort keys %dynamic) {
    next if $dynamic{$name};
    $conf =~ s/^.*# \Q$name\E\n//mg;
    note "without $name";
}
my $nginx = $t->nginx($conf, SITE => $t->key('site')->{file}, X => $key->{x},
    DYNAMIC => join "\n", values %dynamic);

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my @all = (
    map({ [ $_ ] } qw(proxied errored missing named fallback rewritten last
        fcgi uwsgi scgi memcached sub ssi koi recode mp4 flv gz gunzip),
        grep { $conf =~ m{location /$_/ } } qw(xslt image size echo)),
    [ 'proxied', '/buffered/secret-proxied.bin' ],
    [ 'accel', '/x-accel/secret-accel.bin' ],
    [ 'mirrored', '/mirror/secret-mirrored.bin', 204 ],
    [ 'included', '/page/page.shtml' ], [ 'added', '/plus/page.txt' ],
    [ 'added' ], [ 'indexed', '/indexed/' ],
    [ 'gzip', undef, 200, 'Accept-Encoding' => 'gzip' ],
);
my @secrets;
for (@all) {
    my ($name, $path, $status, %pass) = @$_;
    $path //= "/$name/secret-$name.bin";
    my $s = Offload::Test::Secret->new($t, $c, $path, $bytes{$name},
        pass => \%pass, name => "secret-$name.bin");
    is $s->asked->{status}, $status // 200, "$path is given";
    push @secrets, [ $path, $s ];
}

my @ever = map { "/$_/secret-$_.bin" } qw(dav open);
$c->root($_) for @ever;
$c->start;
is_deeply [ sort keys %{ $c->{told} } ], \@ever, 'nothing else is told';
for (@secrets) {
    my ($path, $s) = @$_;
    # As it is, this one is for anyone.
    next if $path =~ /gzip/;
    $s->kept($path);
}

$t->done;
