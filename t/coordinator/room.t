# Room: what a node was promised counts, so that many contents at once overfill
# nobody; and where there is none, an extra node of what is asked for gives way
# to a content that has no node at all.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--holders', 1,
    '--holders-max', 2, '--audit-rate', 0 ]);
my @nodes = map { Stranger->new(test => $t, coordinator => $c, name => "n$_",
    host => "127.0.0.4$_") } 1, 2;

sub beat {
    my ($n, $free) = @_;
    $n->heartbeat(store => $redis->cli('GET', 'store'),
        load => { rate => 0, connections => 0, free => $free });
}
sub offer { $t->write('offer', JSON::PP->new->encode([@_])) }
sub content {
    my ($number, $demand) = @_;
    return { root => sprintf('%016x', $number) x 4, sub => "/$number",
        size => 1_000_000, demand => $demand };
}
sub wanted {
    my ($number) = @_;
    return scalar grep { $redis->cli('EXISTS', 'c:{' . content($number)->{root}
        . '}:w:' . $_->id) } @nodes;
}

# One has room for ten, the other one for all; of the same weight.
$_->register(rate => 1_000_000) for @nodes;
beat($nodes[0], 10_500_000);
beat($nodes[1], 1e12);
offer(map { content($_, 0) } 1 .. 300);
my $site = Site->new(test => $t, coordinator => $c, name => 'site',
    sync => sub { (200, { contents => JSON::PP->new->decode(
        $t->read($t->path('offer'))) }) });
$site->join;
$t->wait_for(sub { 300 == map { split /\n/, $redis->cli('ZRANGE',
    'a:{' . $_->id . '}', 0, -1) } @nodes }, 'placement of all');
is $redis->cli('ZCARD', 'a:{' . $nodes[0]->id . '}'), 10,
    'a node is promised what it has room for, and no more';

# They are gone; there is room for one on each, and one is asked for.
offer(map { { %{ content($_, 0) }, gone => \1 } } 1 .. 300);
$t->wait_for(sub { !grep { $redis->cli('ZCARD', 'a:{' . $_->id . '}') } @nodes },
    'all to go');
beat($_, 1_500_000) for @nodes;
offer(content(501, 0));
$t->wait_for(sub { wanted(501) == 1 }, 'its node');
offer(content(501, 1000));
$t->wait_for(sub { wanted(501) == 2 }, 'both nodes for it');
offer(content(501, 1000), content(502, 0));
$t->wait_for(sub { wanted(502) == 1 }, 'a node for the other one', 20);
is wanted(501), 1, 'what has two gives one to what has none';

$t->done;
