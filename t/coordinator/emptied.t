# Redis is lost with all it had, under a crowd of nodes: contents go back to where
# they were, and to no other node meanwhile, whichever nodes come back first.

use lib 't/lib', 't/coordinator/lib';
use List::Util qw(sum);
use Offload::Test;
use Offload::Test::Crowd;
use Placed;

use constant { NODES => 40, LATE => 4, CONTENTS => 300, ALL => 900 };

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

my $store = $redis->cli('GET', 'store');
$redis->cli('FLUSHALL');
my %seen;
$t->wait_for(sub {
    my @now = places($redis);
    $seen{$_} = 1 for @now;
    return "@now" eq "@before" && $crowd->last->{registered} == NODES;
}, 'all where it was', 60);
isnt $redis->cli('GET', 'store'), $store, 'another store';
my $moved = moved(\@before, [ keys %seen ]);
# It waits until nine in ten are back: what the last ones hold may be moved.
my %holds;
/:w:(.*)/ and $holds{$1}++ for @before;
my @most = (sort { $b <=> $a } values %holds)[ 0 .. LATE - 1 ];
is scalar(keys %holds), NODES, 'all nodes hold some';
cmp_ok $moved, '<=', sum(@most),
    "contents are back where they were, of 900 so many were moved: $moved";

$t->done;
