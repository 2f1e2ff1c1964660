# At most 64 call-backs are under way at once: further registrations are told
# to come again, at different times, and honest nodes get through afterwards.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use IO::Socket::INET;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);

# It takes connections on all of 127.0.0.0/8 and says nothing.
my $port = $t->port;
my $silent = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => $port,
    Listen => 128, ReuseAddr => 1, Timeout => 0.2) or die "listen: $!";
my $n = Stranger->new(test => $t, coordinator => $c, name => 'n', url => 'x');

sub registration {
    my ($i) = @_;
    my $body = $t->sign($n->{key}, 'offload-register+jwt', { $n->claims,
        key => $n->{key}{x}, url => "http://127.0.9.$i:$port", zone => '',
        cidrs => [], capacity => 1e10, rate => 0 });
    return "POST /v1/nodes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}

my ($host, $to) = $c->url =~ m{//(.*):(\d+)};
my @requests = map { registration($_) } 1 .. 67;
my @sockets = map {
    my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $to)
        or die "connect: $!";
    print $s $_;
    $s->flush;
    $s;
} @requests[ 0 .. 63 ];
my %called;
$t->wait_for(sub {
    my $s = $silent->accept or return;
    $called{$s} = $s;
    return keys %called == 64;
}, '64 call-backs');
pass '64 call-backs are under way';

for my $request (@requests[ 64 .. 66 ]) {
    my $answer = $t->raw($host, $to, $request);
    like $answer, qr{^HTTP/1\.1 503 }, 'one more is put off';
    my ($after) = $answer =~ /^Retry-After: (\d+)/mi;
    ok $after, 'until later';
    like $answer, qr/too many registrations at once/, 'it says why';
}
is $redis->cli('EXISTS', 'key:{' . $n->id . '}'), 0, 'nothing is kept';

# The silent ones are given up.
undef %called;
close $silent;
like join('', readline $_), qr{^HTTP/1\.1 403 }, 'refused'
    for @sockets[ 0, 63 ];
my $honest = Stranger->new(test => $t, coordinator => $c, name => 'honest');
is $honest->register->{status}, 200, 'an honest node gets through';

$t->done;
