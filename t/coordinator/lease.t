# A coordinator process that cannot reach a site leaves it to one that can.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $a = $t->coordinator(redis => $redis);
my $node = $t->node(coordinator => $a);
my $origin = Origin->new($t, $a);
my $site = $origin->join;
$t->wait_for(sub { $a->log =~ /this process pushes to it/ }, 'it to push');
$a->kill;
$redis->cli('DEL', "lease:{$site->{id}}");

# The same key and Redis, but no --allow-net: loopback is out of its reach.
my $port = $t->port;
my $b = $t->spawn(Offload::Test::build() . '/offload-coordinator',
    '--listen', "127.0.0.1:$port", '--redis', $redis->url,
    '--key', $t->dir . '/coordinator-1.pem');
my $lease = "lease:{$site->{id}}";
my $owner = $t->wait_for(sub { $redis->cli('GET', $lease) },
    'the other one to have the lease');
$a->start;
$t->wait_for(sub {
    my $now = $redis->cli('GET', $lease);
    return $now && $now ne $owner;
}, 'the first one to have it again', 40);
pass 'the lease moves';
$origin->file('f.bin', $t->bytes(1_000_000, 1));
$origin->wait_peers('f.bin', [$node], 30);
pass 'the site is served';
isnt $redis->cli('GET', $lease), $owner, 'the other one stays out';
$b->signal('TERM');
is $b->wait, 0, 'it ends';

$t->done;
