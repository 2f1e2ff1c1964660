# Two coordinators say different things of one node: what tells its clients
# apart is the same for http and https, so that neither makes what is signed
# for the other worthless.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my ($key, $other) = map { $t->key($_) } qw(coordinator other);
$t->write('html/f.bin', $t->bytes(300_000, 1));
my $r = $t->run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
    '-nodes', '-subj', '/CN=x', '-keyout', $t->path('tls.key'), '-out', $t->path('tls.crt'));
die $r->{err} if $r->{status};

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x}, Y => $other->{x});
%%MODULES%%
events {}
http {
    offload_zone        1m;
    offload_state       %%DIR%%/state;
    ssl_certificate     %%DIR%%/tls.crt;
    ssl_certificate_key %%DIR%%/tls.key;

    server {
        listen              127.0.0.1:%%PORT%%;
        listen              127.0.0.1:%%PORT_1%% ssl;
        root                %%DIR%%/html;
        offload             on;
        offload_ttl         10m;
        offload_key         %%SITE%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        offload_coordinator http://127.0.0.1:9998 %%Y%%;
        offload_locality    $arg_zone;
        set_real_ip_from    127.0.0.1;
        real_ip_header      X-From;
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $d = Offload::Test::Sync->new($t, $other, $nginx->url);
my $root = $c->root('/f.bin');
$_->start for $c, $d;
my %contents = (contents => { $root => [ [ 1, 1 ], [ 1, 2 ] ] });
$c->send(nodes => [ $c->node(1, cidrs => ['192.0.2.0/24'], zone => 'A'), $c->node(2) ], %contents);
$d->send(nodes => [ $d->node(1, url => 'https://n1.example', zone => 'B',
    cidrs => [ '198.51.100.0/24', '192.0.2.0/24' ]), $d->node(2) ], %contents);

# The one that has only http for it is heard from last.
my $then = time;
$t->wait_for(sub { time > $then }, 'the next second');
$c->send;

# The first node of a manifest.
sub first {
    my ($port, $query, $from) = @_;

    my $url = $port ? 'https://127.0.0.1:' . $nginx->port(1) : $nginx->url;
    my $jws = $t->run('curl', '-sk', '-H', 'Offload-Fetch: manifest', '-H', "X-From: $from",
        "$url/f.bin$query")->{out};
    return $t->claims($jws)->{peers}[0]{url} // '';
}
sub signed { $t->json($c->get('/.well-known/offload/status')->{content})->{signatures} }
sub near { my ($n1) = grep { ($_->{id} // '') eq $c->node(1)->{id} } @{ $t->json($c->get(
    "/.well-known/offload/peers?path=/f.bin&$_[0]")->{content})->{candidates} }; $n1 }

# One for each of eight variants at most, that come as demand grows.
for ([ '', '203.0.113.1' ], [ '', '192.0.2.1' ], [ '', '198.51.100.1' ],
    [ '?zone=A', '203.0.113.1' ], [ '?zone=b', '203.0.113.1' ])
{
    my $before = signed();
    my %first;
    for my $i (1 .. 15) { $first{ first(1, @$_) } = first(0, @$_) }
    is_deeply [ keys %first ], ['https://n1.example'], "@$_: https gets https";
    cmp_ok signed() - $before, '<=', 16, 'each manifest is signed once';
}

ok near("from=$_")->{near}, "near: $_, as one of them says" for qw(192.0.2.9 198.51.100.9);
ok !near('from=203.0.113.9')->{near}, 'and nobody else';

$t->done;
