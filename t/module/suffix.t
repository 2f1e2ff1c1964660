# file.meta4 and the like, beside the file: wherever its location maps it to,
# before try_files, behind a site's own file of that name, and without a system
# call for names that are just not there.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(300_000, 1);
$t->write("html/$_", $bytes) for qw(f.bin own.bin spa/f.bin alias/a.bin off/f.bin
    tried/f.bin regex/f.bin vanished/f.bin proxied/f.bin rewritten/f.bin
    handled/f.bin ifs/f.bin cased/f.bin folder.bin
    bypass/f.bin), 'odd ü%.bin';
$t->write('html/own.bin.sha256', 'own');
$t->write('html/folder.bin.meta4/index.html', 'index');
$t->write('html/index.html', 'the page');
$t->write('html/404.html', 'our 404');

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    default_type  application/octet-stream;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        error_page          404 /404.html;

        location /.well-known/offload/ { offload_endpoint; }
        location ^~ /spa/   { try_files $uri $uri/ /index.html; }
        location /renamed/  { alias %%DIR%%/html/alias/; }
        location /tried/    { try_files /f.bin =404; }
        location ^~ /vanished/ { try_files $uri /index.html; }
        location ~ ^/regex/(?<name>.*)$ { alias %%DIR%%/html/regex/$name; }
        location ~ \.(meta4|torrent)$   { add_header X-Location formats; }
        location /handled/  {
            location ~ \.meta4$ { return 200 'handled by the site'; }
        }
        location /proxied/  {
            if ($request_uri ~ [?]proxy) { proxy_pass http://127.0.0.1:%%PORT_1%%; }
        }
        location /ifs/      {
            if ($request_uri ~ [?]move) { rewrite ^ /index.html last; }
            add_header X-Location ifs;
        }
        location /off/      { offload off; }
        location /bypass/   { offload_bypass $http_x_bypass; }
        location ~ ^/off/.*4$ { }
    }
    server { listen 127.0.0.1:%%PORT_1%%; return 200 'the other server'; }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->offer('/f.bin', [ 1, 1 ]);
$c->send(nodes => [ $c->node(1, url => 'http://n1.example') ]);
$c->root($_) for qw(/own.bin /spa/f.bin /renamed/a.bin /tried/any.bin /folder.bin
    /regex/f.bin /vanished/f.bin /proxied/f.bin /ifs/f.bin /handled/f.bin
    /odd%20%C3%BC%25.bin /cased/f.bin /bypass/f.bin);

