# A hundred sites, and some that are dead, slow or answer garbage: these delay
# none of the others, and what is new at one is known within a second.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Many;

my $t = Offload::Test->new;
my $many = Many->new($t, sites => 100, bad => 8);
my $start = time;
$t->wait_for(sub { $many->synced == 100 }, 'a sync with each', 20);
my $took = time - $start;
cmp_ok $took, '<=', 10, "a hundred sites are synced with in $took s";
for my $site (7, 70) {
    my $s = $many->news($site);
    cmp_ok $s, '<=', 1, sprintf 'news of one are known after %.2f s', $s;
}
like $many->{c}->log, qr/127\.2\.\d+\.\d+.*(?:key|JSON)/, 'garbage is refused';

$t->done;
