# Free TCP and UDP ports for tests that run in parallel.
#
# Owns: the lock folder.  A port belongs to the process that holds the flock on
# its file; the kernel lets go of it when that process ends, however it ends.
# Ports lie below the kernel's own range for outgoing connections.  A reserved
# port is free on every loopback address, so nodes may share one.

package Offload::Test::Port;

use strict;
use warnings;

use Fcntl qw(LOCK_EX LOCK_NB O_CREAT O_RDWR);
use Socket;

use constant { FIRST => 20000, COUNT => 10000 };

my @held;

# A port; with offsets, one whose neighbours at these offsets are free as well.
sub reserve {
    my (@offsets) = @_;

    my $folder = "/tmp/offload-test-ports.$>";
    mkdir $folder, 0700;
    die "$folder is not a folder of user $>: remove it\n"
        unless !-l $folder && -d _ && -o _;

    my $start = ($$ * 131 + @held) % COUNT;
    for my $i (0 .. COUNT - 1) {
        my $port = FIRST + ($start + $i) % COUNT;
        my @locks = map { _lock($folder, $port + $_) } 0, @offsets;
        next if grep { !$_ } @locks;
        push @held, @locks;
        return $port;
    }
    die "no free port from " . FIRST . " on: are too many tests running?\n";
}

sub _lock {
    my ($folder, $port) = @_;

    sysopen my $lock, "$folder/$port", O_CREAT | O_RDWR or return undef;
    return flock($lock, LOCK_EX | LOCK_NB) && _unused($port) ? $lock : undef;
}

# With SO_REUSEADDR only a listener, on whatever address, is in the way; a
# connection that lingers in TIME_WAIT is not.
sub _unused {
    my ($port) = @_;

    for my $type (SOCK_STREAM, SOCK_DGRAM) {
        socket my $s, PF_INET, $type, 0 or die "socket: $!\n";
        setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1 if $type == SOCK_STREAM;
        bind $s, sockaddr_in($port, INADDR_ANY) or return 0;
    }
    return 1;
}

1;
