# At most 64 call-backs are under way at once, 8 of them for one source: further
# registrations are told to come again, at different times; one source that
# keeps all of its share waiting keeps nobody else out.

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

sub ask {
    my ($from, $request) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $to,
        LocalAddr => $from) or die "connect: $!";
    print $s $request;
    $s->flush;
    return $s;
}

my %called;

sub calls_wait {
    my ($count) = @_;
    $t->wait_for(sub {
        my $s = $silent->accept or return;
        $called{$s} = $s;
        return keys %called == $count;
    }, "$count call-backs");
}

my @sockets = map { ask('127.0.8.1', $_) } @requests[ 0 .. 7 ];
calls_wait(8);
my $same = ask('127.0.8.1', $requests[8]);
my $answer = join '', readline $same;
like $answer, qr{^HTTP/1\.1 429 }, 'one source has 8 places';
like $answer, qr/too many registrations from there/, 'and is told so';
my $other = Stranger->new(test => $t, coordinator => $c, name => 'other');
is $other->register->{status}, 200, 'another one gets through meanwhile';
push @sockets, map { ask('127.0.8.' . (2 + int $_ / 8), $requests[$_]) } 8 .. 63;
calls_wait(64);
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
