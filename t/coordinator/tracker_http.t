# The tracker over HTTP, rule by rule: what is parsed, who is handed to whom,
# what is counted, and what a scrape says of it.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Swarm;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ qw(--trusted-proxy 127.0.0.0/8
    --announce-interval 600) ]);
my $hash = "\0\1+&=%/?# \xff" . 'x' x 9;
my $s = Swarm->new($t, $c, hash => $hash);
$s->register($redis);
my @seed = (from => '203.0.113.1', port => 6881, left => 0);
my @leecher = (from => '198.51.100.2', port => 51413, left => 10);

my $r = $s->announce(@seed, event => 'started');
is $r->{type}, 'text/plain', 'text/plain';
is_deeply [ @$r{qw(complete incomplete downloaded)} ], [ 1, 0, 0 ], 'a seed';
is_deeply [ @$r{qw(peers peers6)} ], [ [], [] ], 'both lists, empty';
cmp_ok abs($r->{interval} - 600), '<=', 60, 'the interval, with jitter';
cmp_ok $r->{'min interval'}, '>=', 0.75 * $r->{interval},
    'min interval is not much less';

$r = $s->announce(@leecher, event => 'started', compact => 0, ip => '10.0.0.9',
    peer_id => '-XX-%00%20', key => 'abc', no_peer_id => 1);
is_deeply $r->{peers}, ['203.0.113.1 6881'],
    'a leecher is handed the seed, in compact form';
is_deeply $s->announce(@seed)->{peers}, ['198.51.100.2 51413'],
    'the seed the leecher, by its connection\'s address';
is_deeply $s->announce(from => '203.0.113.3', port => 1, left => 0)->{peers},
    ['198.51.100.2 51413'], 'another seed: no seed';
$r = $s->announce(@leecher);
is join(' ', sort @{ $r->{peers} }), '203.0.113.1 6881 203.0.113.3 1',
    'never itself';
is_deeply $s->announce(@leecher, peer_id => 'another')->{incomplete}, 1,
    'a peer is its address and port, whatever its peer_id';
is_deeply $s->announce(@leecher, port => 51414)->{incomplete}, 2,
    'another port is another peer';
is_deeply $s->announce(@leecher, numwant => 0)->{peers}, [], 'numwant 0: none';
is @{ $s->announce(@leecher, numwant => -1)->{peers} }, 3, 'numwant -1: some';
is @{ $s->announce(@leecher, numwant => 1)->{peers} }, 1, 'numwant 1: one';

for my $port (undef, 0) {
    $r = $s->announce(from => '203.0.113.9', port => $port, left => 1);
    is $r->{incomplete}, 2, 'no port: not stored';
    ok @{ $r->{peers} }, 'but answered';
}
is $s->announce(from => '203.0.113.10', port => 1)->{incomplete}, 3,
    'left missing: a leecher';
is $s->announce(from => '203.0.113.10', port => 1, left => 2**63,
    event => 'paused')->{incomplete}, 3, 'paused is legal';
is $s->announce(from => '203.0.113.10', port => 1, left => 1,
    event => 'stopped')->{incomplete}, 2, 'stopped: gone';

$r = $s->announce(@leecher, left => 0, event => 'completed');
is_deeply [ @$r{qw(complete incomplete downloaded)} ], [ 3, 1, 1 ],
    'completed: a seed, counted';
$s->announce(@leecher, left => 0, event => 'completed') for 1 .. 3;
is_deeply $s->scrape, { complete => 3, incomplete => 1, downloaded => 1 },
    'once';
$r = $s->announce(@leecher, left => 0, event => 'stopped');
is_deeply [ @$r{qw(complete peers peers6)} ], [ 2, [], [] ],
    'stopped: an empty list';

