# What fails while everything goes on: Redis stops, dies, comes back empty, is
# slow, is full; a coordinator dies; clocks are wrong; a site answers garbage.
# Announces, heartbeats, receipts and syncs run all the time.  Afterwards every
# live holding is back within two heartbeats, and so are the swarms; no byte
# that a node claims, a client confirms or that is credited is lost or counted
# twice; no answer took longer than 2 s, and memory is where it was.

use lib 't/lib', 't/coordinator/lib', 't/soak/lib';
use Offload::Test;
use Offload::Test::Crowd;
use Announcer;
use List::Util qw(min sum0);
use Origin;
use Time::HiRes qw(sleep time);

use constant {
    NODES     => 300,
    FILES     => 20,
    SIZE      => 300_000,
    HEARTBEAT => 10,
    SLOWEST   => 2,     # seconds, of an answer
};

my $t = Offload::Test->new;
my $redis = $t->redis(args => [ '--enable-debug-command', 'yes' ]);
my $key = $t->key('coordinator');
my @c = map { $t->coordinator(redis => $redis, key => $key->{file},
    args => [ '--audit-rate', 0 ]) } 1 .. 2;
my $origin = Origin->new($t, $c[0]);
$origin->join;
my $iss = $origin->url;

$origin->file("$_.bin", $t->bytes(SIZE, $_)) for 1 .. FILES;
my %root = map { $_ => root_of("$_.bin") } 1 .. FILES;

