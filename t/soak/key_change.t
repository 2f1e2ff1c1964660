# A site's key is another one all of a sudden: the new one is fetched and syncs go
# on, at once if the last fetch is a minute ago, else when it is.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;

use constant MINUTE => 60;

my $t = Offload::Test->new;
my $c = $t->coordinator(redis => $t->redis, args => [ '--audit-rate', 0 ]);
my %key = map { $_ => $t->key("site-$_") } 0 .. 2;
$t->write('key', 0);
my $site = Site->new(test => $t, coordinator => $c, name => 'site',
    key => sub { $key{ $t->read($t->path('key')) } },
    sync => sub { (200, { contents => [],
        clock => 10 + $t->read($t->path('key')) }) });
$site->join;

# Seconds until the coordinator acknowledges what the key has signed.
sub goes_on {
    my ($number, $seconds) = @_;
    my $start = time;
    $t->write('key', $number);
    $t->wait_for(sub { $site->syncs
        && $site->sync($site->syncs)->{ack} == 10 + $number },
        "syncs with key $number", $seconds);
    return time - $start;
}
goes_on(0, 20);
my $took = goes_on(1, MINUTE + 30);
cmp_ok $took, '<=', MINUTE + 5, "after $took s: not more than once a minute";
my $until = time + MINUTE + 2;
$t->wait_for(sub { time >= $until }, 'a minute', MINUTE + 10);
$took = goes_on(2, 30);
cmp_ok $took, '<=', 5, "after $took s: at once";
unlike $c->log, qr/left to other processes/, 'it is not given up';

$t->done;
