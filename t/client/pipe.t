# `-o -`: the bytes come in order, only verified ones, through a buffer that
# does not grow with the file; a reader that is slow or goes away is no harm.

use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $bytes = $t->bytes(150_000_000, 10);
my $site = Offload::Test::Site->new($t, bytes => $bytes);
my $wrong = $bytes;
substr($wrong, $_ * 1_000_000, 1) ^= "\x01" for 0 .. 149;
# The good ones leave something for the liar.
my @peers = (map({ $site->peer(rate => '40m') } 1 .. 2),
    $site->peer(bytes => $wrong));
$site->publish(peers => \@peers);

my $r = $t->offload('get', '--json', '-o', '-', $site->url);
is $r->{status}, 0, 'get to standard output' or diag $r->{err};
ok $r->{out} eq $bytes, 'gives the file and nothing else';
like $r->{err}, qr/"verified": true/, 'the report goes to standard error';
like $r->{err}, qr/wrong bytes in piece/, 'one peer lied';

# A reader that stops after the first bytes: memory stays bounded.
my $program = $t->build . '/offload';
my @piped = ('sh', '-c', 'exec "$@" 2>/dev/null', 'sh', $program, 'get', '-q',
    '-o', '-', $site->url);
my $pid = open my $pipe, '-|', @piped or die;
read $pipe, my $got, 4096;
my ($peak, $still) = (0, 0);
$t->wait_for(sub {
    my $now = memory($pid);
    $still = $now > $peak ? 0 : $still + 1;
    $peak = $now if $now > $peak;
    return $still > 40;
}, 'the buffer to be full');
cmp_ok $peak, '<', growth() + 110_000, "memory stays bounded: $peak KiB";
while (read $pipe, my $more, 1 << 20) { $got .= $more }
close $pipe;
is $? >> 8, 0, 'a slow reader gets all';
ok $got eq $bytes, 'in order';

# One that stops for good, and a user who loses patience.
$pid = open $pipe, '-|', @piped or die;
read $pipe, $got, 4096;
$t->wait_for(sub { memory($pid) > 60_000 }, 'the buffer to be full');
kill INT => $pid;
$t->wait_for(sub { !memory($pid) }, 'it to end at once', 3);
1 while read $pipe, $got, 1 << 20;
close $pipe;
is $? >> 8, 130, 'an interrupt ends it though the reader has stopped';

# A reader that goes away.
$pid = open $pipe, '-|', @piped or die;
read $pipe, $got, 4096;
close $pipe;
is $? >> 8, 23, 'a reader that goes away: status 23';

# Something that is no regular file is written to, never replaced.
$r = $t->offload('get', '-o', '/dev/null', $site->url);
is $r->{status}, 0, 'a device as output';
ok -c '/dev/null', 'stays a device';
ok !-e '/dev/null.part', 'and nothing is left beside it';

# To a file, memory does not depend on its size at all.
my $get = $t->spawn($program, 'get', '-q', '-o', $t->path('o'), $site->url);
$peak = 0;
while ($get->running) {
    my $now = memory($get->pid // last);
    $peak = $now if $now > $peak;
    select undef, undef, undef, 0.005;
}
is $get->status, 0, 'to a file';
cmp_ok $peak, '<', growth() + 40_000, "with little memory: $peak KiB";

$t->done;

sub memory {
    my ($pid) = @_;

    open my $f, '<', "/proc/$pid/status" or return 0;
    local $/;
    my $status = <$f> // '';
    return $status =~ /^Name:\s+offload$/m && $status =~ /^VmRSS:\s+(\d+)/m
        ? $1 : 0;    # before exec it is a copy of this test
}

# What a sanitizer takes by itself.
sub growth { Offload::Test::build() =~ m{/(?:asan|tsan)$} ? 400_000 : 0 }
