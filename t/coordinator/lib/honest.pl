# An honest client of a coordinator, as long as others are not: honest.pl
# HOST:PORT ROOT INFOHASH... (hex).
#
# In turn, from an address of its own: /healthz by a new connection, an announce
# by HTTP on a connection that is kept, one by UDP with a new connection id, and
# who has the root's bytes.  Infohashes are taken in turn.  After SIGTERM it
# prints a line of JSON: of each kind how many, what failed, and seconds of the
# median and of the slowest.

use strict;
use warnings;

use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(sleep time);

use constant {
    FROM    => '46.1.1.1',
    PATIENT => 5,     # seconds
    AGAIN   => 0.5,   # then a packet is sent again
};

my ($to, $root, @hashes) = @ARGV;
my $ended;
$SIG{TERM} = sub { $ended = 1 };
$SIG{PIPE} = 'IGNORE';
my %options = (timeout => PATIENT, local_address => FROM);
my $fresh = HTTP::Tiny->new(%options, keep_alive => 0);
my $kept = HTTP::Tiny->new(%options, keep_alive => 1);
my (%took, %failed);

sub get {
    my ($http, $path, $want) = @_;
    my $r = $http->get("http://$to$path");
    return if $r->{status} == 200 && $r->{content} =~ $want;
    return "$r->{status} " . substr $r->{content}, 0, 200;
}

# Packets may be lost; the answer, and '' if there was none.
sub ask {
    my ($s, $packet) = @_;
    my $end = time + PATIENT;
    while (time < $end) {
        send $s, $packet, 0;
        vec(my $in = '', fileno $s, 1) = 1;
        next unless select $in, undef, undef, AGAIN;
        return $packet if defined recv $s, $packet, 2048, 0;
    }
    return '';
}

sub udp {
    my ($hash) = @_;
    my $s = IO::Socket::INET->new(Proto => 'udp', PeerAddr => $to,
        LocalAddr => FROM) or return "socket: $@";
    my $answer = ask($s, pack "N4", 0x417, 0x27101980, 0, 1);
    return 'no connection id' unless length $answer == 16;
    $answer = ask($s, pack 'a8 N N a20 a20 Q> Q> Q> N N N l> n',
        substr($answer, 8), 1, 2, pack('H*', $hash), 'p' x 20, 0, 1, 0, 0, 0, 0,
        -1, 7000);
    return if length $answer >= 20 && unpack('N', $answer) == 1;
    return 'announce: ' . ($answer eq '' ? 'nothing' : substr $answer, 8);
}

my %kinds = (
    healthz => sub { get($fresh, '/healthz', qr/"ok".*"ok"/) },
    http => sub {
        get($kept, '/announce?port=7001&left=1&compact=1&info_hash='
            . $_[0] =~ s/(..)/%$1/gr, qr/^d.*5:peers/s);
    },
    udp   => \&udp,
    peers => sub { get($fresh, "/v1/content/$root/peers", qr/"complete":true/) },
);
for (my $i = 0; !$ended; $i++) {
    for my $kind (sort keys %kinds) {
        my $start = time;
        my $why = $kinds{$kind}->($hashes[ $i % @hashes ]);
        push @{ $took{$kind} }, time - $start;
        push @{ $failed{$kind} }, $why =~ s/[^ -~]/?/gr if defined $why;
    }
    sleep 0.12;    # at most 20 announces a second
}
my %report = map {
    my @sorted = sort { $a <=> $b } @{ $took{$_} };
    ($_ => { count => scalar @sorted, median => $sorted[ @sorted / 2 ],
        slowest => $sorted[-1], failed => $failed{$_} // [] });
} keys %took;
print JSON::PP->new->canonical->encode(\%report), "\n";
