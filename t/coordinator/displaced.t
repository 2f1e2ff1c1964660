# A node that holds in place of another is released once the other is back.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis,
    args => [ '--holders', 1, '--holders-max', 1 ]);
my @nodes = map { $t->node(coordinator => $c) } 1 .. 2;
my $origin = Origin->new($t, $c);
$origin->join;
$origin->file('f.bin', $t->bytes(1_000_000, 1));
my $m = $t->wait_for(sub {
    my $m = $origin->manifest('f.bin');
    return $m && @{ $m->{peers} } && $m;
}, 'a peer', 30);
is @{ $m->{peers} }, 1, 'one node holds it';
my $root = $m->{content}{root};
my ($first) = grep { $_->id eq $m->{peers}[0]{id} } @nodes;
my ($other) = grep { $_ != $first } @nodes;

sub wanted { $redis->cli('EXISTS', "c:{$root}:w:" . $_[0]->id) }

$first->kill;
$origin->wait_peers('f.bin', [$other], 60);
pass 'the other one takes its place';
ok wanted($other), 'and is to hold it';
$first->start;
$origin->wait_peers('f.bin', [$first], 60);
pass 'when the first one is back, it alone is offered';
ok wanted($first), 'it is to hold it';
ok !wanted($other), 'the other one need not';

$t->done;
