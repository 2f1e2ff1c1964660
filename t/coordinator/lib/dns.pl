# A name server that changes its mind: dns.pl ADDRESS:PORT LOG NAME=A,B,...
#
# The first question for a name's IPv4 address is answered with the first
# address, the next one with the second, and the last one stays; a "+" joins
# several in one answer.  No name has an IPv6 address.  Each answer is a line in
# LOG.

use strict;
use warnings;

use IO::Socket::INET;
use Socket qw(inet_aton);

my ($listen, $log, @names) = @ARGV;
my %answers = map { my ($name, $list) = split /=/; $name => [ split /,/, $list ] }
    @names;

my $socket = IO::Socket::INET->new(Proto => 'udp', LocalAddr => $listen)
    or die "$listen: $!\n";
open my $out, '>>', $log or die "$log: $!\n";
$out->autoflush(1);
$SIG{TERM} = sub { exit 0 };
print $out "ready\n";

while (defined(my $from = $socket->recv(my $packet, 512))) {
    my ($id, $flags, $questions) = unpack 'n n n', $packet;
    my ($name, $at) = ('', 12);
    while (my $len = ord substr $packet, $at, 1) {
        $name .= ($name eq '' ? '' : '.') . substr $packet, $at + 1, $len;
        $at += 1 + $len;
    }
    my ($type) = unpack 'n', substr $packet, $at + 1, 2;
    my $question = substr $packet, 12, $at + 5 - 12;

    my @addresses;
    if ($type == 1 && $answers{ lc $name }) {
        my $list = $answers{ lc $name };
        @addresses = split /\+/, @$list > 1 ? shift @$list : $list->[0];
        print $out "$name @addresses\n";
    }
    my $answer = pack('n n n n n n', $id, 0x8580, 1, scalar @addresses, 0, 0)
        . $question;
    $answer .= pack('n n n N n', 0xc00c, 1, 1, 0, 4) . inet_aton($_)
        for @addresses;
    $socket->send($answer, 0, $from);
}