# IPv6, both families in one answer.
my $six = '2001:db8::6';
$s->announce(from => $six, port => 6, left => 0);
$r = $s->announce(@leecher);
is_deeply $r->{peers6}, ["$six 6"], 'IPv4 is told of IPv6';
$r = $s->announce(from => '2001:db8:1::7', port => 7, left => 3);
is_deeply $r->{peers6}, ["$six 6"], 'IPv6 of IPv6';
ok scalar @{ $r->{peers} }, 'and of IPv4';
$r = $s->announce(from => '::ffff:198.51.100.2', port => 51413, left => 10);
is $r->{incomplete}, 3, 'a mapped address is the IPv4 one';

# Over IPv6 itself.
my $v6 = Swarm->new($t, $t->coordinator(redis => $redis, host => '[::1]'),
    hash => $hash);
$t->wait_for(sub { !$v6->announce(port => 81, left => 0)->{'failure reason'} },
    'its Redis');
$r = $v6->announce(port => 82, left => 1);
ok scalar(grep { $_ eq '::1 81' } @{ $r->{peers6} }), '[::1]: a seed';
ok !grep({ $_ eq '::1 82' } @{ $r->{peers6} }), 'not itself';

# What is wrong is said in bencode, with status 200.
for (
    [ 'info_hash=short&port=1', qr/20 bytes/ ],
    [ 'port=1', qr/missing/ ],
    [ 'info_hash=' . 'x' x 20 . '&port=99999', qr/port/ ],
    [ 'info_hash=' . 'y' x 20 . '&port=1', qr/not registered here/ ],
) {
    my ($query, $why) = @$_;
    $r = $s->announce(query => $query);
    like $r->{'failure reason'}, $why, $r->{'failure reason'};
    is scalar keys %$r, 3, 'and nothing else';
}

my @many = map { pack 'a20', $_ } 1 .. 74;
my $files = $s->scrape(@many, $hash);
is keys %$files, 75, 'a scrape of 75';
is_deeply $files->{ $many[5] },
    { complete => 0, incomplete => 0, downloaded => 0 }, 'unknown: zeros';
is $files->{$hash}{complete}, 4, 'known: its counts';

# A query of 7 KB, of which nothing but the hashes can be left out, with its
# headers, and behind it one of 2,000 arguments.
my $long = join '&', map { 'info_hash=' . $s->escaped($_) } @many, @many[0 .. 24],
    $hash;
my ($to) = $c->url =~ /:(\d+)$/;
my $got = $t->raw('127.0.0.1', $to, join '', map {
    "GET $_ HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.77\r\n"
        . "Connection: " . (/end/ ? 'close' : 'keep-alive') . "\r\n\r\n"
} "/scrape?$long", '/announce?' . 'x&' x 2000 . 'info_hash=' . $s->escaped($hash)
    . '&port=77&left=1&event=started', "/scrape?$long&end");
is length $long, 7099, 'a scrape of 100, all escaped';
my @answers = split /(?=HTTP\/1\.1 )/, $got;
is @answers, 3, 'three requests at once: three answers';
is scalar(() = $answers[$_] =~ /8:complete/g), 75, 'a whole scrape' for 0, 2;
ok $answers[1] =~ /8:intervali\d/, 'the one between was taken, too';
ok grep({ $_ eq '203.0.113.77 77' } @{ $s->announce(@seed)->{peers} }),
    'from the address in its header';
for my $size (7700, 7900, 8050, 8300, 20_000) {
    $got = $t->raw('127.0.0.1', $to, 'GET /announce?x=' . 'x' x $size
        . " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 1);
    like $got, qr/^(?:HTTP\/1.1 (?:200|414|431) |$)/,
        "a query of $size bytes: answered or closed on";
}
like $s->get('/scrape')->{'failure reason'}, qr/info_hash/,
    'a scrape of all is refused';

is $t->http(POST => $c->url . '/announce')->{status}, 405, 'GET alone';
my $metrics = $t->http(GET => $c->url . '/metrics')->{content};
like $metrics, qr/^offload_announces_total\{protocol="http",result="ok"\} [1-9]/m,
    'announces are counted';
like $metrics, qr/result="refused"\} [1-9]/, 'refused ones, too';

$t->done;
