# A redis-server of the test's own: a unix socket in the test's folder, no TCP.

package Offload::Test::Redis;

use strict;
use warnings;

use IO::Socket::UNIX;

use parent 'Offload::Test::Process';

# test, args => [...] for redis-server
sub new {
    my ($class, %o) = @_;

    my $name = 'redis-' . $o{test}->next('redis');
    my $own = $o{test}->dir . "/$name";
    mkdir $own or die "$own: $!\n";

    # Redis logs to stdout.  It keeps an append-only file, so that a test can
    # kill it and start it again.  What is written outlives the process without
    # a sync; with syncs Redis would put writing off while one is under way.
    return $class->SUPER::new(
        name   => $name,
        test   => $o{test},
        log    => "$own/log",
        socket => "$own/socket",
        cmd    => [
            'redis-server', '--port', 0, '--unixsocket', "$own/socket",
            '--dir', $own, '--save', '', '--appendonly', 'yes',
            '--appendfsync', 'no', '--daemonize', 'no',
            @{ $o{args} // [] },
        ],
        ready => sub { $_[0]->_answers },
    );
}

sub url    { "unix:$_[0]{socket}" }
sub socket { $_[0]{socket} }

# While it reads its append-only file it answers LOADING.
sub _answers {
    my ($self) = @_;

    my $s = IO::Socket::UNIX->new($self->{socket}) or return 0;
    print $s "PING\r\n";
    $s->flush;
    return (<$s> // '') =~ /^\+PONG/;
}

# One command by redis-cli; its answer without the last newline.
sub cli {
    my ($self, @args) = @_;

    my $r = $self->{test}->run('redis-cli', '-s', $self->{socket}, @args);
    die "redis-cli @args: $r->{err}$r->{out}" if $r->{status};
    chomp $r->{out};
    return $r->{out};
}

1;
