# A site whose keys and document can be read, but which answers no sync here, is
# left to other processes after a minute; it is tried again later.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--audit-rate', 0 ]);
my $site = Site->new(test => $t, coordinator => $c, name => 'site',
    sync => sub { (500, 'not today') });
$site->join;
my $url = $site->url;
$t->wait_for(sub {
    $c->log =~ /\Q$url\E: left to other .* none of its sync URLs answers/;
}, 'the site to be given up', 130);
my ($lease) = $redis->cli('KEYS', 'lease:*');
is $lease // '', '', 'nobody has its lease';
pass 'it is left to others';

$t->done;
