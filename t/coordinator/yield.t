# Where nodes are full, among several sites: cold contents give up what they have
# above the least, to others below it and to those that are much hotter;
# nothing gives way to what would not fit all the same, and hot ones stay.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;

use constant MB => 1_000_000;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--holders', 1,
    '--holders-max', 2, '--audit-rate', 0 ]);
my @nodes = map { Stranger->new(test => $t, coordinator => $c, name => "n$_",
    host => "127.0.0.4$_") } 1, 2;

# Each has room for four contents of 1 MB.
$_->register(rate => MB), beat($_) for @nodes;
sub beat {
    $_[0]->heartbeat(store => $redis->cli('GET', 'store'),
        load => { rate => 0, connections => 0, free => 4.5 * MB });
}
sub root { return sprintf('%016x', $_[0]) x 4 }
sub wanted {
    my ($number) = @_;
    return scalar grep { $redis->cli('EXISTS', 'c:{' . root($number) . '}:w:'
        . $_->id) } @nodes;
}

# Contents of a site: number => [size, requests so far].
my %site;
sub offer {
    my ($name, %contents) = @_;
    $t->write("offer-$name", JSON::PP->new->encode([ map { { root => root($_),
        sub => "/$_", size => $contents{$_}[0], demand => $contents{$_}[1] } }
        sort keys %contents ]));
    return if $site{$name};
    $site{$name} = Site->new(test => $t, coordinator => $c, name => $name,
        host => $name eq 'a' ? '127.0.0.51' : '127.0.0.52', sync => sub {
            (200, { contents => JSON::PP->new->decode(
                $t->read($t->path("offer-$name"))) });
        });
    $site{$name}->join;
}

# A hot one and three that were asked for somewhat fill both nodes.
offer('a', map { $_ => [ MB, 0 ] } 1 .. 4);
$t->wait_for(sub { 4 == grep { wanted($_) == 1 } 1 .. 4 }, 'the least of all');
offer('a', 1 => [ MB, 5000 ], map { $_ => [ MB, 20 ] } 2 .. 4);
$t->wait_for(sub { 4 == grep { wanted($_) == 2 } 1 .. 4 }, 'two nodes for all');

# What fits no node takes nothing from anybody; one that fits takes it from a
# cold one, of another site.
offer('b', 10 => [ 100 * MB, 0 ], 11 => [ 4 * MB, 0 ], 12 => [ MB, 0 ]);
$t->wait_for(sub { wanted(12) == 1 }, 'a node for what has none', 20);
is wanted(1), 2, 'the hot one keeps both';
is eval { my $n = 0; $n += wanted($_) for 2 .. 4; $n }, 5,
    'one of the others gave up one';
is wanted(10) + wanted(11), 0, 'for what would not fit nothing gives way';

$t->done;
