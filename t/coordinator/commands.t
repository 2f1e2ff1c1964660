# No command to Redis is unbounded: each one that the store or its functions may
# send is of a form that is known to be, and with all parts at work Redis has
# seen no other.  What is not known here is refused: add it with its bound.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;
use Stranger;

# One item of one key, or of as many as the command names; [log n] at most.
my %single = map { $_ => 1 } qw(GET SET INCR INCRBY DECRBY DEL EXISTS EXPIRE PEXPIRE TTL PTTL HGET HSET HSETNX
    HMGET HDEL HEXISTS HINCRBY HLEN ZADD ZREM ZSCORE ZCARD ZCOUNT SADD SREM SCARD SISMEMBER
    INFO TIME AUTH SELECT FUNCTION FCALL FCALL_RO);

# More than that: only so.  Removing what is due is paid for by what added it.
my %form = (
    ZRANGE => [
        qr/BYSCORE[', ].*\bLIMIT[', ]/,                        # a page
        qr/^ZRANGE keys\[1\] 0 excess - 1$/,                   # as many as were added
        qr/^ZRANGE keys\[1\] 0 args\[2\] - 1 REV WITHSCORES$/, # HOT_PAGE
        qr/^ZRANGE key 0 count - 1 REV/,                        # PEERS_WHOLE
        qr/^ZRANGE key 0 PEERS_SLICE - 1 REV/, qr/^ZRANGE key from from \+ PEERS_SLICE - 1 REV/,
        qr/^ZRANGE bans %llu %llu REV/,                        # STORE_BANS_PAGE
    ],
    ZRANGEBYSCORE => [qr/\bLIMIT\b/],
    ZRANGEBYLEX => [qr/\bLIMIT\b/],
    ZREMRANGEBYSCORE => [qr/^ZREMRANGEBYSCORE \S+ -inf /],
    ZREMRANGEBYRANK => [
        qr/^ZREMRANGEBYRANK keys\[2\] 0 -1 - BANS_MAX$/,
        qr/^ZREMRANGEBYRANK key 0 drop - 1$/,                  # PEERS_DROPPED
    ],
    ZPOPMIN => [qr/^ZPOPMIN \S+$/],
    SPOP => [qr/^SPOP \S+ %d$/],                               # STORE_RELEASE_PAGE
    HGETALL => [
        qr/^HGETALL key$/,       # of la:{N}:S, at most ACCOUNTS_MAX
        qr/^HGETALL keys\[k\]$/, # of ld:{N}:D, one line a site
    ],
    CLIENT => [qr/^CLIENT REPLY OFF$/],
    XADD => [qr/^XADD changes MAXLEN ~ %d /],
    XREAD => [qr/^XREAD COUNT %d /],
    XREVRANGE => [qr/COUNT 1$/],
);

sub is_bounded {
    my ($command) = @_;
    my ($name) = $command =~ /^(\w+)/;
    return $single{$name} || grep { $command =~ $_ } @{ $form{$name} // [] };
}

# ---------------------------------------------------------------- as written

# The arguments of each redis.call, blanks and quotes made alike.
sub lua_commands {
    my ($text) = @_;

    my @found;
    $text =~ s/--[^\n]*//g;
    while ($text =~ /redis\.p?call(?=(\((?:[^()']|'[^']*'|(?1))*\)))/g) {
        my $inside = substr $1, 1, -1;
        push @found, $inside =~ s/'([\w+~-]*)'/$1/gr =~ s/,\s*/ /gr =~ s/\s+/ /gr;
    }
    return @found;
}

# All strings of a C file that begin as a command does, their parts joined.
sub c_commands {
    my ($text) = @_;

    $text =~ s{/\*.*?\*/}{}gs;
    $text =~ s/"\s*"//g;
    return grep { /^[A-Z]{3,}(?:_RO)?(?: |$)/ && !/^(?:LIMIT|COUNT|BYSCORE|ERR|OOM)\b/ }
        $text =~ /"((?:[^"\\\n]|\\.)*)"/g;
}

