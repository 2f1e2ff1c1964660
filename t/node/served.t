# What a node says it has served: bytes that clients got, by site, to each of
# its coordinators what that one has not heard yet.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;
use IO::Socket::INET;

my $t = Offload::Test->new;
my ($s, $other) = map { Scripted->new($t) } 1 .. 2;
$_->say_from_now(hold => 0.2) for $s, $other;
my $bytes = $t->bytes(600_000, 1);
my $c = $s->content('/f.bin', $bytes);
my $same = $other->content('/same.bin', $bytes);
my $node = $t->node(coordinator => [ map { $_->coordinator } $s, $other ],
    args => [qw(--rate 100M)]);
$s->assign($c, $node);
$s->wait_complete($c, $node);
$other->assign($same, $node);
$other->wait_complete($same, $node);

sub get { $t->http(GET => $node->url . $_[0], headers => $_[1] // {})->{status} }

# The last that a coordinator was told of a site.
sub told {
    my ($coordinator, $iss) = @_;
    my @bytes = map { $_->{bytes} } grep { $_->{iss} eq $iss }
        $coordinator->said($node, 'served');
    return $bytes[-1] // 0;
}

sub wait_told {
    my ($coordinator, $iss, $sum, $what) = @_;
    $t->wait_for(sub { told($coordinator, $iss) == $sum }, $what);
    pass $what;
}

is get($c->{path}), 200, 'a client';
is get($c->{path}, { Range => 'bytes=0-99' }), 206, 'a part';
is get($c->{path}, { 'Offload-Hop' => 1 }), 200, 'another node';
is get("/c/$c->{root}/pieces"), 200, 'the table';
is $t->http(HEAD => $node->url . $c->{path})->{status}, 200, 'a HEAD';
wait_told($s, $s->url, 600_100, 'what clients got is told, nothing else');
wait_told($other, $s->url, 600_100, 'to every coordinator');
is told($s, $other->url), 0, 'it belongs to the first site';

is get($same->{path}), 200, 'a client with a ticket of the other site';
wait_told($s, $other->url, 600_000, 'it is that one\'s');
is told($s, $s->url), 600_100, 'and not the first one\'s';
is get("/c/$c->{root}"), 200, 'a client without a ticket';
wait_told($s, $s->url, 1_200_100, 'counts for the first site');

# Without a limit of the rate the system sends the file: the same, but what is
# cut short is nothing.
my $large = $s->content('/large.bin', $t->bytes(30_000_000, 3));
my $quick = $t->node(coordinator => $s->coordinator);
$s->assign($large, $quick);
$s->wait_complete($large, $quick);
my ($host, $port) = $quick->url =~ m{//(.*):(\d+)};
my $cut = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port);
print $cut "GET $large->{path} HTTP/1.1\r\nHost: x\r\n\r\n";
$cut->flush;
read $cut, my $some, 100_000;
close $cut;
is $t->http(GET => $quick->url . $large->{path})->{status}, 200, 'one that is quick';
$t->wait_for(sub { $s->said($quick, 'served') }, 'its word');
is_deeply [ map { $_->{bytes} } $s->said($quick, 'served') ], [30_000_000],
    'counts what went out whole';

my @epochs = map { $_->{epoch} // () } $s->beats($node);
like $epochs[0], qr/^[\w-]{22}$/, 'it has an epoch';
is scalar(grep { $_ ne $epochs[0] } @epochs), 0, 'one';

# Told until it is heard: by each for itself.
$s->say_from_now(refuse => [ '/v1/nodes/heartbeat', 'seq', 9e15, 503,
    '{"error":"busy"}', 'application/json', 'Retry-After: 1' ]);
is get($c->{path}), 200, 'a client while one coordinator is busy';
wait_told($other, $s->url, 1_800_100, 'the other one hears of it');
is told($s, $s->url), 1_200_100, 'the busy one does not';
$s->say_from_now(refuse => undef);
wait_told($s, $s->url, 1_800_100, 'but later');

# Another store knows nothing.
my $beats = $other->beats($node);
$other->say_from_now(store => 'two');
$t->wait_for(sub {
    my @later = ($other->beats($node))[ $beats .. $other->beats($node) - 1 ];
    my %told = map { $_->{iss} => $_->{bytes} } map { @{ $_->{served} // [] } }
        grep { $_->{store} eq 'two' } @later;
    ($told{ $s->url } // 0) == 1_800_100
        && ($told{ $other->url } // 0) == 600_000;
}, 'all of it again');
pass 'another store is told all';

# Another start is another epoch, which begins at nothing.
$node->stop;
$node->start;
is get($c->{path}), 200, 'a client after a restart';
$t->wait_for(sub { my $e = ($s->beats($node))[-1]{epoch};
    $e && $e ne $epochs[0] }, 'another epoch');
is told($s, $s->url), 600_000, 'it begins at nothing';

$t->done;
