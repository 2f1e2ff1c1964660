# A hundred sites, and some that are dead, slow or answer garbage: these delay
# none of the others, and what is new at one is known long before a request that
# waits for news is over, which takes ten seconds.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Many;

my $t = Offload::Test->new;
my $many = Many->new($t, sites => 100, bad => 8);
my $start = time;
$t->wait_for(sub { $many->synced == 100 }, 'a sync with each', 60);
my $took = time - $start;
cmp_ok $took, '<=', 20, "a hundred sites are synced with in $took s";
for my $site (7, 70) {
    my $s = $many->news($site);
    cmp_ok $s, '<=', 5, sprintf 'news of one are known after %.2f s', $s;
}
$t->wait_for(sub { $many->garbage == 8 }, 'garbage of each that has some', 60);
is $many->synced(@{ $many->{bad} }), 0, 'garbage is refused';
like $many->{c}->log, qr{warn: site http://127\.[234]\.}, 'and the log says so';

$t->done;