sub what {
    my ($r) = @_;
    return $r->{status} . ' ' . (
        $r->{content} =~ /<metalink / ? 'meta4'
        : $r->{content} =~ /^d8:announce/ ? 'torrent'
        : $r->{content} =~ /^[0-9a-f]{64}  \S/ ? 'sha256'
        : Offload::Test::Sync::is_manifest($r) ? 'offload'
        : $r->{content} eq $bytes ? 'file' : $r->{content} =~ s/\n//gr);
}
sub is_given {
    my ($path, $expected, @headers) = @_;
    is what($c->get($path, @headers)), $expected, "$path: $expected"
        . (@headers ? " (@headers)" : '');
}

is_given("/f.bin.$_", "200 $_") for qw(offload meta4 torrent sha256);
is_given('/f.bin', '200 file');
is_given($_, '200 meta4') for qw(/spa/f.bin.meta4 /renamed/a.bin.meta4
    /tried/any.bin.meta4 /regex/f.bin.meta4 /odd%20%C3%BC%25.bin.meta4
    /f.bin%2Emet%614 /spa/../f.bin.meta4 //f.bin.meta4 /f.bin.meta4?a=b&c
    /proxied/f.bin.meta4 /vanished/f.bin.meta4 /ifs/f.bin.meta4);
my $r = $c->get('/odd%20%C3%BC%25.bin.meta4');
like $r->{content}, qr{<file name="odd ü%\.bin">.*>\Q$c->{url}\E/odd%20%C3%BC%25\.bin</url>}s,
    'the file, by its own URL';
is $r->{headers}{'cache-control'}, 'private, no-store', 'not to be kept';
is $c->get('/ifs/f.bin.meta4')->{headers}{'x-location'}, 'ifs',
    "the file's location answers";

# No node is named to whom the site would give the file itself.
sub nodes {
    my $r = $c->get('/bypass/f.bin.meta4', @_);
    return scalar(() = $r->{content} =~ m{/c/$root/}g);
}
is nodes(), 1, 'a node is named';
is nodes('X-Bypass' => 1), 0, 'none where offload_bypass says so';

# HEAD, and requests that don't ask for a format.
my $head = $t->http(HEAD => $nginx->url . '/f.bin.meta4');
is $head->{headers}{'content-length'},
    length $c->get('/f.bin.meta4')->{content}, 'HEAD';
is $t->http(POST => $nginx->url . '/f.bin.meta4')->{status}, 404, 'POST';
is_given('/f.bin.meta4', '404 our 404', 'Offload-Fetch' => 'direct');
is_given('/f.bin.meta4', '404 our 404', Authorization => 'Basic eDp5');
is_given('/f.bin.meta4', '200 meta4', Accept => 'application/offload+jwt');

# The site's own come first.
is_given('/own.bin.sha256', '200 own');
is_given('/own.bin.meta4', '200 meta4');
is $c->get('/folder.bin.meta4')->{status}, 301, 'a folder of that name';
is_given('/handled/f.bin.meta4', '200 handled by the site');
is_given('/handled/f.bin.torrent', '200 torrent');

# Names that are nothing, where nothing is offered.
is_given($_, '404 our 404') for qw(/none.bin.meta4 /f.bin.meta4.meta4 /.meta4
    /f.bin.meta4/ /f.bin.META4 /off/f.bin.meta4 /f.binmeta4 /cased/F.bin.meta4);
is_given($_, '200 the page') for qw(/spa/none.bin.meta4 /spa/.torrent);

# Where the file would come from elsewhere, it is not given instead.
is_given('/proxied/f.bin?proxy', '200 the other server');
is_given('/proxied/f.bin.meta4?proxy', '404 our 404');
is_given('/ifs/f.bin?move', '200 the page');
is_given('/ifs/f.bin.meta4?move', '404 our 404');
unlink $t->path('html/vanished/f.bin');
is_given('/vanished/f.bin.meta4', '404 our 404');
is_given('/vanished/f.bin', '200 the page');

# Over HTTP/1.1 twice on a connection, with a body.
my $two = $t->raw('127.0.0.1', $nginx->port, join '', map {
    "GET /f.bin.$_ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    . ($_ eq 'sha256' ? "Connection: close\r\n" : '') . "\r\nabc" }
    qw(torrent sha256));
is scalar(() = $two =~ /HTTP\/1.1 200 /g), 2, 'two on a connection';

# A miss costs no look at the disk beyond nginx's own; a hit one.
sub opens {
    my ($path) = @_;

    my ($worker) = $nginx->workers;
    my $out = $t->path('strace');
    unlink $out;
    my $strace = $t->spawn('strace', '-f', '-qq', '-o', $out, '-p', $worker);
    $t->wait_for(sub {
        $t->read("/proc/$worker/status") =~ /TracerPid:\s+[1-9]/;
    }, 'strace is attached');
    $c->get($path);
    $strace->signal('INT');
    $strace->wait;
    return scalar grep { /^\d+ +(?:open|stat|newfstatat|access|readlink)/ }
        split /\n/, $t->read($out);
}
is opens('/none.bin.meta4'), opens('/none.bin.other'), 'a miss costs nothing';
is opens('/spa/none.bin.meta4'), opens('/spa/none.bin.other'),
    'nor where try_files looks';

$t->done;
