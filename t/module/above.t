# "offload_above": help is asked for only while the whole nginx sends more than
# that, over whatever protocol, and no longer when it does not.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write('html/f.bin', $t->bytes(300_000, 1));
$t->write('html/always/f.bin', $t->bytes(300_000, 2));
open my $f, '>', $t->write('html/load.img', '') or die;
truncate $f, 1 << 30;

$t->run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
    '-nodes', '-subj', '/CN=x', '-keyout', $t->path('tls.key'), '-out', $t->path('tls.crt'));
my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x}, PAD => 'x' x 3000);
%%MODULES%%
worker_processes 2;
events {}
http {
    types { application/octet-stream bin; }
    offload_zone  1m;
    offload_state %%DIR%%/state;
    offload_above 1m;

    server {
        listen              127.0.0.1:%%PORT%%;
        listen              127.0.0.1:%%PORT_1%% ssl;
        listen              127.0.0.1:%%PORT_2%% ssl http2;
        ssl_certificate     %%DIR%%/tls.crt;
        ssl_certificate_key %%DIR%%/tls.key;
        offload_site        http://127.0.0.1:%%PORT%%;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        add_header          X-Offload $offload_status;
        sendfile            on;
        sendfile_max_chunk  128k;

        location /load.img { offload off; limit_rate 4m; limit_rate_after 1; }
        location /always/  { offload_above 0; }
        location /none     { add_header X-Pad %%PAD%%; return 204; }
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
$c->offer('/f.bin', [ 1, 1 ]);
$c->offer('/always/f.bin', [ 1, 1 ]);

sub status { $t->json($c->get('/.well-known/offload/status')->{content}) }
sub outcome { $c->get($_[0], Accept => 'application/offload+jwt')->{headers}{'x-offload'} }

# The same, by small answers, so as not to be busy with asking.
sub is_busy { $c->get('/f.bin', 'Offload-Fetch' => 'manifest')->{headers}{'x-offload'}
    eq 'manifest' }
sub between { my $e = status()->{egress}; $e > $_[0] && $e < $_[1] && $e }

$t->wait_for(sub { between(-1, 800_000) }, 'the indexing to be over');
is outcome('/f.bin'), 'idle', 'no help is asked for';
is outcome('/always/f.bin'), 'manifest', 'overridden: always';
my $r = $c->get('/f.bin', Accept => 'application/offload+jwt');
is length $r->{content}, 300_000, 'the file instead';
is $r->{headers}{'offload-status'}, undef, 'with nothing to wait for';
$r = $c->get('/f.bin', 'Offload-Fetch' => 'manifest');
is_deeply $t->claims($r->{content})->{peers}, [],
    'nodes get their manifests in any case';

for ([ 'HTTP/1.1', "http://127.0.0.1:@{[ $nginx->port ]}" ],
    [ 'TLS', "https://127.0.0.1:@{[ $nginx->port(1) ]}", '-k' ],
    [ 'HTTP/2', "https://127.0.0.1:@{[ $nginx->port(2) ]}", '-k', '--http2' ])
{
    my ($name, $url, @args) = @$_;

    my $load = $t->spawn('curl', '-s', @args, '-o', '/dev/null', "$url/load.img");
    ok $t->wait_for(sub { is_busy() && outcome('/f.bin') eq 'manifest' }, "$name: busy", 10),
        "$name: help is asked for";
    my $steady = 0;
    $t->wait_for(sub {
        $steady = between(2_500_000, 6_000_000) ? $steady + 1 : 0;
        return $steady == 5;
    }, "$name: 4 MB/s");
    pass "$name: as many bytes are counted as were sent";
    $load->kill;
    ok $t->wait_for(sub { !is_busy() && outcome('/f.bin') eq 'idle' }, "$name: idle", 10),
        "$name: and then no longer";
}

$t->wait_for(sub { !is_busy() }, 'nothing to be sent');

# Answers without a body count too, though they pass no filter of bodies.
my $load = $t->spawn('curl', '-s', '-k', '--http2', '-o', '/dev/null',
    "https://127.0.0.1:@{[ $nginx->port(2) ]}/none?[1-90000]");
ok $t->wait_for(\&is_busy, 'busy'), 'headers alone';
$load->kill;

is status()->{requests}{idle} > 0, 1, 'counted as idle';
$nginx->reload($nginx->conf =~ s/offload_above +1m/offload_above 0/r);
is status()->{egress}, undef, 'not measured unless somebody wants to know';
ok $t->wait_for(sub { outcome('/f.bin') eq 'manifest' }, 'a manifest'), 'the default: always';

$t->done;
