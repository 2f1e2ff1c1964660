# Two coordinators on one Redis: peers, counts and downloads are those of both.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Swarm;

my $t = Offload::Test->new;
my $redis = $t->redis;
my @c = map { $t->coordinator(redis => $redis,
    args => [ '--trusted-proxy', '127.0.0.0/8' ]) } 1 .. 2;
my ($one, $two) = map { Swarm->new($t, $_, hash => 'h' x 20) } @c;
$one->register($redis);
my $h = $one->hex;

sub peer { (from => "203.0.$_[0].1", port => 1, left => $_[1]) }

$one->announce(peer($_, 0)) for 1 .. 3;
my $r = $two->announce(peer(4, 5));
is_deeply [ @$r{qw(complete incomplete)} ], [ 3, 1 ],
    'at first sight it is asked what others know';
is @{ $r->{peers} }, 3, 'peers of the other process';
is_deeply $one->scrape, $two->scrape, 'scrapes agree';
is_deeply $one->scrape, { complete => 3, incomplete => 1, downloaded => 0 },
    'and are right';
$t->wait_for(sub {
    grep { $_ eq '203.0.4.1 1' } @{ $one->announce(peer(1, 0))->{peers} };
}, 'the first to hear of the peer of the second');

$one->announce(peer(4, 0), event => 'completed');
$two->announce(peer(4, 0), event => 'completed');
$one->announce(peer(4, 0), event => 'completed');
is_deeply $two->scrape, { complete => 4, incomplete => 0, downloaded => 1 },
    'completed at both: counted once';
is $redis->cli('ZCARD', "t:{$h}:l4"), 0, 'it is no leecher in Redis';
$one->announce(peer(2, 0), event => 'stopped');
is $two->scrape->{complete}, 3, 'stopped at one: gone for the other';
$t->wait_for(sub {
    !grep { $_ eq '203.0.2.1 1' } @{ $two->announce(peer(5, 5))->{peers} };
}, 'nobody is handed who has stopped elsewhere');

# What Redis keeps, and for how long.
my ($member, $expiry) = split /\n/,
    $redis->cli('ZRANGE', "t:{$h}:l4", 0, 0, 'WITHSCORES');
cmp_ok abs($expiry - time - 3600), '<', 60, 'a peer lives for two intervals';
cmp_ok $redis->cli('TTL', "t:{$h}:l4"), '>=', 3600, 'its key somewhat longer';
is $redis->cli('TTL', "t:{$h}:s6"), -2, 'there are no other keys';

# A coordinator whose clock is an hour ahead drops nobody who is alive.
my @keys = map { "t:{$h}:$_" } qw(m o s4 l4 s6 l6);
my @before = map { $redis->cli('ZCARD', $_) } @keys[2, 3];
$redis->cli('FCALL', 'ol_swarm_look', 6, @keys, time + 7200, 1, 3600);
is_deeply [ map { $redis->cli('ZCARD', $_) } @keys[2, 3] ], \@before,
    'a clock that is ahead: all stay';
$redis->cli('ZADD', $keys[2], time - 1, 'gone!!');
$redis->cli('FCALL', 'ol_swarm_look', 6, @keys, time, 1, 3600);
is $redis->cli('ZCARD', $keys[2]), $before[0], 'who has expired is dropped';

$t->done;
