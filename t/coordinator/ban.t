# The operator excludes a node and admits it again: both coordinators of one
# Redis know within a second, registration and heartbeats are refused with the
# reason, and the index of bans is kept.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my @c = map { $t->coordinator(redis => $redis, key => $t->path('c.pem')) } 1, 2;
my $n = Stranger->new(test => $t, coordinator => $c[0], name => 'n');
my $command = $t->build . '/offload-coordinator';

sub command { $t->run($command, @_, '--redis', $redis->url) }

sub node {
    $t->json($t->http(GET => $_[0]->url . '/v1/nodes/' . $n->id)->{content});
}

is command('drain', $n->id)->{status}, 1, 'nobody drains whom nobody knows';
is $t->http(GET => $c[0]->url . '/v1/nodes/' . $n->id)->{status}, 404,
    'it is not shown either';
is $t->http(GET => $c[0]->url . '/v1/nodes/xyz')->{status}, 400,
    'nor is what is no id';
is $n->register->{status}, 200, 'a node registers';
is $n->heartbeat->{status}, 200, 'and is heard';
$t->wait_for(sub { node($c[1])->{alive} }, 'the other coordinator to know');
ok node($_)->{listed}, 'it is listed' for @c;
is node($c[0])->{reason}, '', 'there is nothing against it';

for ([], [ $n->id ], [ 'xyz', 'a reason' ], [ $n->id, '' ],
    [ $n->id, 'x' x 201 ], [ $n->id, 'a', 'b' ]) {
    my $r = command('ban', @$_);
    is $r->{status}, 2, 'refused: ' . substr join(' ', @$_), 0, 60;
    like $r->{err}, qr/Usage: offload-coordinator ban ID REASON/, 'it says why';
}
is $t->run($command, 'ban', $n->id, 'x', '--redis', 'unix:/nowhere')->{status},
    1, 'without Redis it fails';

my $r = command('ban', $n->id, 'serves nothing but complaints');
is $r->{status}, 0, 'a ban';
like $r->{out}, qr/is banned$/, 'it says so';
$t->wait_for(sub { node($_)->{excluded} }, 'it to be excluded', 2) for @c;
ok !node($_)->{listed}, 'it is not listed any more' for @c;
is node($c[1])->{reason}, 'serves nothing but complaints', 'with the reason';
for my $answer ($n->heartbeat, $n->register) {
    is $answer->{status}, 403, 'it is refused';
    like $t->json($answer->{content})->{error},
        qr/excluded: serves nothing but complaints/, 'with the reason';
}
is $redis->cli('ZRANGE', 'bans', 0, -1), $n->id, 'it is in the index';

like command('ban', $n->id, 'another reason')->{out}, qr/as before/,
    'a second ban has another reason';
$_->stop for @c;
$_->start for @c;
$r = $n->heartbeat;
is $r->{status}, 403, 'a ban outlives the coordinators';
like $t->json($r->{content})->{error}, qr/another reason/, 'with its reason';

is command('unban', $n->id)->{status}, 0, 'it is admitted again';
is command('unban', $n->id)->{status}, 1, 'once';
is $redis->cli('ZCARD', 'bans'), 0, 'the index is empty';
$t->wait_for(sub { $n->heartbeat->{status} == 200 }, 'it to be heard', 2);
is $n->register->{status}, 200, 'and to register';
ok $t->wait_for(sub { node($c[1])->{listed} }, 'it to be listed'), 'it is back';

$t->done;
