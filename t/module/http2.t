# The same over HTTP/2, many at once on one connection.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(300_000, 1);
$t->write('html/f.bin', $bytes);

$t->run(qw(openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1
    -keyout), $t->path('tls.key'), '-out', $t->path('tls.crt'));

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        listen              127.0.0.1:%%PORT_1%% ssl http2;
        ssl_certificate     %%DIR%%/tls.crt;
        ssl_certificate_key %%DIR%%/tls.key;
        server_name         127.0.0.1;
        offload_site        http://127.0.0.1:%%PORT%%;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
$c->{scheme} = 'https';
$c->offer('/f.bin', [ 1, 1 ]);
my @curl = qw(curl -s -i -k --http2);
my $url = 'https://127.0.0.1:' . $nginx->port(1);

my $r = $t->run(@curl, '-H', 'Accept: application/offload+jwt', "$url/f.bin");
like $r->{out}, qr/^HTTP\/2 200/, 'HTTP/2';
like $r->{out}, qr/^content-type: application\/offload\+jwt\r$/m, 'a manifest';
like $r->{out}, qr/^cache-control: private, no-store\r$/m, 'Cache-Control';
like $r->{out}, qr/^vary: Accept, Offload-Fetch\r$/m, 'Vary';
my ($body) = $r->{out} =~ /\r\n\r\n(.*)/s;
is $t->claims($body)->{sub}, '/f.bin', 'whole';

$r = $t->run(@curl, '-H', 'Offload-Fetch: direct', "$url/f.bin");
ok $r->{out} =~ /\r\n\r\n(.*)/s && $1 eq $bytes, 'the file';

# TLS has it read into memory, which is not to say that it was changed.
$r = $t->run(@curl, '-H', 'Accept: application/offload+jwt', "$url/f.bin");
like $r->{out}, qr/^content-type: application\/offload\+jwt\r$/m, 'and again';

$r = $t->run(qw(curl -s -Z -k --http2 -H),
    'Accept: application/offload+jwt', '-w', "%{content_type}\n",
    map { ('-o', '/dev/null', "$url/f.bin?$_") } 1 .. 50);
is scalar(() = $r->{out} =~ /offload\+jwt/g), 50, 'fifty at once';

$r = $t->run(qw(curl -s -Z -k --http2 -w), "%{content_type}\n",
    map { ('-o', '/dev/null', "$url/f.bin.meta4?$_") } 1 .. 50);
is scalar(() = $r->{out} =~ /metalink4\+xml/g), 50, 'as Metalink';

# A sync.
my $body2 = $t->sign($key, 'offload-sync+jwt', { iss => $key->{id},
    aud => $nginx->url, iat => time, exp => time + 60, seq => ++$c->{seq},
    base => $c->{base}, epoch => $c->{epoch}, ack => 1_000, wait => 400 });
$r = $t->run(@curl, '--data-binary', $body2, "$url/.well-known/offload/sync");
like $r->{out}, qr/^HTTP\/2 200/, 'a sync';

$t->done;
