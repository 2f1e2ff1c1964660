# A site that nobody could reach for a week is forgotten; one that answered
# lately is not.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my %site = map { $_ => Site->new(test => $t, coordinator => $c, name => $_,
    host => $_ eq 'old' ? '127.0.0.51' : '127.0.0.52',
    sync => sub { (200, {}) }) } qw(old young);

my %id;
for my $name (qw(old young)) {
    $site{$name}->join;
    $id{$name} = Digest::SHA::sha256_hex($site{$name}->url);
    $site{$name}->sync(1);
}
$c->stop;

# Their names are free, but nobody answers there; one was heard yesterday.
my %days = (old => 8, young => 1);
for my $name (qw(old young)) {
    my ($old, $new) = ("site:{$id{$name}}", "http://127.0.0.59:1" .
        ($name eq 'old' ? '024' : '025'));
    my $id = Digest::SHA::sha256_hex($new);
    $redis->cli('RENAME', $old, "site:{$id}");
    $redis->cli('HSET', "site:{$id}", 'iss', $new, map { $_ =>
        time - 86400 * $days{$name} } qw(joined seen synced));
    $redis->cli('ZREM', 'sites', $id{$name});
    $redis->cli('ZADD', 'sites', time, $id);
    $id{$name} = $id;
}
$c->start;
$t->wait_for(sub { $redis->cli('ZCARD', 'sites') == 1 },
    'one to be forgotten', 30);
is $t->http(GET => $c->url . "/v1/sites/$id{old}")->{status}, 404,
    'the one of last week';
$t->wait_for(sub { !$redis->cli('EXISTS', "lease:{$id{young}}") },
    'the other one to be left alone for a while', 30);
is $t->http(GET => $c->url . "/v1/sites/$id{young}")->{status}, 200,
    'the one of yesterday is known';

$t->done;
