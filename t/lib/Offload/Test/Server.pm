# A small server whose behaviour stands in the test: a peer that lies, hangs or
# breaks off, a site that answers nonsense.
#
# Owns: accepting, reading one request head a connection, a child for each
# connection.  The handler gets the socket and the request
# {method, target, headers (lower-case names), head} and writes what it likes.

package Offload::Test::Server;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();

use parent 'Offload::Test::Process';

# test, handler => sub {...}, host, port
sub new {
    my ($class, %o) = @_;

    my $host = $o{host} // '127.0.0.1';
    my $port = $o{port} // $o{test}->port;
    my $name = 'server-' . $o{test}->next('server');
    return $class->SUPER::new(
        name    => $name,
        log     => $o{test}->dir . "/$name.log",
        host    => $host,
        port    => $port,
        handler => $o{handler},
        ready   => sub { $_[0]->log('recent') =~ /listening/ },
    );
}

sub url  { "http://$_[0]{host}:$_[0]{port}" }
sub port { $_[0]{port} }

sub _exec {
    my ($self) = @_;

    setpgrp 0, 0;
    open STDOUT, '>>', $self->{log};
    open STDERR, '>>', $self->{log};
    STDERR->autoflush(1);
    $SIG{CHLD} = 'IGNORE';
    $SIG{PIPE} = 'IGNORE';
    $SIG{TERM} = sub {
        $SIG{TERM} = 'IGNORE';
        kill TERM => -$$;
        POSIX::_exit(0);
    };
    my $listener = IO::Socket::INET->new(LocalAddr => $self->{host},
        LocalPort => $self->{port}, Listen => 128, ReuseAddr => 1)
        or do { print STDERR "listen: $@\n"; POSIX::_exit(1) };
    print STDERR "listening on ", $self->url, "\n";
    while (1) {
        my $s = $listener->accept or next;
        my $pid = fork;
        if (defined $pid && $pid == 0) {
            $SIG{TERM} = 'DEFAULT';
            eval { $self->_serve($s); 1 } or print STDERR $@;
            POSIX::_exit(0);
        }
        close $s;
    }
}

sub _serve {
    my ($self, $s) = @_;

    binmode $s;
    local $/ = "\r\n\r\n";
    my $head = <$s> // return;
    my ($method, $target) = $head =~ /^(\S+) (\S+) HTTP/ or return;
    my %headers = map { lc($_->[0]) => $_->[1] }
        map { [/^([^:\s]+):\s*(.*?)\s*$/] } grep { /:/ } split /\r\n/, $head;
    print STDERR "$method $target\n";
    $self->{handler}->($s, { method => $method, target => $target,
        headers => \%headers, head => $head });
    $s->flush;
}

1;