my (%known, %called);
for my $file (glob 'coordinator/store/functions/*.lua') {
    my $text = do { local (@ARGV, $/) = $file; <> };
    $known{$1} = 1 while $text =~ /register_function\W+(?:function_name = ')?(ol_\w+)/g;
    my @commands = lua_commands($text);
    my @bad = grep { !is_bounded($_) } @commands;
    is_deeply \@bad, [], "$file: all of " . @commands;
    is scalar(() = $text =~ /redis\.p?call/g), @commands, "$file: none is missed";
}
for my $file (glob 'coordinator/store/*.c') {
    my $text = do { local (@ARGV, $/) = $file; <> };
    $called{$1} = 1 while $text =~ /\b(ol_\w+) ?\d?/g;
    my @commands = c_commands($text);
    is_deeply [ grep { !is_bounded($_) } @commands ], [], "$file: all of " . @commands;
}
is_deeply [ grep { !$called{$_} } sort keys %known ], [], 'no function is there for nothing';

# The check itself: it has to find what is not bounded.
ok !is_bounded($_), "not $_" for 'KEYS *', 'SMEMBERS x', 'HGETALL site:{%s}', 'SORT x',
    'ZRANGE nodes 0 -1', 'ZRANGEBYSCORE nodes -inf +inf', 'XREAD STREAMS changes 0',
    (lua_commands(q{redis.call('LRANGE', keys[1], 0, -1)}))[0],
    (c_commands(q{send("SUNION %s " /* all */
        "%s");}))[0], 'SCAN 0', 'EVAL x', 'FLUSHALL';

# ---------------------------------------------------------------- as seen

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--trusted-proxy', '127.0.0.1/32' ]);
my @nodes = map { $t->node(coordinator => $c, args => [ '--size', '1G' ]) } 1 .. 2;
my $origin = Origin->new($t, $c);
my $site = $origin->join;
$origin->file('f.bin', $t->bytes(1_000_000, 1));
my $root = $origin->wait_peers('f.bin', \@nodes)->{content}{root};
my $get = $t->offload('get', '--quiet', '-o', $t->path('got'), $origin->url . '/f.bin');
is $get->{status}, 0, 'a download' or diag $get->{err};

my $hash = unpack 'H*', 'x' x 20;
$redis->cli('FCALL', 'ol_swarm_register', 2, "t:{$hash}:m", "t:{$hash}:o", 'a' x 64, $root,
    'f.bin', 1 << 20, time, time + 1800, 7200);
for my $left (1, 0) {
    for my $event ('&event=started', '', '&event=completed', '&event=stopped') {
        $t->http(GET => $c->url . '/announce?info_hash=' . 'x' x 20 . "&peer_id=-TT0001-abcdefghijk$left"
            . "&port=688$left&uploaded=0&downloaded=0&compact=1&left=$left$event");
    }
}
$t->http(GET => $c->url . '/scrape?info_hash=' . 'x' x 20);
my $banned = Stranger->new(test => $t, coordinator => $c, name => 'n');
is $banned->register->{status}, 200, 'another node';
$t->run(Offload::Test::build() . '/offload-coordinator', 'ban', '--redis', $redis->url,
    $banned->id, 'as a test');
for my $path ('/', '/v1/status', '/metrics', '/healthz', "/v1/sites/$site->{id}",
    "/v1/content/$root/peers", '/v1/ledger', map { ('/v1/nodes/' . $_->id,
        '/v1/nodes/' . $_->id . '/ledger') } @nodes) {
    my $status = $t->http(GET => $c->url . $path)->{status};
    ok $status == 200 || $status == 404, "$path: $status";
}

my %stats = $redis->cli('INFO', 'commandstats') =~ /^cmdstat_([^:]+):calls=(\d+)/mg;
my %ours = map { lc() => 1 } keys %single, keys %form;
# PING and COMMAND are the test's own.
is_deeply [ grep { !$ours{s/\|.*//r} && !/^(?:ping|command)/ }
    sort keys %stats ], [], 'Redis has seen no other command';
cmp_ok scalar(keys %stats), '>', 20, 'of ' . keys %stats;
diag $_ for map { /^(cmdstat_\S+):.*usec_per_call=([\d.]+)/ && $2 > 200 ? "$1: $2 us a call" : () }
    split /\n/, $redis->cli('INFO', 'commandstats');
diag 'SLOWLOG: ', $redis->cli('SLOWLOG', 'LEN'), ' above 10 ms';

$t->done;
