# With an operator's database, peers of the asker's country come before others;
# without it, or where it knows nothing, they are handed out as all are.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Offload::Test::Mmdb;
use Swarm;

use constant { NEAR => 10, FAR => 90, WANT => 20, ASKS => 60 };

my $t = Offload::Test->new;
my $redis = $t->redis;
my $path = Offload::Test::Mmdb::write($t, 'geo.mmdb',
    '203.0.0.0/16' => 'DE', '198.51.0.0/16' => 'FR');
my @proxied = ('--trusted-proxy', '127.0.0.0/8');
my ($with, $without) = map { Swarm->new($t, $_, hash => 'z' x 20) }
    $t->coordinator(redis => $redis, args => [ @proxied, '--geoip', $path ]),
    $t->coordinator(redis => $redis, args => \@proxied);
$with->register($redis);

# As many networks as peers, so that nearness by network has no say.
$with->announce(from => "203.0.$_.1", port => 1, left => 5) for 1 .. NEAR;
$with->announce(from => "198.51.$_.1", port => 1, left => 5) for 1 .. FAR;

# How many peers of DE one answer has, on average.
sub given {
    my ($s, $from) = @_;

    my $count = 0;
    for (1 .. ASKS) {
        my $peers = $s->announce(from => $from, numwant => WANT)->{peers};
        die "not as many as are wanted\n" if @$peers != WANT;
        $count += grep { /^203\./ } @$peers;
    }
    return $count / ASKS;
}

my $share = WANT * NEAR / (NEAR + FAR);
my $own = given($with, '203.0.250.1');
cmp_ok $own, '>', 1.7 * $share, "DE: $own of DE, where chance gives $share";
cmp_ok $own, '<', WANT / 2, 'but not those alone';
cmp_ok given($with, '198.51.250.1'), '<', 1.5 * $share, 'FR: as chance has it';
cmp_ok given($with, '192.0.2.1'), '<', 1.5 * $share, 'of nowhere: too';

# Another process, which learns of them by Redis alone.
$t->wait_for(sub { $without->announce(from => '203.0.250.1', numwant => 0)
    ->{incomplete} == NEAR + FAR }, 'the other coordinator');
$without->announce(from => "203.0.$_.1", port => 1, left => 5) for 1 .. NEAR;
$without->announce(from => "198.51.$_.1", port => 1, left => 5) for 1 .. FAR;
cmp_ok given($without, '203.0.250.1'), '<', 1.5 * $share,
    'without a database: as chance has it';

$t->done;
