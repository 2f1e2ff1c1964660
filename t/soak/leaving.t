# One of 20 nodes leaves for good, and comes back: what it held moves, and little
# else; then that moves back, and nothing else.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Offload::Test::Crowd;
use Placed;

use constant { NODES => 20, CONTENTS => 700, ALL => 2100 };

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--audit-rate', 0 ]);
my ($crowd, $one) = map { Offload::Test::Crowd->new(test => $t,
    coordinators => [$c], nodes => $_) } NODES - 1, 1;
$t->wait_for(sub { $redis->cli('ZCARD', 'nodes') == NODES }, 'all nodes');
site_of($t, $c, CONTENTS);
$t->wait_for(sub { places($redis) == ALL }, 'placement');
$t->wait_for(sub { $crowd->last->{holdings} + $one->last->{holdings} == ALL },
    'all holdings');
my @before = places($redis);
my $share = $one->last->{holdings};
cmp_ok $share, '>', 50, "the one that is to leave holds $share of 2100";

$one->kill;
$t->wait_for(sub { $crowd->last->{holdings} == ALL }, 'others in its place', 60);
my @after = places($redis);
my $moved = moved(\@before, \@after);
cmp_ok $moved, '<=', 1.05 * $share, "$moved are held by another node now";
is moved(\@after, \@before), $moved, 'for as many that it held';

$t->done;
