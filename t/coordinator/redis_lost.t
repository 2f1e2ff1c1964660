# Redis goes away, comes back, and comes back empty: nothing crashes, what
# cannot be done is told with Retry-After, and all is there again by itself.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my @nodes = map { $t->node(coordinator => $c) } 1 .. 2;
my $origin = Origin->new($t, $c);
my $site = $origin->join;
$origin->file('f.bin', $t->bytes(1_000_000, 1));
my $m = $origin->wait_peers('f.bin', \@nodes);
my $root = $m->{content}{root};

sub health { $t->http(GET => $c->url . '/healthz') }

my $r = health();
is $r->{status}, 200, 'healthy';
is $r->{content}, '{"status":"ok","redis":"ok"}', 'and says so';

$redis->kill;
$t->wait_for(sub { health()->{status} == 503 }, 'healthz to notice');
my $n = Stranger->new(test => $t, coordinator => $c, name => 'n');
for my $try (
    [ register => sub { $n->register } ],
    [ heartbeat => sub { $n->heartbeat } ],
    [ join => sub { $t->http(POST => $c->url . '/v1/sites',
        body => '{"origin":"' . $origin->url . '"}') } ],
    [ site => sub { $t->http(GET => $c->url . "/v1/sites/$site->{id}") } ],
    [ peers => sub { $t->http(GET => $c->url . "/v1/content/$root/peers") } ],
) {
    my ($what, $ask) = @$try;
    my $r = $ask->();
    is $r->{status}, 503, "$what: not now";
    like $r->{headers}{'retry-after'}, qr/^[1-9]$/, 'but soon';
}
ok $origin->manifest('f.bin'), 'the origin goes on with the nodes it knows';

$redis->start;
$t->wait_for(sub { health()->{status} == 200 }, 'healthz to recover');
is $n->register->{status}, 200, 'nodes register again';
$origin->wait_peers('f.bin', \@nodes);
$t->wait_for(sub { $redis->cli('ZCARD', 'nodes') >= 2 }, 'heartbeats');
pass 'the nodes are heard again';

# Emptied while it is connected: a new store, so all that was told is told
# again.
my $store = $redis->cli('GET', 'store');
$redis->cli('FLUSHALL');
$t->wait_for(sub { my $new = $redis->cli('GET', 'store');
    $new && $new ne $store }, 'another store');
$t->wait_for(sub {
    my $r = $t->http(GET => $c->url . "/v1/content/$root/peers");
    $r->{status} == 200 && 2 == grep { $_->{complete} }
        @{ $t->json($r->{content})->{peers} };
}, 'all holdings', 30);
pass 'the nodes have registered and told their holdings again';
is $t->http(GET => $c->url . "/v1/sites/$site->{id}")->{status}, 200,
    'the site is known again';
$origin->file('g.bin', $t->bytes(700_000, 2));
$origin->manifest('g.bin');
$origin->wait_peers('g.bin', \@nodes, 30);
pass 'new files are placed';
$origin->wait_peers('f.bin', \@nodes);

# Restarted without its data.
$redis->kill;
File::Path::remove_tree(glob $t->dir . '/redis-1/appendonly*');
$redis->start;
$origin->file('h.bin', $t->bytes(600_000, 3));
$origin->manifest('h.bin');
$origin->wait_peers('h.bin', \@nodes, 40);
pass 'all is well after Redis has lost its disk';

$t->done;
