# A site with two thousand contents, two thousand nodes, and a hundred of these
# that leave at once: whatever is placed, other clients are answered meanwhile.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Offload::Test::Crowd;
use Placed;
use Time::HiRes qw(time);

use constant { NODES => 1900, LEAVING => 100, CONTENTS => 2000, PAGE => 500 };

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--audit-rate', 0 ]);
my ($crowd, $some) = map { Offload::Test::Crowd->new(test => $t,
    coordinators => [$c], nodes => $_, args => [ '--connecting', 1024 ]) }
    NODES, LEAVING;
$t->wait_for(sub { $redis->cli('ZCARD', 'nodes') == NODES + LEAVING },
    'all nodes', 120);

# The slowest answer to somebody else until that is so.
sub slowest {
    my ($until, $what) = @_;
    my ($start, $slowest, $asked) = (time, 0, 0);
    my $next = $start;
    $t->wait_for(sub {
        my $sent = time;
        my $r = $t->http(GET => $c->url . '/v1/key');
        $asked += $r->{status} == 200;
        $slowest = time - $sent if time - $sent > $slowest;
        return 0 if time < $next;
        $next = time + 1;
        return $until->();
    }, $what, 120);
    diag sprintf '%s: %.1f s, slowest of %d answers %.0f ms', $what,
        time - $start, $asked, 1000 * $slowest;
    return $slowest;
}
sub root { return sprintf('%016x', $_[0] * 7919) x 4 }
my $site = Site->new(test => $t, coordinator => $c, name => 'site',
    sync => sub {
        my $page = $_[1] - 2;    # the first answer tells the epoch only
        return (200, { contents => [], clock => $_[1] })
            if $page < 0 || $page >= CONTENTS / PAGE;
        return (200, { clock => $_[1],
            more => $page < CONTENTS / PAGE - 1 ? \1 : \0,
            contents => [ map { { root => root($_), sub => "/$_", size => 1000,
                demand => 0 } } $page * PAGE + 1 .. ($page + 1) * PAGE ] });
    });
$site->join;
my $count = 0;
my $placed = slowest(sub { $count = places($redis); $count == 3 * CONTENTS },
    'placing 2000 contents on 2000 nodes');
cmp_ok $placed, '<=', 0.5, 'others are answered meanwhile';

$some->kill;
my $left = slowest(sub { $c->log =~ /is not heard any more/ },
    '100 nodes leave');
my $until = time + 5;
my $moved = slowest(sub { time > $until }, 'their contents move');
cmp_ok $left, '<=', 0.5, 'also when many nodes leave';
cmp_ok $moved, '<=', 0.5, 'and what they held moves';

$t->done;
