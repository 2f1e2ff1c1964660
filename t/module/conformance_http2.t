# Over HTTP/2, in the clear and by TLS: the same answers as without the module,
# many streams of one connection included.

use Offload::Test;
use Offload::Test::Sync;
use Offload::Test::Twin;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(270_000, 1);
$t->write("html/$_", $bytes) for qw(f.bin err/f.bin);
$t->run(qw(openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1
    -keyout), $t->path('tls.key'), '-out', $t->path('tls.crt'));

my $twin = Offload::Test::Twin->new($t, <<'CONF',
%%MODULES%%
events {}
http {
    default_type  application/octet-stream;
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        listen              127.0.0.1:%%PORT_1%% http2;
        listen              127.0.0.1:%%PORT_2%% ssl http2;
        ssl_certificate     %%DIR%%/tls.crt;
        ssl_certificate_key %%DIR%%/tls.key;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
        location /err/      { error_page 404 /err/f.bin; }
        location /redirect/ {
            offload_redirect on;
            offload_trust    %%NODE%%;
            alias            %%DIR%%/html/;
        }
    }
}
CONF
    SITE => $t->key('site')->{file}, X => $key->{x},
    NODE => Offload::Test::Sync->node(1)->{id});
my $c = Offload::Test::Sync->new($t, $key, $twin->with->url);

my $etag = $c->get('/f.bin')->{headers}{etag};
my @requests = (
    [ 'GET', '/f.bin' ],
    [ 'HEAD', '-I', '/f.bin' ],
    [ 'a range', '-r', '5-9', '/f.bin' ],
    [ 'several', '-r', '5-9,-3', '/f.bin' ],
    [ 'beyond', '-r', '999999-', '/f.bin' ],
    [ 'If-None-Match', '-H', "If-None-Match: $etag", '/f.bin' ],
    [ 'If-Match', '-H', 'If-Match: "x"', '/f.bin' ],
    [ 'If-Range', '-r', '5-9', '-H', "If-Range: $etag", '/f.bin' ],
    [ 'POST', '-d', 'x' x 50_000, '/f.bin' ],
    [ 'PUT', '-X', 'PUT', '-d', 'x', '/f.bin' ],
    [ 'a GET with a body', '-X', 'GET', '-d', 'x', '/f.bin' ],
    [ 'OPTIONS', '-X', 'OPTIONS', '/f.bin' ],
    [ 'nothing', '/none' ],
    [ 'an error page', '/err/none' ],
    [ 'directly', '-H', 'Offload-Fetch: direct', '/redirect/f.bin' ],
    [ 'a precondition', '-H', 'If-Match: "x"', '/redirect/f.bin' ],
    [ 'a manifest, unchanged', '-H', "If-None-Match: $etag", '-H',
        'Accept: application/offload+jwt', '/f.bin' ],
);

sub curl {
    my ($nginx, $port, @args) = @_;

    my $path = pop @args;
    my $scheme = $port == 2 ? 'https' : 'http';
    my $r = $t->run(qw(curl -sk -i), $port ? '--http2-prior-knowledge' : (),
        '-H', 'Host: 127.0.0.1:' . $nginx->port, @args,
        "$scheme://127.0.0.1:" . $nginx->port($port) . $path);
    return Offload::Test::Twin::normal("$r->{status} $r->{out}",
        $nginx->port, 'alt-svc');
}

sub compare {
    my ($state) = @_;

    for my $port (1, 2) {
        for (@requests) {
            my ($name, @args) = @$_;
            # Where nginx leaves a body unread, this curl gives up without TLS.
            next if $port == 1 && grep { $_ eq '-d' } @args;
            my ($with, $without) = map { curl($_, $port, @args) }
                $twin->with, $twin->without;
            ok $with eq $without, "$state, port $port: $name"
                or diag substr($with, 0, 600), "\nwithout:\n",
                substr $without, 0, 600;
        }
    }
}

compare('unknown');
my %root = map { $_ => $c->root($_) } qw(/f.bin /redirect/f.bin);
$c->start(nodes => [ $c->node(1) ],
    contents => { map { $_ => [ [ 1, 1 ] ] } values %root });
is $c->get('/redirect/f.bin')->{status}, 302, 'offered';
compare('offered');

# A hundred streams of one connection, files and manifests.
my $url = 'https://127.0.0.1:' . $twin->with->port(2);
my $r = $t->run(qw(curl -sk --parallel --parallel-max 100 --http2 -H),
    'Host: 127.0.0.1:' . $twin->with->port, '-w',
    "%{http_code} %{http_version} %{size_download}\n", map {
        ('-o', '/dev/null', "$url/" . ($_ % 2 ? 'f.bin' : 'none') . "?$_")
    } 1 .. 100);
my %seen;
$seen{$_}++ for split /\n/, $r->{out};
is $seen{'200 2 270000'}, 50, 'fifty files on a connection';
is scalar(grep { /^404 2/ } split /\n/, $r->{out}), 50, 'and fifty errors';

$t->done;
