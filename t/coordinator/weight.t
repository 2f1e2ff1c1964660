# What a node takes: only contents of the sites that it serves; and what it is
# worth: as much of its capacity and rate as it says.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my $origin = Origin->new($t, $c);
my ($all, $this, $other) = map { Stranger->new(test => $t, coordinator => $c,
    name => $_) } qw(all this other);
my $store = $redis->cli('GET', 'store');

sub node {
    my ($who) = @_;
    return $t->json($t->http(GET => $c->url . '/v1/nodes/' . $who->id)
        ->{content});
}

sub assigned {
    my ($who) = @_;
    my $r = $who->heartbeat(store => $store);
    return map { $_->{sub} } @{ $t->claims($r->{content})->{assign} };
}

is $all->register->{status}, 200, 'one serves all sites';
is $this->register(sites => [ 'http://a.example', $origin->url ],
    weight => 50)->{status}, 200, 'one serves two';
is $other->register(sites => ['http://a.example'])->{status}, 200,
    'one serves another one';
is $all->register(weight => 0)->{status}, 400, 'no weight at all is refused';
is $all->register(sites => ['http://A.example'])->{status}, 400,
    'so is an origin that is not in its one spelling';
$_->heartbeat for $all, $this, $other;

my $seen = $t->wait_for(sub { my $n = node($this); $n->{listed} && $n },
    'it to be listed');
is_deeply $seen->{sites}, [ 'http://a.example', $origin->url ],
    'its sites are shown';
is $seen->{percent}, 50, 'and its weight';
cmp_ok abs(node($all)->{weight} / $seen->{weight} - 2), '<', 0.01,
    'half of what the same one without it counts';

$origin->join;
$origin->file('f.bin', $t->bytes(1_000_000, 1));
my %told;
$t->wait_for(sub {
    $origin->manifest('f.bin');
    $told{all}  ||= grep { $_ eq '/f.bin' } assigned($all);
    $told{this} ||= grep { $_ eq '/f.bin' } assigned($this);
    return $told{all} && $told{this};
}, 'both to be assigned the file');
pass 'those that serve the site are to hold its file';
is_deeply [ assigned($other) ], [], 'the one that does not is not';

is $other->register->{status}, 200, 'it serves all now';
ok $t->wait_for(sub { $origin->manifest('f.bin'); assigned($other) },
    'an assignment'), 'it is to hold the file, too';

$t->done;
