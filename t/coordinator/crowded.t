# More requests than can wait: the ones too many are put off with 503 and a
# Retry-After, what needs not wait is answered; and when many descriptors are
# refused to the process, it has fewer places, and works.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my ($address) = $c->url =~ m{//(.*)};
$c->stop;
unshift @{ $c->{cmd} }, 'prlimit', '--nofile=800:800';
$c->start;
$t->wait_for(sub { $t->http(GET => $c->url . '/healthz')->{status} == 200 },
    'Redis');

# 400 places, a crowd from 300 on.  Redis stands still, so requests wait.
$redis->signal('STOP');
my $begun = time;
my (@open, %got, $retry, $health);
for my $i (1 .. 340) {
    my $s = IO::Socket::INET->new(PeerAddr => $address,
        LocalAddr => '127.0.8.' . (1 + $i % 4)) or last;
    print $s "GET /v1/sites/" . 'a' x 64 . " HTTP/1.1\r\nHost: x\r\n"
        . "Connection: close\r\n\r\n";
    $s->flush;
    push @open, $s;
    $health = $t->http(GET => $c->url . '/healthz') if $i == 330;
}
is scalar(@open), 340, 'all are let in';
isnt $health->{status}, 0, 'healthz is answered in a crowd';
my $early = 0;
my $select = IO::Select->new(@open);
while ($select->count && time - $begun < 10) {
    for my $s ($select->can_read(1)) {
        $select->remove($s);
        my $head = join '', <$s>;
        my ($status) = $head =~ m{^HTTP/1\.1 (\d+)};
        $got{ $status // 'closed' }++;
        $early++ if $head =~ /too many requests at once/;
        $retry++ if $head =~ /^Retry-After: [1-9]\r$/m;
    }
}
cmp_ok time - $begun, '<', 3, 'nobody has waited for more than 2 s';
$redis->signal('CONT');
is join(' ', keys %got), '503', 'Redis gives no answer: each is put off';
is $retry, 340, 'with a Retry-After';
cmp_ok $early, '>=', 20, 'those too many at once';
cmp_ok $early, '<', 60, 'the others after they have waited';
$t->wait_for(sub { $t->http(GET => $c->url . '/healthz')->{status} == 200 },
    'Redis');
is $t->http(GET => $c->url . '/v1/sites/' . 'a' x 64)->{status}, 404,
    'afterwards all is as before';

$t->done;
