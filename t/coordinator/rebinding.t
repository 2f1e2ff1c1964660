# Names of sites and nodes that lead to addresses which are not public: at
# once, together with a public one, or after they have been looked at.  In a
# network of the test's own, where a public address is this machine, too:
# nothing but that address is ever asked.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;

plan skip_all => 'needs root for a network namespace' if $> != 0;

# The test runs itself again in the namespace; only loopback is there.
if (!$ENV{OFFLOAD_NAMESPACE}) {
    $ENV{OFFLOAD_NAMESPACE} = 1;
    exec 'unshare', '--net', '--mount', $^X, map({ "-I$_" } 't/lib'), $0;
    die "unshare: $!";
}
my $public = '93.184.216.34';
system('ip', 'link', 'set', 'lo', 'up') == 0
    && system('ip', 'addr', 'add', "$public/32", 'dev', 'lo') == 0
    or die 'no loopback in the namespace';

use Stranger;

my $t = Offload::Test->new;
my $resolv = $t->write('resolv.conf', "nameserver 127.0.0.53\n");
system('mount', '--bind', $resolv, '/etc/resolv.conf') == 0 or die 'mount';

# The same port at both addresses; each request is a line in the server's log.
my $port = $t->port;
my ($inside, $outside) = map {
    $t->serve(sub {
        my ($socket, $request) = @_;
        my $host = $request->{headers}{host} // '';
        print STDERR "asked: $host $request->{target}\n";
        print $socket $host =~ /^redirects/
            ? "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:$port/\r\n"
            : "HTTP/1.1 404 Not Found\r\n",
            "Content-Length: 0\r\nConnection: close\r\n\r\n";
    }, host => $_, port => $port);
} '127.0.0.1', $public;

my $log = $t->dir . '/dns.log';
$t->spawn($^X, 't/coordinator/lib/dns.pl', '127.0.0.53:53', $log,
    "inside.test=127.0.0.1", "private.test=10.0.0.1", "both.test=127.0.0.1+$public",
    "changes.test=$public,127.0.0.1", "redirects.test=$public",
    'metadata.test=169.254.169.254');
$t->wait_for(sub { -s $log }, 'the name server');

# Not the harness's coordinators: those allow loopback.  Each has a cache of
# names of its own.
my $redis = $t->redis;
my @c = map { coordinator("c$_") } 1 .. 2;

my %want = (    # the reason
    'inside.test'    => qr/public|refused|address/,
    'private.test'   => qr/public|refused|address/,
    'metadata.test'  => qr/public|refused|address/,
    'both.test'      => qr/./,
    'changes.test'   => qr/./,
    'redirects.test' => qr/302/,
    '[::ffff:127.0.0.1]' => qr/./,
);
for my $c (@c) {
    for my $host (sort keys %want) {
        my $r = $t->http(POST => $c->url . '/v1/sites',
            body => qq({"origin":"http://$host:$port"}));
        ok $r->{status} == 403 || $r->{status} == 400,
            "a site at $host cannot join" or diag $r->{content};
        like $r->{content}, $want{$host}, 'with a reason'
            if $r->{status} == 403;
        my $s = Stranger->new(test => $t, coordinator => $c, name => 'node',
            url => "http://$host:$port");
        $r = $s->register;
        ok $r->{status} == 403 || $r->{status} == 400,
            "nor can a node at $host register" or diag $r->{content};
    }
}
is join(' ', $t->read($log) =~ /^changes\.test (.+)$/mg), "$public 127.0.0.1",
    'each coordinator looked the name up once: what is checked is used';
unlike $inside->log, qr/asked:/, 'nobody asked the loopback address';
like $outside->log, qr/asked: $_/, "the public one was asked for $_"
    for 'changes.test', 'redirects.test';

$t->done;

sub coordinator {
    my ($name) = @_;
    my $key = $t->key($name);
    my $listen = '127.0.0.1:' . $t->port;
    my $process = $t->spawn(Offload::Test::build() . '/offload-coordinator',
        '--listen', $listen, '--redis', $redis->url, '--key', $key->{file});
    my $c = bless { url => "http://$listen", id => $key->{id} }, 'Coordinator';
    $t->wait_for(sub { $process->log =~ /ready: listening/ }, $name);
    $t->wait_for(sub { $t->http(GET => $c->url . '/healthz')->{status} == 200 },
        'redis');
    return $c;
}

sub Coordinator::url { $_[0]{url} }
sub Coordinator::id  { $_[0]{id} }
