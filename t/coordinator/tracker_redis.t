# What the tracker does while Redis is emptied, away, full or stopped: it answers
# from what it knows, and what Redis has not been told is told later.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Swarm;
use Time::HiRes ();

my $t = Offload::Test->new;
my $redis = $t->redis(args => [ '--appendonly', 'no' ]);
my @c = map { $t->coordinator(redis => $redis,
    args => [ '--trusted-proxy', '127.0.0.0/8' ]) } 1 .. 2;
my ($one, $two) = map { Swarm->new($t, $_, hash => 'h' x 20) } @c;
$one->register($redis);
my $h = $one->hex;

sub peer { (from => "203.0.$_[0].1", port => 1, left => $_[1]) }

$one->announce(peer($_, 0)) for 1, 3, 4;
$two->announce(peer(5, 5));

# Emptied while connected: what is known here is told again.
my $store = $redis->cli('GET', 'store');
$redis->cli('FLUSHALL');
$t->wait_for(sub { ($redis->cli('GET', 'store') || $store) ne $store },
    'another store');
$one->register($redis);
$t->wait_for(sub { $redis->cli('ZCARD', "t:{$h}:s4") == 3
    && $redis->cli('ZCARD', "t:{$h}:l4") == 1 }, 'all peers to be back');
$t->wait_for(sub { $one->scrape->{complete} == 3 }, 'their counts');
is_deeply $one->scrape, $two->scrape, 'at both';

# Away: the sample answers, at once; what came meanwhile is told later.
$t->wait_for(sub { @{ $one->announce(peer(6, 5), port => 2)->{peers} } == 4 },
    'the first to know all');
$redis->kill;
$t->wait_for(sub { $t->http(GET => $c[0]->url . '/healthz')->{status} == 503 },
    'Redis to be missed');
my $r = $one->announce(peer(6, 5));
is @{ $r->{peers} }, 5, 'Redis away: peers from the sample';
cmp_ok $r->{interval}, '>', 2400, 'a longer interval';
is $one->scrape->{incomplete}, 3, 'and counts';
like $one->announce(query => 'port=1&info_hash=' . 'z' x 20)->{'failure reason'},
    qr/cannot look up/, 'an unknown torrent: later';
$redis->start;
$t->wait_for(sub { $t->http(GET => $c[0]->url . '/healthz')->{status} == 200 },
    'Redis to be back', 30);
$one->register($redis);
$t->wait_for(sub { $redis->cli('ZCARD', "t:{$h}:l4") >= 2 },
    'what came meanwhile');
$t->wait_for(sub { $two->scrape->{incomplete} >= 2 }, 'at the other, too');
pass 'all is as before';

# Full: the same.
my $count = $redis->cli('ZCARD', "t:{$h}:l4");
$redis->cli('CONFIG', 'SET', 'maxmemory', 1);
$r = $one->announce(peer(7, 5));
ok @{ $r->{peers} }, 'Redis full: an ordinary answer';
$t->wait_for(sub { $c[0]->log =~ /OOM/ }, 'it to be noticed');
is $redis->cli('ZCARD', "t:{$h}:l4"), $count, 'it took no peer';
$redis->cli('CONFIG', 'SET', 'maxmemory', 0);
$t->wait_for(sub { grep { $_ eq '203.0.7.1 1' }
    @{ $two->announce(peer(3, 0))->{peers} } }, 'who came meanwhile');
pass 'who came meanwhile is told later';

# Slow: nobody waits long.
$redis->signal('STOP');
sub seconds {
    my ($ask) = @_;
    my $begin = Time::HiRes::time();
    $r = $ask->();
    return Time::HiRes::time() - $begin;
}
cmp_ok seconds(sub { $one->scrape }), '<', 2, 'Redis stopped: a scrape in time';
cmp_ok seconds(sub { $one->announce(peer(6, 5)) }), '<', 2, 'an announce, too';
ok @{ $r->{peers} }, 'with peers';
cmp_ok seconds(sub { $one->announce(query => 'port=1&info_hash=' . 'w' x 20) }),
    '<', 2, 'and one for an unknown torrent';
ok $r->{'failure reason'}, 'which is refused';
$redis->signal('CONT');

$t->done;
