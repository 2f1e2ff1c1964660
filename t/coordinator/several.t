# Two coordinators on one Redis, with one key: a node talks to one, a site
# joined at the other; one pushes, and the other takes over when it dies.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $a = $t->coordinator(redis => $redis);
my $b = $t->coordinator(redis => $redis, key => $t->dir . '/coordinator-1.pem');
is $a->id, $b->id, 'two processes, one coordinator';
my @nodes = ($t->node(coordinator => $a), $t->node(coordinator => $b));
my $origin = Origin->new($t, $a);
$origin->join($b);

sub pusher { (grep { $_->log =~ /this process pushes to it/ } @_)[0] }

$origin->file('f.bin', $t->bytes(1_000_000, 1));
my $m = $origin->wait_peers('f.bin', \@nodes, 30);
pass 'nodes of both are placed and offered';
for my $c ($a, $b) {
    my $r = $t->http(GET => $c->url
        . "/v1/content/$m->{content}{root}/peers");
    is_deeply [ sort map { $_->{id} } @{ $t->json($r->{content})->{peers} } ],
        [ sort map { $_->id } @nodes ], 'both know both';
}

my $first = pusher($a, $b);
my $second = $first == $a ? $b : $a;
unlike $second->log, qr/this process pushes/, 'only one pushes';
$first->kill;
$t->wait_for(sub { $second->log =~ /this process pushes/ },
    'the other to take over', 15);
my ($left) = $first == $a ? $nodes[1] : $nodes[0];
$origin->file('g.bin', $t->bytes(700_000, 2));
$origin->manifest('g.bin');
$t->wait_for(sub {
    my $m = $origin->manifest('g.bin');
    $m && grep { $_->{id} eq $left->id } @{ $m->{peers} };
}, 'a new file to be placed', 30);
pass 'it goes on';

$t->done;
