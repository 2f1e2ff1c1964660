# What fails while everything goes on: Redis stops, dies, comes back empty, is
# slow, is full; a coordinator dies; clocks are wrong; a site answers garbage.
# Announces, heartbeats and syncs run all the time.  Afterwards every live
# holding is back within two heartbeats, no claimed byte is lost or counted
# twice, no answer took longer than 2 s, and memory is where it was.

use lib 't/lib', 't/coordinator/lib', 't/soak/lib';
use Offload::Test;
use Offload::Test::Crowd;
use Announcer;
use Origin;
use Time::HiRes qw(sleep time);

use constant {
    NODES     => 300,
    FILES     => 20,
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

$origin->file("$_.bin", $t->bytes(300_000, $_)) for 1 .. FILES;
my %root = map { $_ => root_of("$_.bin") } 1 .. FILES;

my $crowd = Offload::Test::Crowd->new(
    test => $t, coordinators => \@c, nodes => NODES,
    args => [ '--wait', 2000, '--beat', 500, '--site', $iss, '--serve', 1000 ],
);
my $announcer = Announcer->new($t, \@c, infohashes());
$t->wait_for(sub { ($crowd->last->{registered} // 0) == NODES }, 'the crowd',
    120);
$t->wait_for(\&all_held, 'every file at three nodes', 60);
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

# What was claimed is counted once: the crowd claims no more, and the last
# numbers are heard.
$crowd->signal('USR1');
$t->wait_for(sub {
    my $r = $crowd->last;
    $r->{served} > 0 && $r->{served} == $r->{served_told} && told() == $r->{served};
}, 'the ledger to have all claims', 60);
is told(), $crowd->last->{served}, 'no claimed byte is lost or counted twice';

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
        $back = all_held();
        sleep 0.2 unless $back;
    }
    ok $back && time <= $end, "$what: every holding is back within two heartbeats"
        or diag "held: ", join ' ', map { held($c[1], $_) } values %root;
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

# Bytes claimed of the site, by the ledger of all nodes.
sub told {
    my $r = $t->run($ENV{OFFLOAD_BUILD} . '/offload-coordinator', 'ledger',
        '--redis', $redis->url, '--format', 'jsonl');
    my $sum = 0;
    $sum += $t->json($_)->{claimed} for split /\n/, $r->{out};
    return $sum;
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
