# One address that sends half of many bodies and waits does not keep others
# from sending theirs.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use IO::Socket::INET;

my $t = Offload::Test->new;
my $c = $t->coordinator(redis => $t->redis);
my ($host, $port) = $c->url =~ m{//(.*):(\d+)$};

# The answer to a body that is no JWS at all, from this address.
sub status {
    my ($from) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port,
        LocalAddr => $from, Timeout => 5) or return 'no connection';
    my $body = 'x' x 10_000;
    print $s "POST /v1/nodes/heartbeat HTTP/1.1\r\nHost: x\r\n"
        . "Connection: close\r\nContent-Length: 10000\r\n\r\n$body";
    my ($head) = <$s> // '';
    return $head =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'closed';
}

is status('127.0.3.1'), 400, 'a body is read';
my @waiting;
local $SIG{PIPE} = 'IGNORE';
sub send_most {
    my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port,
        LocalAddr => '127.0.3.9') or return;
    print $s "POST /v1/nodes HTTP/1.1\r\nHost: x\r\n"
        . "Content-Length: 262144\r\n\r\n", 'a' x 262_000;
    push @waiting, $s;
}
send_most() for 1 .. 300;
is scalar @waiting, 300, 'an address sends 300 bodies of 256 KiB, but an end';
# Of those that grow side by side some are ended, and leave room again.
$t->wait_for(sub { send_most(); status('127.0.3.9') eq 'closed' },
    'it to have no more room');
is status("127.0.3.$_"), 400, "another address has ($_)" for 1 .. 3;
@waiting = ();
$t->wait_for(sub { status('127.0.3.9') eq 400 }, 'it to have room again');
pass 'when it has gone, it has room again';

$t->done;
