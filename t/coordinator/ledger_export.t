# The ledger as it is handed out: by period and node, as JSON, CSV and JSON
# lines, in pages over HTTP and whole by the command.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Digest::SHA qw(sha256_hex);
use Fcall;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);

# Three nodes, twenty sites, forty days: booked as the coordinator books them.
my @nodes = sort map { $t->key("n$_")->{id} } 1 .. 3;
my @sites = map { "https://$_.example" } 'a' .. 't';
my $first = 1_790_812_800; # 2026-10-01
my $fcall = Fcall->new($redis);
my @expected;

$fcall->send('HSET', "key:{$_}", 'seq', 1) for @nodes;
for my $i (0 .. $#nodes) {
    my $node = $nodes[$i];
    for my $day (0 .. 39) {
        my @d = gmtime $first + 86400 * $day;
        my $date = sprintf '%d%02d%02d', $d[5] + 1900, $d[4] + 1, $d[3];
        for my $n (0 .. $#sites) {
            my $s = sha256_hex($sites[$n]);
            $fcall->send('HSET', "site:{$s}", 'iss', $sites[$n]) if !$day && !$i;
            for my $kind ('r', 'c') {
                $fcall->ledger_add(node => $node, site => $s, iss => $sites[$n],
                    kind => $kind, account => $kind . 'x',
                    bytes => ($day + 1) * ($kind eq 'r' ? 100 : 90 + $i),
                    now => $first + 86400 * $day);
            }
            push @expected, join ',', sprintf('%d-%02d-%02d', $d[5] + 1900,
                $d[4] + 1, $d[3]), $node, $s, $sites[$n], 100, 90 + $i, 90 + $i;
        }
    }
}

# Page by page: [text, next link or undef].
sub page {
    my ($path) = @_;
    my $r = $t->http(GET => $c->url . $path);
    is $r->{status}, 200, 'a page';
    my ($next) = ($r->{headers}{link} // '') =~ /^<(.*)>; rel="next"$/;
    return ($r->{content}, $next, $r->{headers}{'content-type'});
}

sub pages {
    my ($path) = @_;
    my ($all, $most, $pages) = ('', 0, 0);
    while ($path) {
        (my $text, $path) = page($path);
        my $lines = () = $text =~ /\n/g;
        $most = $lines if $lines > $most;
        $all .= $text;
        $pages++;
    }
    return ($all, $most, $pages);
}

my $period = 'from=2026-10-01&to=2026-11-09';
my $head = 'day,node,site,iss,confirmed,claimed,credited';
my ($csv, $most, $pages) = pages("/v1/ledger?$period&format=csv");
ok $csv eq join("\r\n", $head, @expected, ''), 'all of it, in order, as CSV';
ok $most <= 1001 && $pages > 2, "in $pages pages of $most lines at most";
my $r = $t->run(Offload::Test::build() . '/offload-coordinator', 'ledger',
    '--redis', $redis->url, '--from', '2026-10-01', '--to', '2026-11-09');
is $r->{status}, 0, 'the command' or diag $r->{err};
ok $r->{out} eq $csv, 'prints the same';

my @mine = grep { /^2026-10-(09|10),$nodes[1],/ } @expected;
$r = $t->run(Offload::Test::build() . '/offload-coordinator', 'ledger', '--node',
    $nodes[1], '--redis', $redis->url, '--from', '2026-10-09', '--to',
    '2026-10-10', '--format', 'jsonl');
my @lines = map { $t->json($_) } split /\n/, $r->{out};
my @names = split /,/, $head;
is_deeply [ map { join ',', @$_{@names} } @lines ], \@mine,
    'days and a node, as JSON lines';

my ($text, $next, $type) =
    page("/v1/nodes/$nodes[1]/ledger?from=2026-10-09&to=2026-10-10");
is $type, 'application/json', 'JSON';
my $json = $t->json($text);
is_deeply [ map { join ',', @$_{@names} } @{ $json->{lines} } ], \@mine,
    'says the same';
is_deeply [ @$json{qw(from to)} ], [ '2026-10-09', '2026-10-10' ], 'of the period';
is $json->{ever}{credited}, 40 * 20 * 91, 'and what was credited ever';
is $next, undef, 'on one page';
($text) = page("/v1/nodes/$nodes[0]/ledger?from=2025-01-01&to=2025-01-02");
is_deeply $t->json($text)->{lines}, [], 'nothing was booked then';
($text) = page('/v1/nodes/' . 'x' x 42 . 'A/ledger');
is $t->json($text)->{ever}{credited}, 0, 'nor for a node that nobody knows';
my ($all) = pages("/v1/nodes/$nodes[0]/ledger?$period&format=jsonl");
is scalar(split /\n/, $all), 800, 'a node has all its lines';

# A period that ends with the last line that a page has room for.
for my $days (37 .. 39) {
    my $to = sprintf '2026-11-%02d', $days - 31;
    for my $of ([], [ '--node', $nodes[2] ]) {
        $r = $t->run(Offload::Test::build() . '/offload-coordinator', 'ledger',
            '--redis', $redis->url, '--from', '2026-10-01', '--to', $to, @$of);
        is $r->{status}, 0, "$days days" or diag $r->{err};
        is scalar(split /\n/, $r->{out}), 1 + $days * 20 * (@$of ? 1 : 3), 'all';
    }
    ($all) = pages("/v1/nodes/$nodes[2]/ledger?from=2026-10-01&to=$to&format=jsonl");
    is scalar(split /\n/, $all), $days * 20, 'and over HTTP';
}
is $t->http(GET => $c->url . "/v1/nodes/$nodes[0]/ledger?from=2026-10-01"
    . "&to=2026-10-02&after=$nodes[0].20261101.1")->{status}, 400,
    'a cursor of another period';

# What is refused.
for my $bad ('from=2026-02-30', 'from=2026-11-02&to=2026-11-01', 'from=1',
    'from=2024-01-01&to=2026-01-01', 'format=xml', 'after=x', 'month=11',
    "after=$nodes[0].20261301.1", 'from') {
    is $t->http(GET => $c->url . "/v1/ledger?$bad")->{status}, 400, $bad;
}
is $t->http(GET => $c->url . '/v1/nodes/x/ledger')->{status}, 400, 'no id';
is $t->http(POST => $c->url . '/v1/ledger')->{status}, 405, 'POST';
for ([ 'from:', '--from', '2026-02-30' ], [ 'format:', '--format', 'json' ],
    [ 'node:', '--node', 'x' ], [ 'unexpected "x"', 'x' ],
    [ '--nodes:', '--nodes', 'x' ], [ '--redis:', '--redis' ]) {
    my ($word, @args) = @$_;
    $r = $t->run(Offload::Test::build() . '/offload-coordinator', 'ledger', @args);
    is $r->{status}, 2, "@args: usage";
    like $r->{err}, qr/ledger: \Q$word\E/, 'which says what is wrong';
}
my $closed = $t->coordinator(redis => $redis, args => [qw(--admin-net 192.0.2.0/24)]);
$r = $t->http(GET => $closed->url . '/v1/ledger');
is $r->{status}, 403, 'all nodes are for the operator';
like $r->{content}, qr/--admin-net/, 'and it says how';
is $t->http(GET => $closed->url . "/v1/nodes/$nodes[0]/ledger")->{status}, 200,
    'one node is for all';

# Redis away.
$redis->kill;
$t->wait_for(sub { $t->http(GET => $c->url . '/v1/ledger')->{status} == 503 },
    'an answer without Redis');
pass 'later';

$t->done;
