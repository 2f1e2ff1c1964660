# What the ledger adds, against a model of it: accounts of sites and nodes in
# any order, told again, shrunk, replayed, with numbers as large as there are.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Fcall;
use List::Util qw(min sum0);

use constant MOST => 9007199254740991;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
$t->wait_for(sub { $t->http(GET => $c->url . '/healthz')->{status} == 200 }, 'Redis');
my $fcall = Fcall->new($redis);

my ($n, $s) = ('N' x 42 . 'A', 'a' x 64);
my $now = 1_790_812_800;
$fcall->send(HSET => "key:{$n}", seq => 1);
$fcall->send(HSET => "site:{$s}", iss => 'https://a.example');

# Books; what it answers.  `site` and `at` may be others.
sub book {
    my ($kind, $account, $bytes, %o) = @_;
    return $fcall->ledger_add(node => $n, site => $o{site} // $s,
        kind => $kind, account => $kind . $account, bytes => $bytes,
        now => $o{at} // $now);
}

sub ever {
    my ($sums) = $fcall->send(HGET => "ledger:{$n}", 'sum');
    return $sums;
}

# In any order each account counts for the most it ever said.
srand 7;
my (%most, %first);
for my $round (1 .. 3000) {
    my ($kind, $account) = ((qw(r c))[ rand 2 ], int rand 40);
    my $bytes = int rand 100_000;
    my @added = book($kind, $account, $bytes, at => $now + int rand 1e6);
    my $grown = $bytes - ($most{$kind}{$account} // 0);
    $grown = 0 if $grown < 0;
    $first{bad} //= "round $round: $added[ $kind eq 'r' ? 1 : 2 ], not $grown"
        if $added[ $kind eq 'r' ? 1 : 2 ] != $grown;
    $most{$kind}{$account} += $grown;
}
is $first{bad}, undef, 'each account adds what it has grown by';
my ($r, $cl) = map { sum0(values %{ $most{$_} }) } 'r', 'c';
is ever(), "$r $cl " . min($r, $cl) . ' 0', 'and the smaller sum is credited';

# A node crowds out its own epochs, not what the site has told.
book('c', "crowd$_", 0, at => $now + 2e6) for 1 .. 300;
is_deeply [ book('r', $_, $most{r}{$_}, at => $now + 2e6) ], [ (0) x 5 ],
    "account $_ is not counted again" for 0 .. 39;
cmp_ok $fcall->send(HLEN => "lc:{$n}:$s"), '<=', 256, 'epochs are bounded';
my ($was) = ever();
book('r', "crowd$_", 0, at => $now + 2e6) for 1 .. 300;
cmp_ok $fcall->send(HLEN => "la:{$n}:$s"), '<=', 256, 'and so are accounts';
is ever(), $was, 'which alone add nothing';

# Those that have not changed for 30 days go first, beyond 64.
my ($other, $day) = ('b' x 64, 86400);
book('r', "old$_", 10, site => $other, at => $now) for 1 .. 100;
book('r', "new$_", 10, site => $other, at => $now + 40 * $day) for 1 .. 60;
is_deeply [ book('r', "new$_", 10, site => $other, at => $now + 40 * $day) ],
    [ (0) x 5 ], 'a new one is kept' for 1, 60;
cmp_ok $fcall->send(HLEN => "la:{$n}:$other"), '<=', 128, 'old ones go';

# Accounts that are lost to Redis alone are not booked twice.
$fcall->send(DEL => "la:{$n}:$other");
is_deeply [ book('r', 'new1', 10, site => $other) ], [ (0) x 5 ],
    'what is no longer known begins where it is';
is_deeply [ book('r', 'new1', 15, site => $other) ], [ 0, 5, 0, 0, 0 ],
    'and grows from there';

# As large as JSON has numbers: it stays there, and credit is not invented.
my $large = 'd' x 64;
$fcall->send(HSET => "site:{$large}", iss => 'https://d.example');
is_deeply [ book('r', 'a', MOST, site => $large) ], [ 0, MOST, 0, 0, 0 ],
    'the largest number';
book('r', $_, MOST, site => $large) for 'b' .. 'e';
book('c', $_, MOST - 1, site => $large) for 'a';
is_deeply [ book('c', 'b', 9, site => $large) ], [ 0, 0, 9, 1, 0 ],
    'the credit of a site ends there';
is_deeply [ book('c', 'b', 99, site => $large) ], [ 0, 0, 90, 0, 0 ],
    'and grows no more';
$fcall->send('FCALL', 'ol_history_add', 3, 'h:m', 'h:t', 'h:d', 1, 1, 1, MOST, 5)
    for 1 .. 1100;
is $fcall->send(HGET => 'h:d', 'p1'), 5500,
    'what a node claims does not stop what is counted';

$t->done;
