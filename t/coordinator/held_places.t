# Nodes that hold most of the connections: they are no load, so visitors are
# served; and once a minute the log names the limit to raise.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Offload::Test::Crowd;

use constant NODES => 100;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--audit-rate', 0 ]);
$c->stop;
# 120 places.
unshift @{ $c->{cmd} }, 'prlimit', '--nofile=240:240';
$c->start;
$t->wait_for(sub { $t->http(GET => $c->url . '/healthz')->{status} == 200 },
    'Redis');

my $crowd = Offload::Test::Crowd->new(test => $t, coordinators => [$c],
    nodes => NODES);
$t->wait_for(sub { ($crowd->last->{registered} // 0) == NODES },
    'all to be registered');
my $warning = qr/ of 120 connections are held by nodes: .* open files, now 240/;
$t->wait_for(sub { $c->log =~ $warning }, 'more than 90 to be held');
my %got;
$got{ $t->http(GET => $c->url . '/v1/sites/' . 'a' x 64)->{status} }++
    for 1 .. 20;
is join(' ', keys %got), 404, 'visitors are served';
is $crowd->last->{broken}, 0, 'no node is hung up on';
my $warned = () = $c->log =~ /$warning/g;
is $warned, 1, 'the log names the limit to raise once a minute';

$t->done;
