# A site that is public, and has joined, but names sync URLs that are not, or
# that redirect to such: these are never asked, whatever the site's own document
# says.  In a network of the test's own, where a public address is this machine.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;

plan skip_all => 'needs root for a network namespace' if $> != 0;

if (!$ENV{OFFLOAD_NAMESPACE}) {
    $ENV{OFFLOAD_NAMESPACE} = 1;
    exec 'unshare', '--net', $^X, map({ "-I$_" } 't/lib'), $0;
    die "unshare: $!";
}
my $public = '93.184.216.34';
system('ip', 'link', 'set', 'lo', 'up') == 0
    && system('ip', 'addr', 'add', "$public/32", 'dev', 'lo') == 0
    or die 'no loopback in the namespace';

my $t = Offload::Test->new;
my ($port, $site_port) = ($t->port, $t->port);
my $inside = $t->serve(sub {
    my ($s) = @_;
    print STDERR "asked\n";
    print $s "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
}, host => '0.0.0.0', port => $port);

my $key = $t->key('site');
my $iss = "http://$public:$site_port";
my $own = $t->key('coordinator');
my @sync = map { "http://$_/.well-known/offload/sync" } "127.0.0.1:$port",
    "[::ffff:127.0.0.1]:$port", "[::1]:$port", "0.0.0.0:$port",
    '10.0.0.1:8080', '169.254.169.254', "$public:25", "$public:$site_port";
my $document = $t->sign($key, 'offload-site+jwt', { iss => $iss, iat => time,
    exp => time + 3600, names => [$iss], sync => \@sync,
    coordinators => [ { id => $own->{id}, url => 'http://x' } ] });

# The last one redirects.
my $site = $t->serve(sub {
    my ($s, $r) = @_;
    my $body = $r->{target} =~ m{/key$}
        ? qq({"keys":[{"kty":"OKP","crv":"Ed25519","x":"$key->{x}"}]})
        : $document;
    print STDERR "asked: $r->{target}\n";
    print $s $r->{target} =~ m{/sync$}
        ? "HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:$port/\r\n"
            . "Content-Length: 0\r\nConnection: close\r\n\r\n"
        : "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
            . length($body) . "\r\n\r\n$body";
}, host => $public, port => $site_port);

# Not the harness's coordinator: that allows loopback.
my $listen = '127.0.0.1:' . $t->port;
my $redis = $t->redis;
my $c = $t->spawn(Offload::Test::build() . '/offload-coordinator', '--listen',
    $listen, '--redis', $redis->url, '--key', $own->{file});
$t->wait_for(sub {
    $t->http(GET => "http://$listen/healthz")->{status} == 200
}, 'the coordinator');
is $t->http(POST => "http://$listen/v1/sites",
    body => qq({"origin":"$iss"}))->{status}, 201, 'a public site joins';

$t->wait_for(sub { (() = $site->log =~ m{asked: \S+/sync}g) >= 3 },
    'its own URL to be tried again and again');
unlike $inside->log, qr/^asked/m, 'nobody asked loopback, nor by a redirect';
like $c->log, qr/sync with \S+: .*(?:not public|refused|307)/,
    'the operator is told';
is $t->http(GET => "http://$listen/healthz")->{status}, 200, 'it goes on';

$t->done;
