# Peers are written by a connection of their own: when that is lost, there is
# another one, and what could not be written is, with the next announce.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Udp;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $port = $t->port;
my $c = $t->coordinator(redis => $redis, port => $port);
my $hash = 'w' x 20;
my $hex = unpack 'H*', $hash;
$t->wait_for(sub { $redis->cli('FUNCTION', 'LIST') =~ /ol_swarm_reg/ },
    'the functions to be there');
$redis->cli('FCALL', 'ol_swarm_register', 2, "t:{$hex}:m", "t:{$hex}:o",
    'a' x 64, 'b' x 64, 'f.iso', 1 << 20, time, time + 1800, 7200);

my $client = Udp->new(to => '127.0.0.1', from => '127.0.1.9', port => $port);
$client->connect;

sub announce { $client->announce(hash => $hash, port => $_[0]) }
sub written { $redis->cli('ZCARD', "t:{$hex}:l4") }

ok announce(7001)->{interval}, 'a peer announces';
is $t->wait_for(sub { written() }, 'it to be in Redis'), 1, '... is written';

# Of the coordinator's connections one last wrote a peer.
my ($id) = $redis->cli('CLIENT', 'LIST') =~ /^id=(\d+) .*cmd=(?:zadd|expire)/m;
ok $id, 'by a connection of its own';
is $redis->cli('CLIENT', 'KILL', 'ID', $id), 1, 'which is closed';
my $next = 7002;
$t->wait_for(sub { ok_announce($next++); written() > 1 },
    'another one to write');
ok 1, 'then another one writes';
ok_announce(7001);
$t->wait_for(sub { announce($_) for 7001 .. $next - 1;
    written() == $next - 7001 }, 'all to be written');
ok 1, '... what could not be, too';

# Peers that come together go together: Redis counts fewer commands than peers.
my ($had, $before, $many) = (written(), zadds(), 200);
$client->send(1, $client->announcement(hash => $hash, port => 8000 + $_))
    for 1 .. $many;
$t->wait_for(sub { written() == $had + $many }, 'all of them');
my $commands = zadds() - $before;
cmp_ok $commands, '<', $many, "$many peers by $commands commands";

sub zadds { $redis->cli('INFO', 'commandstats') =~ /cmdstat_zadd:calls=(\d+)/
    ? $1 : 0 }

sub ok_announce {
    my $r = announce($_[0]);
    die "refused: $r->{error}\n" if $r->{error};
}

$t->done;
