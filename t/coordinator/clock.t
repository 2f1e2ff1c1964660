# The clock is set back by an hour: what waits goes on as if nothing was.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;
use Time::HiRes ();

my $t = Offload::Test->new;
my $redis = $t->redis;

# A wall clock that is late by the size of a file, in seconds.
my $late = $t->write('late', '');
my $shim = $t->path('clock.so');
$t->write('clock.c', <<'C');
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    struct stat st;
    int rc = (int)syscall(SYS_clock_gettime, id, ts);

    if (rc == 0 && id == CLOCK_REALTIME && stat(getenv("LATE"), &st) == 0)
        ts->tv_sec -= st.st_size;
    return rc;
}
C
my $built = $t->run($ENV{CC} // 'cc', '-shared', '-fPIC', '-o', $shim,
    $t->path('clock.c'));
is $built->{status}, 0, 'a clock that can be set' or diag $built->{err};
my $c = do {
    local @ENV{qw(LATE LD_PRELOAD)} = ($late, $shim);
    local $ENV{ASAN_OPTIONS} = CORE::join ':', $ENV{ASAN_OPTIONS} // (),
        'verify_asan_link_order=0';
    $t->coordinator(redis => $redis);
};

sub readable {
    my ($socket, $seconds) = @_;
    vec(my $bits = '', fileno $socket, 1) = 1;
    return select $bits, undef, undef, $seconds;
}

my $n = Stranger->new(test => $t, coordinator => $c, name => 'n');
is $n->register->{status}, 200, 'a node';
my $site = Site->new(test => $t, coordinator => $c, name => 's',
    sync => sub { (200, {}) });
$site->join;
$site->sync(1);
my $lease = 'lease:{' . Digest::SHA::sha256_hex($site->url) . '}';

my $held = $n->held_heartbeat($redis, wait => 3000,
    store => $redis->cli('GET', 'store'));
my $start = Time::HiRes::time;
$t->write('late', "\0" x 3600);
like join('', readable($held, 10) ? <$held> : ()), qr{^HTTP/1\.1 200 },
    'a held heartbeat is answered';
cmp_ok Time::HiRes::time - $start, '<', 10, 'in time';
$t->wait_for(sub { time - $start > 8 }, 'a lease to have to be renewed');
ok $redis->cli('EXISTS', $lease), 'the lease is kept';
is $n->heartbeat->{status}, 401, 'and the clock is another, indeed';

$t->done;
