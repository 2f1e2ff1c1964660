# Two workers on one port: whichever of them a peer reaches, over HTTP or UDP,
# both hand it out, take each other's connection ids and count alike.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Swarm;
use Udp;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $port = $t->port;
my $c = $t->coordinator(redis => $redis, port => $port,
    args => [ '--workers', 2, '--trusted-proxy', '127.0.0.0/8' ]);
my $s = Swarm->new($t, $c, hash => 'w' x 20);
$s->register($redis);
is scalar($c->workers), 2, 'two workers';

# The kernel spreads clients by their ports; each of these has another one.
use constant CLIENTS => 12;
my @udp = map { Udp->new(to => '127.0.0.1', port => $port,
    from => '127.0.2.1') } 1 .. CLIENTS;
$t->wait_for(sub { !$s->announce(from => '203.0.113.1', port => 1, left => 5)
    ->{'failure reason'} }, 'Redis') for 1 .. CLIENTS;
$s->announce(from => "203.0.$_.1", port => 1, left => 5) for 1 .. CLIENTS;

my $id = $udp[0]->connect;
for my $n (0 .. $#udp) {
    $udp[$n]{id} = $id;
    my $r = $udp[$n]->announce(hash => $s->{hash}, port => 7000 + $n, left => 5);
    is $r->{error}, undef, "client $n: the id that one worker gave is good";
}
my @all = sort +(map { "203.0.$_.1 1" } 1 .. CLIENTS, 113),
    map { "127.0.2.1 $_" } 7000 .. 7000 + $#udp;

# Whoever asks is no peer himself, since he has no port.
sub by_http {
    return join ' ', sort @{ $s->announce(from => '203.0.200.1', left => 5)
        ->{peers} };
}
$t->wait_for(sub { CLIENTS == grep { by_http() eq "@all" } 1 .. CLIENTS },
    'all peers over HTTP, from both');
for my $client (@udp) {
    my $r = $client->announce(hash => $s->{hash}, port => 0, left => 5);
    is join(' ', sort @{ $r->{peers} }), "@all", 'the same over UDP';
    is $r->{leechers}, @all, '... and as many';
}

# What one is told of a peer's end, the other hears.
$udp[0]->announce(hash => $s->{hash}, port => 7000, event => 3);
@all = grep { $_ ne '127.0.2.1 7000' } @all;
$t->wait_for(sub { CLIENTS == grep { by_http() eq "@all" } 1 .. CLIENTS },
    'who has stopped to be gone, from both');
is $s->scrape->{incomplete}, @all, 'a scrape counts the same';

$t->done;
