# Commands to Redis by one connection: quick, and as many as a test wants.

package Fcall;

use strict;
use warnings;

use IO::Socket::UNIX;

sub new {
    my ($class, $redis) = @_;

    my $socket = IO::Socket::UNIX->new($redis->socket) or die "redis: $!";
    return bless { socket => $socket }, $class;
}

# The reply; the items of one that is an array.
sub send {
    my ($self, @args) = @_;

    my $s = $self->{socket};
    print $s '*' . @args . "\r\n", map { '$' . length() . "\r\n$_\r\n" } @args;
    $s->flush;
    return $self->_reply;
}

sub _reply {
    my ($self) = @_;

    my $line = readline $self->{socket};
    die "Redis is gone\n" unless defined $line;
    my ($type, $rest) = $line =~ /^(.)(.*)\r\n$/;
    die "Redis: $rest\n" if $type eq '-';
    return map { $self->_reply } 1 .. $rest if $type eq '*';
    return $rest if $type ne '$';
    return undef if $rest < 0;
    read $self->{socket}, my $bytes, $rest + 2;
    return substr $bytes, 0, -2;
}

my @members = qw(node site iss kind account bytes failed now);

# As the coordinator books: {result, confirmed, claimed, credited, failed}.
sub ledger_add {
    my ($self, %o) = @_;

    $o{iss} //= 'https://' . substr($o{site}, 0, 1) . '.example';
    $o{failed} //= 0;
    my ($n, $s) = @o{qw(node site)};
    my @d = gmtime $o{now};
    my $day = sprintf '%d%02d%02d', $d[5] + 1900, $d[4] + 1, $d[3];
    return $self->send('FCALL', 'ol_ledger_add', 8, "ledger:{$n}", "la:{$n}:$s",
        "lc:{$n}:$s", "ld:{$n}:$day", 'ledgers', 'ledgers-new', "key:{$n}",
        "site:{$s}", @o{@members});
}

1;
