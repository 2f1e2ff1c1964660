# Who may help is the operator's choice: a list of nodes, read again while the
# coordinator runs, by itself and at SIGHUP; a file that is wrong changes
# nothing; who is taken off it is excluded.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $list = $t->write('nodes', "# nobody yet\n");

my $bad = $t->write('bad', "\nsomebody\n");
my $r = $t->run($t->build . '/offload-coordinator', '--listen',
    '127.0.0.1:' . $t->port, '--redis', $redis->url, '--key',
    $t->path('bad.pem'), '--admission', 'list', '--nodes-file', $bad);
is $r->{status}, 1, 'no start with a file that is wrong';
like $r->{err}, qr/\Q$bad\E:2: it does not begin with a node's id/,
    'it says which line and why';

my $c = $t->coordinator(redis => $redis,
    args => [ '--admission', 'list', '--nodes-file', $list ]);
my ($n, $m) = map { Stranger->new(test => $t, coordinator => $c, name => $_) }
    'n', 'm';

sub reason { $t->json($_[0]{content})->{error} }

sub node {
    my ($who) = @_;
    return $t->json($t->http(GET => $c->url . '/v1/nodes/' . $who->id)
        ->{content});
}

$r = $n->register;
is $r->{status}, 403, 'nobody is on the list';
like reason($r), qr/not admitted.*operator's list.*id to be added/,
    'the reason says what to do';
is $redis->cli('EXISTS', 'key:{' . $n->id . '}'), 0, 'nothing is kept of it';

$t->write('nodes', $n->id . " weight=300 zone=XY # a friend\n");
ok $t->wait_for(sub { $n->register->{status} == 200 }, 'it to be admitted'),
    'the file is read again by itself';
is $m->register->{status}, 403, 'the other one is still not admitted';
is $n->heartbeat->{status}, 200, 'it is heard';
my $seen = $t->wait_for(sub { my $s = node($n); $s->{alive} && $s },
    'it to be alive');
ok $seen->{listed}, 'it is listed';
is $seen->{zone}, 'XY', 'its zone is the operator\'s';
is $seen->{trust}, 1, 'whom the operator lists counts at once';
my $weight = $seen->{weight};

$t->write('nodes', $n->id . "\n" . $m->id . " weight=0\n");
$c->signal('HUP');
$t->wait_for(sub { $c->log =~ /nodes:2: weight: from 1 to 1000/ },
    'the error to be logged');
like $c->log, qr/what was read before still counts/, 'and what follows';
is $n->heartbeat->{status}, 200, 'nothing has changed for one';
is $m->register->{status}, 403, 'nor for the other';

$t->write('nodes', join "\n", $n->id, $m->id);
$c->signal('HUP');
ok $t->wait_for(sub { $m->register->{status} == 200 }, 'the other'),
    'it is read again at SIGHUP';
$seen = $t->wait_for(sub { my $s = node($n);
    $s->{weight} < $weight && $s }, 'another weight');
cmp_ok abs($weight / $seen->{weight} - 3), '<', 0.01, 'a third of what it was';
is $seen->{zone}, '', 'its own zone';

$t->write('nodes', $m->id . "\n");
$r = $t->wait_for(sub { my $r = $n->heartbeat;
    $r->{status} == 403 && $r }, 'it to be taken off');
like reason($r), qr/excluded: the operator does not admit it/, 'with a reason';
ok node($n)->{excluded}, 'it is excluded';
ok !node($n)->{listed}, 'and not listed';
is $n->register->{status}, 403, 'it cannot register again';
is $m->heartbeat->{status}, 200, 'the other one stays';
like $t->http(GET => $c->url . '/metrics')->{content},
    qr/^offload_admissions_refused_total [1-9]/m, 'refusals are counted';

unlink $list;
$t->wait_for(sub { $c->log =~ /nodes: No such file/ }, 'the loss to be seen');
is $m->heartbeat->{status}, 200, 'a list that is lost still counts';

$t->done;
