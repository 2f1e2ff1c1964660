# Downloads that failed, as a site's receipts tell: three within a day halve the
# node's weight, once; each further day or site may do so again.  One node that
# accuses others is not enough.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my $n = Stranger->new(test => $t, coordinator => $c, name => 'n');
my $clock = 0;

sub say_failed {
    my ($failed) = @_;
    $t->write('say', JSON::PP->new->encode([ { id => $n->id, serial => 1,
        bytes => 0, failed => $failed, clock => ++$clock } ]));
}

say_failed(0);
my @sites = map {
    Site->new(test => $t, coordinator => $c, name => "s$_",
        host => "127.0.0.5$_", sync => sub {
            my ($sync) = @_;
            my $nodes = $t->json($t->read('say'));
            my $now = $nodes->[0]{clock};
            return 200, { clock => $now, contents => [],
                nodes => [ grep { $now > ($sync->{ack} // 0) } @$nodes ] };
        })
} 1, 2;

sub low   { $redis->cli('HGET', 'rep:{' . $n->id . '}', 'low') }
sub told  { $redis->cli('HVALS', 'told:{' . $n->id . '}') }
sub trust {
    return $t->json($t->http(GET => $c->url . '/v1/nodes/' . $n->id)
        ->{content})->{trust};
}

is $n->register->{status}, 200, 'a node registers';
is $n->heartbeat->{status}, 200, 'and is heard';
is trust(), 0.25, 'as all new ones';
$sites[0]->join;

say_failed(2);
ok $t->wait_for(sub { told() eq '2' }, 'two failures to be told'),
    'two downloads failed';
is low(), '', 'that is nothing yet';
say_failed(3);
$t->wait_for(sub { low() eq '1' }, 'it to be lowered');
ok $t->wait_for(sub { trust() == 0.125 }, 'less trust'),
    'three halve its weight';
is $redis->cli('HGET', 'rep:{' . $n->id . '}', 'due'), 1,
    'it is to be audited';
say_failed(9);
ok $t->wait_for(sub { told() eq '9' }, 'more failures'), 'more of that site';
is low(), 1, 'change nothing that day';
cmp_ok $redis->cli('TTL', 'told:{' . $n->id . '}'), '>', 86_000,
    'a day is counted from the first one';

$sites[1]->join;
ok $t->wait_for(sub { low() eq '2' }, 'another site'),
    'another site lowers it further';
$redis->cli('HINCRBY', 'rep:{' . $n->id . '}', 'low_s', -86_400);
$n->register;
ok $t->wait_for(sub { trust() == 0.125 }, 'trust to come back'),
    'a day later one halving is forgiven';

$t->done;
