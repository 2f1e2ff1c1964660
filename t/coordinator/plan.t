# offload-coordinator plan: what it says is what a coordinator does with the
# same nodes and contents; its table; input that it refuses.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--holders', 2,
    '--audit-rate', 0 ]);
my @nodes = map { { capacity => 20e9 * 2**$_, rate => 1e6 * 3**$_,
    node => Stranger->new(test => $t, coordinator => $c, name => "n$_",
    host => "127.0.0.4$_") } } 1 .. 5;
for my $n (@nodes) {
    $n->{node}->register(capacity => $n->{capacity}, rate => $n->{rate});
    $n->{node}->heartbeat(store => $redis->cli('GET', 'store'),
        load => { rate => 0, connections => 0, free => $n->{capacity} });
}
# The fourth is full, the fifth drains.
$nodes[3]{free} = 10;
$nodes[4]{draining} = \1;
$nodes[3]{node}->heartbeat(load => { rate => 0, connections => 0, free => 10 });
$nodes[4]{node}->heartbeat(drain => \1,
    load => { rate => 0, connections => 0, free => 1e12 });

my @contents = map { { root => sprintf('%016x', $_ * 7919) x 4, size => 1e6 * $_,
    sub => "/$_", demand => 0 } } 1 .. 20;
my $site = Site->new(test => $t, coordinator => $c, name => 'site',
    sync => sub { (200, { contents => \@contents }) });
$site->join;

# Which nodes a content is wanted of, by their places.
sub real {
    my ($root) = @_;
    return join ' ', grep {
        $redis->cli('EXISTS', "c:{$root}:w:" . $nodes[$_]{node}->id)
    } 0 .. $#nodes;
}
$t->wait_for(sub { real($contents[-1]{root}) ne '' }, 'placement');

my %input = (salt => $redis->cli('GET', 'salt'), contents => \@contents,
    nodes => [ map { { id => $_->{node}->id, capacity => $_->{capacity},
        rate => $_->{rate}, free => $_->{free} // $_->{capacity},
        draining => $_->{draining} // \0 } } @nodes ]);
my $file = $t->write('plan.json', JSON::PP->new->encode(\%input));
my @plan = ($t->build . '/offload-coordinator', 'plan');
my $r = $t->run(@plan, '--json', '--holders', 2, $file);
is $r->{status}, 0, 'a plan' or diag $r->{err};
my $plan = $t->json($r->{out});
my %place = map { $nodes[$_]{node}->id => $_ } 0 .. $#nodes;
is_deeply { map { $_->{root} => join ' ', sort map { $place{$_} }
        @{ $_->{nodes} } } @{ $plan->{contents} } },
    { map { $_->{root} => real($_->{root}) } @contents },
    'every content is where the coordinator places it';
my %used = map { $_->{id} => $_->{contents} } @{ $plan->{nodes} };
is $used{ $nodes[3]{node}->id } + $used{ $nodes[4]{node}->id }, 0,
    'nothing on nodes that are full or drain';
is eval { my $n = 0; $n += $_ for values %used; $n }, 40, 'two nodes for each';

$contents[0]{demand} = 100;
$t->write('plan.json', JSON::PP->new->encode(\%input));
$r = $t->run(@plan, $file);
like $r->{out}, qr/^\w{24} +1000000 +100\.000 +18 +7  \S/m,
    'demand draws nodes, in a table';
like $r->{out}, qr/draining$/m, 'with the nodes';

is $t->run(@plan, '--holders', 25)->{status}, 2, 'too many holders';
$t->write('plan.json', '{"nodes":[{"id":"x"}],"contents":[]}');
$r = $t->run(@plan, $file);
is $r->{status}, 1, 'a node without capacity';
like $r->{err}, qr/nodes\[0\]: a node needs an id and a capacity/, 'it says so';

$t->done;
