# A BitTorrent client over UDP (BEP 15), from an address and to one.
#
# Owns: its socket and connection id, packing and unpacking.  Every question
# has another transaction id, and only its answer is taken for one.

package Udp;

use strict;
use warnings;

use IO::Socket::IP;
use Socket qw(SOCK_DGRAM AF_INET AF_INET6);

use constant MAGIC => "\0\0\4\x17\x27\x10\x19\x80";

# to, port, from
sub new {
    my ($class, %o) = @_;

    # A connected socket hears only whom it asked.
    my $socket = IO::Socket::IP->new(Type => SOCK_DGRAM, Proto => 'udp',
        PeerHost => $o{to}, PeerPort => $o{port}, LocalHost => $o{from})
        or die "udp: $@\n";
    return bless { socket => $socket, v6 => scalar($o{to} =~ /:/), id => MAGIC,
        transaction => 1000 }, $class;
}

# The bytes that come back; '' if none do.
sub raw {
    my ($self, $bytes, $seconds) = @_;

    $self->{socket}->send($bytes);
    vec(my $bits = '', fileno $self->{socket}, 1) = 1;
    return '' unless select $bits, undef, undef, $seconds // 5;
    $self->{socket}->recv(my $got, 4096) // return '';
    return $got;
}

# One whose answer nobody waits for.
sub send {
    my ($self, $action, $rest) = @_;

    $self->{socket}->send($self->{id} . pack('NN', $action,
        ++$self->{transaction}) . $rest);
}

# A whole packet of that action; its answer's action and the rest of it.
sub ask {
    my ($self, $action, $rest, $id) = @_;

    my $transaction = ++$self->{transaction};
    my $got = $self->raw(($id // $self->{id}) . pack('NN', $action,
        $transaction) . $rest);
    return if length $got < 8;
    my ($kind, $echo) = unpack 'NN', $got;
    die "another's answer\n" if $echo != $transaction;
    return ($kind, substr $got, 8);
}

sub connect {
    my ($self) = @_;

    my ($kind, $rest) = $self->ask(0, '', MAGIC);
    die "no connection id\n" unless defined $kind && $kind == 0;
    return $self->{id} = $rest;
}

# The packet after its head; hash, port, left, event, want
sub announcement {
    my ($self, %o) = @_;

    return pack 'a20 a20 Q> Q> Q> N N N l> n', $o{hash}, 'p' x 20, 0,
        $o{left} // 1, 0, $o{event} // 0, 0, 0, $o{want} // -1, $o{port};
}

# {interval, leechers, seeders, peers => [address:port, …]} or {error}
sub announce {
    my ($self, %o) = @_;

    my ($kind, $rest) = $self->ask(1,
        $self->announcement(%o) . ($o{options} // ''), $o{id});
    return { error => 'none' } unless defined $kind;
    return { error => $rest } if $kind == 3;
    my %got;
    (@got{qw(interval leechers seeders)}, my $peers) = unpack 'N3 a*', $rest;
    my $size = $self->{v6} ? 18 : 6;
    die "half a peer\n" if length($peers) % $size;
    $got{peers} = [ map {
        my ($address, $port) = unpack 'a' . ($size - 2) . ' n', $_;
        Socket::inet_ntop($self->{v6} ? AF_INET6 : AF_INET, $address)
            . " $port";
    } unpack "(a$size)*", $peers ];
    return \%got;
}

# [[seeders, completed, leechers], …] or the error
sub scrape {
    my ($self, @hashes) = @_;

    my ($kind, $rest) = $self->ask(2, join '', @hashes);
    return $rest // 'none' unless defined $kind && $kind == 2;
    return [ map { [ unpack 'N3', $_ ] } unpack '(a12)*', $rest ];
}

1;
