# Which torrents are tracked: those that sites tell in their syncs, as long as
# they offer them; and what strangers' hashes cost.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Swarm;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis,
    args => [ '--trusted-proxy', '127.0.0.0/8' ]);
my ($root, $other) = ('ab' x 32, 'cd' x 32);
my @s = map { Swarm->new($t, $c, hash => $_ x 20) } 'a' .. 'c';
my @peer = (from => '203.0.113.1', port => 1, left => 0);

sub offered {
    my ($name, $from, $s) = @_;
    return { root => $from, sub => "/iso/$name", size => 300_000, demand => 1,
        $s ? (infohash => $s->hex) : () };
}

# Two names of one content, and a content that is gone on demand.
my $site = Site->new(test => $t, coordinator => $c, name => 'site', sync => sub {
    my ($claims, $number) = @_;
    return (200, { need => 'full' }) if $number == 1;
    return (200, { need => 'full', clock => 5, contents => [
        offered('one.iso', $root, $s[0]), offered('two.iso', $root, $s[1]),
        offered('three.iso', $other, $s[2]) ] }) if $number == 2;
    return (200, { clock => 9, contents => [
        { root => $other, gone => JSON::PP::true } ] })
        if -e $t->path('gone') && !-e $t->path('told') && $t->write('told', 1);
    return (200, { clock => 9 });
});

like $s[0]->announce(@peer)->{'failure reason'}, qr/not registered here/,
    'not registered yet';
$site->join;
$t->wait_for(sub { !$_->announce(@peer)->{'failure reason'} }, 'registration')
    for @s;
pass 'each name has a torrent';
my %meta = split /\n/, $redis->cli('HGETALL', 't:{' . $s[1]->hex . '}:m');
is $meta{name}, 'two.iso', 'with its name';
is $meta{size}, 300_000, 'size';
is $meta{root}, $root, 'and content';
cmp_ok $redis->cli('TTL', 't:{' . $s[1]->hex . '}:m'), '>', 7000,
    'for two hours, unless it is renewed';
$s[2]->announce(from => '203.0.113.2', port => 1, left => 1);
$s[2]->announce(from => '203.0.113.2', port => 1, left => 0,
    event => 'completed');
is $s[2]->scrape->{downloaded}, 1, 'a download';
$s[2]->register($redis);
is $s[2]->scrape->{downloaded}, 1, 'outlives a renewal';
$redis->cli('FCALL', 'ol_swarm_withdraw', 2, map({ 't:{' . $s[2]->hex . "}:$_" }
    'm', 'o'), 'a' x 64, time);
is $s[2]->scrape->{downloaded}, 1, 'and one of two sites that withdraws';

$t->write('gone', 1);
$t->wait_for(sub { $redis->cli('EXISTS', 't:{' . $s[2]->hex . '}:m') eq '0' },
    'the content to be gone');
is $s[2]->scrape->{complete}, 0, 'withdrawn: a scrape knows nothing of it';
$t->wait_for(sub { ($s[2]->announce(@peer)->{'failure reason'} // '')
    =~ /not registered/ }, 'announces to be refused', 30);
ok !$s[0]->announce(@peer)->{'failure reason'}, 'others go on';

# 20,000 hashes that nobody registered, over a few connections.
sub flood {
    my ($first, $count) = @_;
    my $failures = 0;
    for (my $n = $first; $n < $first + $count; $n += 500) {
        my @get = map { "GET /announce?port=1&left=1&info_hash="
            . sprintf('%020d', $_) . " HTTP/1.1\r\nHost: x\r\n"
            . ($_ == $n + 499 ? "Connection: close\r\n" : '') . "\r\n"
        } $n .. $n + 499;
        $failures += () = $t->raw('127.0.0.1', $c->url =~ /:(\d+)$/,
            join('', @get), 20) =~ /14:failure reason/g;
    }
    return $failures;
}
is flood(0, 10_000), 10_000, 'strangers: all are refused';
my $before = $c->memory;
my $keys = $redis->cli('DBSIZE');
is flood(10_000, 10_000), 10_000, 'more of them, too';
cmp_ok $c->memory - $before, '<', Offload::Test::growth_max(), 'nothing grows';
is $redis->cli('DBSIZE'), $keys, 'in Redis neither';
ok !$s[0]->announce(@peer)->{'failure reason'}, 'honest ones are served';

# One address that announces without end is answered all the same.
my ($low, $failed) = (0, 0);
my $text = join '', map { "GET /announce?port=$_&left=1&info_hash="
    . 'a' x 20 . " HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 8.8.8.8\r\n"
    . ($_ == 3000 ? "Connection: close\r\n" : '') . "\r\n" } 1 .. 3000;
my $got = $t->raw('127.0.0.1', $c->url =~ /:(\d+)$/, $text, 20);
is scalar(() = $got =~ /8:interval/g), 3000, 'over the limit: answered';
unlike $got, qr/failure/, 'without an error';
cmp_ok $s[0]->scrape->{incomplete}, '<', 2500, 'but not stored';

my $off = $t->coordinator(redis => $redis, args => [ '--tracker', 'off' ]);
for my $what (qw(announce scrape)) {
    my $r = $t->http(GET => $off->url . "/$what?info_hash=" . 'a' x 20);
    is $r->{status}, 404, "--tracker off: no $what";
    like $r->{content}, qr/tracker is switched off/, 'and why';
}

$t->done;
