# kill -9 of each process in turn, under load: no request fails at the origin
# but those in flight in a killed worker, everything recovers by itself, and no
# holding is lost.

use Offload::Test;
use Offload::Test::Load;
use Offload::Test::System;

my $t = Offload::Test->new;
my $bytes = $t->bytes(3_000_000, 6);
$t->write('html/f.bin', $bytes);
my $s = Offload::Test::System->new($t, nodes => 2);
my $root = $s->offloaded('/f.bin');
my $held = $s->stored(($s->nodes)[0], $root);
my $inode = (stat $held)[1];

my $load = Offload::Test::Load->new($t, clients => 2, url => $s->url('/f.bin'),
    content => $bytes);
$load->more(50);

# A worker: its own requests are cut off, the other goes on, the zone stays.
$t->allow(qr/worker process \d+ exited on signal 9/);
my ($worker) = $s->origin->workers;
kill KILL => $worker;
$t->wait_for(
    sub { 2 == grep { $_ != $worker } $s->origin->workers }, 'a new worker');
$load->more(50);
cmp_ok scalar($load->failed), '<=', 2,
    'a killed worker: only what was in flight in it failed';
is scalar($s->manifest_peers('/f.bin')), 2, 'the zone is as it was';

# The coordinator: the origin goes on with the nodes it knows.
$load->forget;
$s->coordinator->kill;
$load->more(50);
is scalar($s->manifest_peers('/f.bin')), 2,
    'without the coordinator the nodes are known';
$s->coordinator->start;
$t->wait_for(
    sub { $t->http(GET => $s->coordinator->url . '/healthz')->{status} == 200 },
    'the coordinator to be healthy');
is scalar(grep { $_->{complete} } $s->peers($root)), 2,
    'a new coordinator knows both holdings at once';

# Redis, which comes back with what it had written (t/coordinator/redis_lost.t:
# and empty).
$s->redis->kill;
$load->more(50);
$t->wait_for(sub {
    $t->http(GET => $s->coordinator->url . '/healthz')->{status} == 503;
}, 'the coordinator to notice that Redis is away');
$s->redis->start;
$t->wait_for(
    sub { $t->http(GET => $s->coordinator->url . '/healthz')->{status} == 200 },
    'the coordinator to find Redis again', 30);
$t->wait_for(sub { 2 == grep { $_->{complete} } $s->peers($root) },
    'both holdings to be back', 40);
pass 'after Redis was killed both holdings are back';
is scalar($s->manifest_peers('/f.bin')), 2, 'and manifests name both';

# A node: what it held is there when it comes back, nothing is fetched again.
my ($node) = $s->nodes;
$node->kill;
$load->more(50);
$node->start;
$t->wait_for(
    sub { grep { $_->{id} eq $node->id && $_->{complete} } $s->peers($root) },
    'the node to tell what it holds', 30);
is +(stat $held)[1], $inode, 'a killed node has kept its store';
ok $t->http(GET => $node->url . "/c/$root")->{content} eq $bytes,
    'and serves from it, rightly';

# The master of nginx: its workers go on without it.
my @workers = $s->origin->workers;
kill KILL => $s->origin->pid;
$load->more(50);

my @failed = $load->stop;
is "@failed", '', 'no request failed at the origin but those in the worker';

# What an administrator, or systemd, then does.
kill KILL => @workers;
$s->origin->wait;
$t->wait_for(sub { !$t->http(GET => $s->url('/'))->{status} },
    'the last thread of the workers to end');
$s->origin->start;
$t->wait_for(sub { 2 == $s->manifest_peers('/f.bin') },
    'a new origin to know the nodes', 40);

my $r = $t->offload('get', '-o', $t->path('out.bin'), $s->url('/f.bin'));
is $r->{status}, 0, 'and a download works as before' or diag $r->{err};

$t->done;
