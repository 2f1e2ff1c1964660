# The status page and /v1/status: the same numbers, in the page itself; read and
# rendered once a second at most; old ones, and said to be old, without Redis.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;
use Time::HiRes qw(time);

my $t = Offload::Test->new;
my $redis = $t->redis;
my @c = map { $t->coordinator(redis => $redis, key => $t->path('c.pem')) } 1 .. 2;
my $c = $c[0];
my $root = 'ab' x 32;

sub status { $t->json($t->http(GET => ($_[0] // $c)->url . '/v1/status')->{content}) }
sub page { $t->http(GET => ($_[0] // $c)->url . '/')->{content} }

my $site = Site->new(test => $t, coordinator => $c, name => 'a', sync => sub {
    return (200, { contents => [ { root => $root, sub => '/iso/a&b.iso', size => 4_000_000,
        demand => -f $t->path('crowd') ? 5000 : 10 } ] });
});
$site->join;
my $node = Stranger->new(test => $t, coordinator => $c, name => 'n');
is $node->register(zone => 'DE', rate => 50_000_000)->{status}, 200, 'a node';
is $node->heartbeat(wait => 0, load => { rate => 12_345_678, connections => 17,
    free => 9_000_000_000 })->{status}, 200, 'with load';
my $now = time;
$redis->cli('FCALL', 'ol_history_add', 3, '{hist}:m:' . int($now / 3600),
    '{hist}:t:' . int($now / 86400), '{hist}:d', int($now / 60), int($now / 600),
    int($now / 86400), 7_000_000, 6_000_000);

my $s = $t->wait_for(sub {
    my $s = status();
    $s->{sites}{contents} && $s->{nodes}{alive} && $s->{rate} ? $s : undef;
}, 'site, content and node');
is $s->{sites}{total}, 1, 'one site';
is $s->{sites}{list}[0]{origin}, $site->url, 'which';
is $s->{sites}{list}[0]{contents}, 1, 'with one content';
cmp_ok abs($s->{sites}{list}[0]{synced} - $now), '<', 30, 'synced lately';
my $n = $s->{nodes}{list}[0];
is_deeply [ @$n{qw(id url zone state rate rate_max connections free weight)} ],
    [ $node->id, $node->url, 'DE', 'serving', 12_345_678, 50_000_000, 17, 9_000_000_000, 100 ],
    'the node';
is $s->{rate}, 12_345_678, 'what all of them send';
is_deeply $s->{history}{minutes}[-1][0] + $s->{history}{minutes}[-2][0], 7_000_000, 'sent';
is_deeply $s->{history}{slots}[-1][1] + $s->{history}{slots}[-2][1], 6_000_000, 'credited';
is_deeply [ map { scalar @{ $s->{history}{$_} } } qw(minutes slots days) ], [ 60, 144, 30 ],
    'an hour, a day, a month';
ok $s->{redis}{up} && $s->{redis}{aof} && !$s->{stale}, 'Redis is up';

$t->write('crowd', '');
my $hot = $t->wait_for(sub {
    my ($first) = @{ status()->{contents}{list} };
    $first && $first->{demand} > 4000 ? $first : undef;
}, 'the demand', 25);
is_deeply [ @$hot{qw(root origin path size holders)} ],
    [ $root, $site->url, '/iso/a&b.iso', 4_000_000, 0 ], 'what is asked for';
cmp_ok $hot->{wanted}, '>=', 3, 'and how many nodes should hold it';

# The page says the same by itself.
my $page = page();
like $page, qr{>/iso/a&amp;b\.iso<small>abab}, 'the page: content';
like $page, qr{0 of \d+, \d+ missing}, 'and that nobody holds it';
like $page, qr{>12\.3 MB/s<}, 'rate';
like $page, qr{\Q@{[ $site->url ]}\E</th>}, 'site';
like $page, qr{\Q@{[ $node->url ]}\E<small>}, 'node';
like $page, qr{7\.0 MB sent, 6\.0 MB credited}, 'bytes';
like $page, qr{<path class="claimed" d="M0 120V[^"]+V120Z"/>}, 'a plot';
unlike $page, qr/\{\{|\}\}/, 'nothing is left to be filled in';
unlike $page, qr/<script(?! src="\/status\.js" defer>)|style=|\son\w+=/, 'no script or style inside';
like $page, qr{</html>\s*$}, 'whole';
is scalar(() = $page =~ /<table /g), scalar(() = $page =~ /<caption>/g), 'a caption for each table';
is scalar(() = $page =~ /<th (?![^>]*scope=)/g), 0, 'a scope for each heading';

my $r = $t->http(GET => $c->url . '/');
my %policy = map { my ($name, @what) = split; $name => "@what" }
    split /;/, $r->{headers}{'content-security-policy'};
is $policy{'default-src'}, "'none'", 'nothing is allowed';
is $policy{'script-src'} . $policy{'style-src'}, "'self''self'", 'but files from here';
is $t->http(HEAD => $c->url . '/')->{status}, 200, 'HEAD';

# Another coordinator of this Redis says the same.
my $other = $t->wait_for(sub { my $o = status($c[1]); $o->{nodes}{alive} ? $o : undef },
    'the other one');
is_deeply [ map { $other->{sites}{list}[0]{$_} } qw(origin contents joined) ],
    [ map { $s->{sites}{list}[0]{$_} } qw(origin contents joined) ], 'it has the site';
is_deeply $other->{history}{days}, $s->{history}{days}, 'and the bytes';

# A hundred requests make few readings.
sub readings {
    my ($calls) = $redis->cli('INFO', 'commandstats') =~ /cmdstat_fcall_ro:calls=(\d+)/;
    return $calls;
}
my ($before, $begin) = (readings(), time);
page() for 1 .. 100;
my $each = 3 + 1 + 4;    # of one reading: three lists and the contents
cmp_ok readings() - $before, '<=', $each * (2 + time - $begin), 'a hundred requests, few readings';

# Redis hangs, then goes: old numbers, soon, and said to be old.
$redis->signal('STOP');
$begin = time;
$s = $t->wait_for(sub { my $s = status(); $s->{stale} ? $s : undef }, 'a stale mark');
cmp_ok time - $begin, '<', 4, 'within seconds';
$begin = time;
like page(), qr/class="state stale"[^>]*>Redis does not answer: what it told is \d+ s old/,
    'the page says so';
cmp_ok time - $begin, '<', 2, 'at once';
is $s->{sites}{total}, 1, 'with what was known';
$redis->signal('CONT');
$t->wait_for(sub { !status()->{stale} }, 'Redis to be back');
like page(), qr/class="state fresh"/, 'it is fresh again';

$t->done;
