# The time of day as a process sees it, moved on at will.
#
#   my $clock = Offload::Test::Clock->new($t);
#   my $nginx = $clock->run(sub { $t->nginx($conf) });
#   $clock->forward(61);                     # for all that was started in run()
#   $clock->time                             # what they take for now
#
# Owns: a small library, built once for a test, that adds seconds from a file
# to what gettimeofday() says.  Timers are not moved: they use another clock.

package Offload::Test::Clock;

use strict;
use warnings;

my $SOURCE = <<'C';
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static const volatile long long *ahead;

__attribute__((constructor)) static void
start(void)
{
    int   fd = open(getenv("OFFLOAD_TEST_CLOCK"), O_RDONLY);
    void *p = mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED)
        abort();
    ahead = p;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec now;

    (void)tz;
    clock_gettime(CLOCK_REALTIME, &now);
    tv->tv_sec = now.tv_sec + *ahead;
    tv->tv_usec = now.tv_nsec / 1000;
    return 0;
}
C

sub new {
    my ($class, $t) = @_;

    my $self = bless { ahead => 0, file => $t->path('clock'),
        lib => $t->path('clock.so') }, $class;
    $t->write('clock.c', $SOURCE);
    my $r = $t->run($ENV{CC} // 'cc', qw(-O -shared -fPIC -o), $self->{lib},
        $t->path('clock.c'));
    die "clock.c: $r->{err}" if $r->{status};
    $t->write('clock', pack 'q', 0);
    return $self;
}

# What the code starts has this clock.
sub run {
    my ($self, $code) = @_;

    local @ENV{qw(LD_PRELOAD OFFLOAD_TEST_CLOCK)} = @$self{qw(lib file)};
    return $code->();
}

sub forward {
    my ($self, $seconds) = @_;

    $self->{ahead} += $seconds;
    open my $f, '+<', $self->{file} or die "$self->{file}: $!\n";
    syswrite $f, pack 'q', $self->{ahead};
    close $f or die "$self->{file}: $!\n";
}

sub time { CORE::time + $_[0]{ahead} }

1;
