# What stands in front of a site, configured by the very blocks of
# doc/how-to.md: a cache, a balancer over two instances, a proxy that ends TLS.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $site = $t->key('site');
my $bytes = $t->bytes(300_000, 1);
$t->write('html/f.bin', $bytes);
$t->run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
    '-nodes', '-subj', '/CN=x', '-keyout', $t->path('tls.key'), '-out', $t->path('tls.crt'));

my $doc = $t->read(Cwd::abs_path('doc/how-to.md'));
sub blocks {
    my ($heading) = @_;
    my ($part) = $doc =~ /^## \Q$heading\E\n(.*?)(?=^## |\z)/ms or die "no $heading";
    return $part =~ /^```nginx\n(.*?)^```$/msg;
}

my @origin;
sub origin {
    my ($name, $open) = @_;
    push @origin, $t->nginx(<<'CONF', SITE => $site->{file}, X => $key->{x}, NAME => $name, OPEN => $open // '');
%%MODULES%%
events {}
http {
    offload_zone     1m;
    offload_state    %%DIR%%/state-%%PORT%%;
    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Forwarded-For;
    server {
        listen              127.0.0.1:%%PORT%%;
        offload_site        %%NAME%%;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        root                %%DIR%%/html;
        location /.well-known/offload/ { offload_endpoint %%OPEN%%; }
    }
}
CONF
    return '127.0.0.1:' . $origin[-1]->port;
}

sub front {
    my ($conf, %at) = @_;
    $conf =~ s/\Q$_\E/$at{$_}/g for keys %at;
    $conf =~ s/listen +80;/listen 127.0.0.1:%%PORT%%;/;
    return $t->nginx("events {}\nhttp {\n$conf\n}\n");
}

my %manifest = (Accept => 'application/offload+jwt');
sub is_manifest { Offload::Test::Sync::is_manifest($_[0]) }
sub direct { $t->json($t->http(GET => $_[0]->url . '/.well-known/offload/status')->{content})
    ->{bytes}{direct} }

# A cache.
my $front = front(blocks('proxy_cache in front'), '/var/cache/nginx/site' => $t->path('cache'),
    '127.0.0.1:8080' => origin('http://www.example.org'));
my $c = Offload::Test::Sync->new($t, $key, $front->url, 'http://www.example.org');
$c->offer('/f.bin', [ 1, 1 ]);
$c->get('/f.bin') for 1 .. 2;
my $before = direct($origin[0]);
ok $c->get('/f.bin')->{content} eq $bytes, 'cache: the file';
is direct($origin[0]), $before, 'not from the site any more';
my $r = $c->get('/f.bin', %manifest);
ok is_manifest($r), 'a manifest all the same';
is scalar @{ $t->claims($r->{content})->{peers} }, 1, 'with its node';
ok $c->get('/f.bin')->{content} eq $bytes, 'which is not kept in place of the file';
my $etag = $t->claims($r->{content})->{content}{etag};
$r = $c->get('/f.bin', 'Offload-Fetch' => 'direct', 'If-Match' => $etag, Range => 'bytes=5-9');
is "$r->{status} $r->{content}", '206 ' . substr($bytes, 5, 5), 'a piece, for a node';
$front->stop;

# A balancer.
my @at = ('127.0.0.1:' . $origin[0]->port, origin('http://www.example.org'));
$front = front((grep { /upstream/ } blocks('Behind a load balancer')), '10.0.0.2:8080' => $at[0],
    '10.0.0.3:8080' => $at[1]);
$c = Offload::Test::Sync->new($t, $key, $front->url, 'http://www.example.org');
my $root = $c->offer('/f.bin', [ 1, 1 ]);
ok is_manifest($c->get('/f.bin', %manifest)), "balancer: a manifest, $_" for 1 .. 4;
$before = direct($origin[1]);
$c->get('/f.bin') for 1 .. 4;
cmp_ok direct($origin[1]), '>', $before, 'files from both';
my $first = $c->{epoch};
$origin[0]->stop;
is $c->root('/f.bin'), $root, 'the first one is gone: the other one names the same content';
$c->{base} = 0;
$c->send;
is $c->claims->{need}, 'full', 'and wants to be told everything';
isnt $c->{epoch}, $first, 'being another one';
$c->start(nodes => [ $c->node(1) ], contents => { $root => [ [ 1, 1 ] ] });
ok is_manifest($c->get('/f.bin', %manifest)), 'then it gives manifests';
$front->stop;

# A proxy that ends TLS: the site's half of the blocks is loaded by docs.t.
my (undef, $locations) = blocks('TLS ended in front');
my $https = origin('https://www.example.org', 'open');
$front = front("server { listen 127.0.0.1:%%PORT%% ssl; ssl_certificate @{[ $t->path('tls.crt') ]};
    ssl_certificate_key @{[ $t->path('tls.key') ]}; $locations }", '10.0.0.2:8080' => $https);
my $url = $front->url =~ s/^http/https/r;
sub curl {
    my ($path, @args) = @_;
    return $t->run('curl', '-sk', '--interface', '127.0.0.77', '-H', 'Host: www.example.org',
        @args, "$url$path")->{out};
}
my $jws = $t->wait_for(sub {
    my $out = curl('/f.bin', '-H', 'Offload-Fetch: manifest');
    $out =~ /^ey/ && $out;
}, 'a manifest');
is $t->claims($jws)->{iss}, 'https://www.example.org', 'TLS: by the name of the site';
is $t->json(curl('/.well-known/offload/peers?path=/f.bin'))->{from}, '127.0.0.77',
    'the client is known by its own address';

$t->done;
