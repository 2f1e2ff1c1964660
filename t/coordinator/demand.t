# Demand moves the number of a content's nodes: up within seconds, not down
# again at once; nodes are told how hot it is; a counter that begins again is no
# less demand; two files with the same bytes are one content with two counters.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--holders', 1,
    '--holders-max', 4, '--audit-rate', 0 ]);
my @nodes = map { Stranger->new(test => $t, coordinator => $c, name => "n$_",
    host => "127.0.0.4$_") } 1 .. 5;
my $root = '5a' x 32;

# Of 1 MB/s each, so that one is worth half of that to a crowd.
$_->register(rate => 1_000_000) for @nodes;
sub beat {
    my ($n, %o) = @_;
    return $t->claims($n->heartbeat(store => $redis->cli('GET', 'store'),
        load => { rate => 0, connections => 0, free => 1e10 }, %o)->{content});
}
beat($_) for @nodes;

# Counters as a file says them: path => requests; "-": gone.
sub demand { $t->write('demand', join ' ', @_) }
demand('/a', 0);
my $site = Site->new(test => $t, coordinator => $c, name => 'site',
    sync => sub {
        my %d = split ' ', $t->read($t->path('demand'));
        return (200, { contents => [ map { { root => $root, sub => $_,
            size => 1_000_000, demand => 0 + ($d{$_} eq '-' ? 0 : $d{$_}),
            $d{$_} eq '-' ? (gone => \1) : () } } sort keys %d ] });
    });
$site->join;

sub wanted {
    return scalar grep { $redis->cli('EXISTS', "c:{$root}:w:" . $_->id) } @nodes;
}
sub peers {
    return $t->http(GET => $c->url . "/v1/content/$root/peers")->{status};
}

$t->wait_for(sub { wanted() == 1 }, 'one node');
$site->sync($site->syncs + 2);
is wanted(), 1, 'no demand: the least';
my ($first) = grep { $redis->cli('EXISTS', "c:{$root}:w:" . $_->id) } @nodes;
my ($told) = @{ beat($first)->{assign} };
is $told->{heat}, 0, 'which is told that it is cold';

my $start = time;
demand('/a', 100);
$t->wait_for(sub { wanted() == 4 }, 'four nodes');
cmp_ok time - $start, '<=', 3, 'a crowd: the most, within seconds';
is_deeply [ map { $_->{heat} } @{ beat($first)->{assign} } ], [6],
    'the first one is told that it is hot';

demand('/a', 3);
$site->sync($site->syncs + 3);
demand('/a', 4, '/b', 7);
$site->sync($site->syncs + 3);
is wanted(), 4, 'as many still when it is over, and the counter begins again';

demand('/a', '-', '/b', 7);
$site->sync($site->syncs + 3);
is peers(), 200, 'a file is gone, another one has the same bytes';
is wanted(), 4, 'so it is placed still';
demand('/a', '-', '/b', '-');
$t->wait_for(sub { peers() == 404 }, 'the content to go');
$t->wait_for(sub { wanted() == 0 }, 'its nodes to be let go');
pass 'it goes with the last one';

$t->done;
