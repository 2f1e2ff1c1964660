# A Redis that takes no writes: nothing is acknowledged that was not written,
# what can be read is read, and later each byte counts once.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my $n = Stranger->new(test => $t, coordinator => $c, name => 'n');

# One account, which grows when the test says so and is told until it is
# acknowledged.
$t->write('bytes', 100);
my $site = Site->new(test => $t, coordinator => $c, name => 's', sync => sub {
    my ($sync) = @_;
    my $bytes = $t->read('bytes');
    return 200, { clock => $bytes, contents => [],
        nodes => [ $sync->{ack} < $bytes
            ? { id => $n->id, serial => 1, bytes => $bytes, failed => 0 } : () ] };
});

sub sums {
    my $r = $t->http(GET => $c->url . '/v1/nodes/' . $n->id . '/ledger');
    return $r->{status} unless $r->{status} == 200;
    return "@{$t->json($r->{content})->{ever}}{qw(confirmed claimed credited)}";
}

sub claim {
    return $n->heartbeat(epoch => 'E' x 21 . 'A',
        served => [ { iss => $site->url, bytes => $_[0] } ]);
}

# Refused, and told when to come again.
sub is_put_off {
    my ($r, $what) = @_;
    is $r->{status}, 503, $what;
    like $r->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'and says when';
}

# The last of so many more syncs.
sub sync_after { $site->sync($site->syncs + $_[0]) }

is $n->register->{status}, 200, 'a node';
$site->join;
is claim(40)->{status}, 200, 'a claim';
$t->wait_for(sub { sums() eq '100 40 40' }, 'both in the ledger');
$t->wait_for(sub { sync_after(1)->{ack} == 100 }, 'it to be acknowledged');

# Full: neither is acknowledged, what is there is shown.
$redis->cli(qw(CONFIG SET maxmemory 1));
$t->write('bytes', 300);
is_put_off(claim(50), 'a claim is not taken by a full Redis');
is sums(), '100 40 40', 'the ledger can be read';
is $t->http(GET => $c->url . '/healthz')->{status}, 200, 'so the coordinator lives';
$c->kill;
$c->start;
$t->wait_for(sub { sums() eq '100 40 40' }, 'one that starts meanwhile to read');
is_put_off(claim(50), 'which takes no claim either');
is scalar(grep { $site->sync($_)->{ack} > 100 } 1 .. $site->syncs), 0,
    'nor are receipts acknowledged';
$redis->cli(qw(CONFIG SET maxmemory 0));
is claim(50)->{status}, 200, 'it is taken when there is room';
$t->wait_for(sub { sums() eq '300 50 50' }, 'all to be told again');
pass 'each byte once';

# The ledger alone is refused: the heartbeat's other writes go through.
$redis->cli(qw(ACL SETUSER default resetkeys ~[^l]* ~lease*));
my $seq = $redis->cli('HGET', 'key:{' . $n->id . '}', 'seq');
is_put_off(claim(60), 'a claim that Redis refuses is not acknowledged');
cmp_ok $redis->cli('HGET', 'key:{' . $n->id . '}', 'seq'), '>', $seq,
    'though the heartbeat was written';
$t->write('bytes', 400);
sync_after(1);
is sync_after(1)->{ack}, 300, 'nor are receipts';
$redis->cli(qw(ACL SETUSER default allkeys));
is claim(60)->{status}, 200, 'until it takes it';
$t->wait_for(sub { sums() eq '400 60 60' }, 'all to be told again');
is $n->heartbeat(epoch => 'E' x 21 . 'A', served => [
    { iss => 'http://nobody.example', bytes => 1 } ])->{status}, 200,
    'what will never be taken is no reason to come again';
is sums(), '400 60 60', 'each byte once';

$t->done;
