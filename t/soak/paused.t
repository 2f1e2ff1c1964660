# Redis stands still for longer than nodes live without a heartbeat: nobody can be
# heard meanwhile, and no content moves for that.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Offload::Test::Crowd;
use Placed;

use constant { NODES => 40, CONTENTS => 300, ALL => 900, PAUSE => 45 };

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--audit-rate', 0 ]);
my $crowd = Offload::Test::Crowd->new(test => $t, coordinators => [$c],
    nodes => NODES);
$t->wait_for(sub { ($crowd->last->{registered} // 0) == NODES
    && $redis->cli('ZCARD', 'nodes') == NODES }, 'all nodes');
site_of($t, $c, CONTENTS);
$t->wait_for(sub { places($redis) == ALL }, 'placement');
$t->wait_for(sub { $crowd->last->{holdings} == ALL }, 'all holdings');
my @before = places($redis);
my $assigned = $crowd->last->{assigned};

$redis->signal('STOP');
my $until = time + PAUSE;
$t->wait_for(sub { time >= $until }, 'a pause', PAUSE + 5);
$redis->signal('CONT');
my $beats = $crowd->last->{beats};
$t->wait_for(sub { $crowd->last->{beats} > $beats + 2 * NODES }, 'heartbeats', 60);
is moved(\@before, [ places($redis) ]), 0, 'no content is wanted of another node';
is places($redis), ALL, 'nor of one less';
cmp_ok $crowd->last->{assigned} - $assigned, '<=', ALL / 20,
    'nodes were told next to nothing';
unlike $c->log, qr/is not heard any more/, 'no node is taken to be dead';

$t->done;