my $crowd = Offload::Test::Crowd->new(
    test => $t, coordinators => \@c, nodes => NODES,
    args => [ '--wait', 2000, '--beat', 500, '--site', $iss, '--serve', 1000 ],
);
my @hashes = infohashes();
my $announcer = Announcer->new($t, \@c, @hashes);
$t->wait_for(sub { ($crowd->last->{registered} // 0) == NODES }, 'the crowd',
    120);
$t->wait_for(\&all_held, 'every file at three nodes', 60);
my $reporter = $t->spawn($^X, 't/soak/lib/report.pl', $iss,
    map { "$_.bin:" . SIZE } 1 .. FILES);
$t->wait_for(sub { swarms() >= FILES }, 'the swarms', 60);
my %memory = map { $_->name => $_->memory } @c;

after('Redis stopped for 30 s', sub {
    $redis->signal('STOP');
    sleep 30;
    $redis->signal('CONT');
});

after('Redis killed and started again', sub {
    $redis->kill;
    sleep 3;
    $redis->start;
});

after('Redis killed and started empty', sub {
    $redis->kill;
    unlink glob $t->dir . '/redis-1/appendonlydir/*';
    $redis->start;
});

after('Redis takes 100 ms for each turn', sub {
    my $end = time + 20;
    $redis->cli('DEBUG', 'SLEEP', '0.1') while time < $end;
});

after('Redis is full', sub {
    $redis->cli('CONFIG', 'SET', 'maxmemory', 1);
    sleep 15;
    $redis->cli('CONFIG', 'SET', 'maxmemory', 0);
});

after('a coordinator dies', sub {
    $c[0]->kill;
    sleep 15;
    $c[0]->start;
    $memory{ $c[0]->name } = 0;     # another process
});

after('a site answers garbage', sub {
    my $garbage = $t->serve(sub {
        (200, { 'Content-Type' => 'application/jwt' }, "\0\xff" x 5000)
    });
    my $url = $garbage->url;
    $t->http(POST => $_->url . '/v1/sites', body => qq({"origin":"$url"}))
        for @c, @c;
    $redis->cli(FCALL => ol_site_put => 2, "site:{$_}", 'sites', $_, $url,
        int time) for '0' x 64;
    sleep 10;
});

after('nodes whose clocks are an hour off', sub {
    for my $skew (3600, -3600) {
        my $wrong = Offload::Test::Crowd->new(
            test => $t, coordinators => \@c, nodes => 5,
            args => [ '--skew', $skew, '--wait', 500 ]);
        $t->wait_for(sub { ($wrong->last->{beats} // 0) >= 10 },
            'heartbeats of nodes with a wrong clock', 30);
        $wrong->stop;
    }
});

# The crowd claims no more, and no client reports; the last numbers are heard.
$crowd->signal('USR1');
$reporter->stop;
my $reported = $t->json($t->read($reporter->{out}));
diag 'reports: ', join ', ', map { "$_: $reported->{count}{$_}" }
    sort keys %{ $reported->{count} };
my $confirmed = sum0(values %{ $reported->{bytes} });
cmp_ok $confirmed, '>', 10_000_000, 'clients have reported much';
eval {
    $t->wait_for(sub {
        my $r = $crowd->last;
        return 0 if !$r->{served} || $r->{served} != $r->{served_told};
        my $l = ledger();
        sum0(map { $_->{claimed} } values %$l) == $r->{served}
            && sum0(map { $_->{confirmed} } values %$l) == $confirmed;
    }, 'the ledger to have it all', 60);
};
my $ledger = ledger();
is sum0(map { $_->{claimed} } values %$ledger), $crowd->last->{served},
    'no claimed byte is lost or counted twice';
is_deeply { map { $_ => $ledger->{$_}{confirmed} }
        grep { $ledger->{$_}{confirmed} } keys %$ledger },
    $reported->{bytes}, 'nor one that clients say they got from any node';
is_deeply [ grep { $_->{credited} != min(@$_{qw(claimed confirmed)}) }
    values %$ledger ], [], 'each node is credited the smaller of the two';
cmp_ok sum0(map { $_->{credited} } values %$ledger), '>', 1_000_000,
    'which is much';

my $last = $crowd->last;
diag "heartbeats $last->{beats}, refused $last->{refused}, busy $last->{busy}, "
    . "broken $last->{broken}, slowest $last->{slowest_ms} ms";
is $last->{slow}, 0, 'no answer to a node took more than 2 s'
    or diag explain $last;
my $a = $announcer->end;
diag "announces $a->{answers}, failed $a->{failed}, slowest $a->{slowest} s";
cmp_ok $a->{answers}, '>', 1000, 'announces went on';
cmp_ok $a->{slowest}, '<', SLOWEST, 'no announce took more than 2 s';
for my $c (@c) {
    my $before = $memory{ $c->name } or next;
    cmp_ok $c->memory, '<', $before + 32_768,
        $c->name . ": memory is where it was (KiB; before: $before)";
}

$t->done;

sub after {
    my ($what, $fault) = @_;

    $fault->();
    my $end = time + 2 * HEARTBEAT;
    my $back = 0;
    until ($back || time > $end + 5) {
        $back = all_held() && swarms() >= FILES;
        sleep 0.2 unless $back;
    }
    ok $back && time <= $end,
        "$what: every holding and swarm is back within two heartbeats"
        or diag swarms(), " swarms; held: ",
            join ' ', map { held($c[1], $_) } values %root;
    is $t->http(GET => $_->url . '/healthz')->{status}, 200,
        "$what: " . $_->name . ' is healthy' for @c;
}

sub root_of {
    my ($name) = @_;
    my $m;
    $t->wait_for(sub { $m = $origin->manifest($name, 'manifest') }, $name);
    return $m->{content}{root};
}

sub held {
    my ($c, $root) = @_;
    my $r = $t->http(GET => $c->url . "/v1/content/$root/peers");
    return 0 unless $r->{status} == 200;
    return scalar grep { $_->{complete} } @{ $t->json($r->{content})->{peers} };
}

sub all_held {
    for my $c (@c) {
        for my $root (values %root) {
            return 0 if held($c, $root) < 3;
        }
    }
    return 1;
}

# How many swarms have ten peers or more in Redis, by whoever knows the fewest.
sub swarms {
    my $query = join '&', map { 'info_hash=' . s/(.)/sprintf '%%%02x', ord $1/gser }
        @hashes;
    return min(map {
        scalar grep { $_ >= 10 }
            $t->http(GET => $_->url . "/scrape?$query")->{content}
                =~ /10:incompletei(\d+)e/g
    } @c);
}

# The site's ledger by node: {claimed, confirmed, credited}.
sub ledger {
    my $r = $t->run(Offload::Test::build() . '/offload-coordinator', 'ledger',
        '--redis', $redis->url, '--format', 'jsonl');
    my %sum;
    for my $line (map { $t->json($_) } split /\n/, $r->{out}) {
        $sum{ $line->{node} }{$_} += $line->{$_}
            for qw(claimed confirmed credited);
    }
    return \%sum;
}

sub infohashes {
    return map {
        my $r = $t->http(GET => $origin->url . "/$_.bin.torrent");
        require Digest::SHA;
        my ($info) = $r->{content} =~ /4:info(d.*e)8:url-list/s
            or die 'no info in the torrent';
        Digest::SHA::sha1($info);
    } 1 .. FILES;
}
