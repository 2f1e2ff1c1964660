# 10,000 idle connections and 8,000 slow ones against one coordinator, from
# many addresses: honest clients are served all the time, how fast is measured;
# and none of the others stays longer than it may.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use IO::Socket::INET;
use Time::HiRes qw(time sleep);

my $t = Offload::Test->new;
my $c = $t->coordinator(redis => $t->redis);
my ($address) = $c->url =~ m{//(.*)};
my @took;

sub honest {
    my $begun = time;
    my $r = $t->http(GET => $c->url . '/v1/key', timeout => 5);
    push @took, time - $begun;
    return $r->{status} == 200;
}

sub open_many {
    my ($net, $count, $bytes) = @_;
    my @open;
    my $good = 0;
    for my $i (1 .. $count) {
        my $s = IO::Socket::INET->new(PeerAddr => $address,
            LocalAddr => "127.$net." . (1 + $i % 20) . '.1') or last;
        syswrite $s, $bytes if length $bytes;
        push @open, $s;
        $good += honest() if $i % 100 == 0;
    }
    is scalar(@open), $count, 'as many connections as wanted';
    is $good, $count / 100, 'every honest client is served meanwhile';
    return @open;
}

ok honest(), 'it serves';
@took = ();
my $begun = time;
my @idle = open_many(20, 10_000, '');
my @slow = open_many(21, 8_000, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
@took = sort { $a <=> $b } @took;
note sprintf '%d requests, median %.1f ms, worst %.1f ms', scalar @took,
    1000 * $took[ @took / 2 ], 1000 * $took[-1];
cmp_ok $took[-1], '<', 1, 'and within a second';

# The slow ones send a byte each every few seconds, in vain: 60 s of idleness
# and 30 s for a request are all that they get.
my $alive = sub {
    my $count = 0;
    for my $s (@slow) {
        my $r = '';
        vec($r, fileno $s, 1) = 1;
        $count++ unless select $r, undef, undef, 0;
    }
    return $count;
};
local $SIG{PIPE} = 'IGNORE';
my $good = 0;
my $tried = 0;
while ($alive->() && time - $begun < 150) {
    syswrite $_, 'a' for @slow;
    $tried++;
    $good += honest();
    sleep 3;
}
is $alive->(), 0, 'no slow connection is left';
cmp_ok time - $begun, '<', 120, 'after at most 90 s';
is $good, $tried, 'honest clients were served';
@idle = @slow = ();
my ($worker) = $c->workers;
$t->wait_for(sub { (() = glob "/proc/$worker/fd/*") < 100 },
    'descriptors to be free again');
pass 'all is given back';

$t->done;
