# What nodes and sites say is hostile: on the status page it is text, whatever it
# looks like; /v1/status is JSON that no browser takes for a page.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Offload::Test::Browser;
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my $evil = q{<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>'"&amp;};

# What a coordinator lets in: any path, no such zone.
my $site = Site->new(test => $t, coordinator => $c, name => 'a', sync => sub {
    return (200, { contents => [ { root => 'ab' x 32, sub => "/$evil.iso", demand => 1,
        size => 4_000_000 } ] });
});
$site->join;
my $node = Stranger->new(test => $t, coordinator => $c, name => 'n');
is $node->register(zone => substr($evil, 0, 16))->{status}, 400, 'no zone like this';
is $node->register->{status}, 200, 'a node';
is $node->heartbeat(wait => 0)->{status}, 200, 'it is there';

# As a coordinator that is less careful might have left them in Redis.
$t->wait_for(sub { $redis->cli('HGET', "c:{@{[ 'ab' x 32 ]}}:meta", 'sub') }, 'the content');
my $now = time;
my ($hot, $bad) = ('ab' x 32, 'cd' x 32);
$redis->cli('FCALL', 'ol_hot_put', 3, '{hot}:demand', '{hot}:at', '{hot}:wanted', $now,
    $hot, 90, 3, $bad, 80, 3);
$redis->cli('HSET', "c:{$bad}:meta", iss => "https://$evil", sub => "/$evil", size => 1);
$redis->cli('HSET', 'key:{' . $node->id . '}', url => "http://$evil", zone => $evil);
$redis->cli('ZADD', 'sites', 1, 'ef' x 32);
$redis->cli('HSET', 'site:{' . 'ef' x 32 . '}', iss => "https://$evil", joined => 1,
    synced => "1$evil", contents => '7"><script>');
$redis->cli('ZADD', 'bans', $now, $node->id);
$redis->cli('HSET', 'ban:{' . $node->id . '}', reason => $evil, since => $now, by => $evil);
$redis->cli('XADD', 'changes', '*', k => 'n', v => $node->id, p => 'x');

my $page = $t->wait_for(sub {
    my $page = $t->http(GET => $c->url . '/')->{content};
    return (() = $page =~ /&lt;img/g) >= 3 ? $page : undef;
}, 'all of it on the page');
unlike $page, qr/<img|<script>/i, 'no element of theirs';
like $page, qr{>/&lt;img src=x onerror=&quot;document\.title='owned'&quot;&gt;}, 'a path';
like $page, qr{>https://&lt;img}, 'a site';
is scalar(() = $page =~ /<script\b/g), 1, 'one script, ours';

my $json = $t->http(GET => $c->url . '/v1/status');
is $json->{headers}{'content-type'}, 'application/json', 'JSON is called so';
is $json->{headers}{'x-content-type-options'}, 'nosniff', 'and is not to be guessed at';
is $t->json($json->{content})->{sites}{list}[0]{origin}, "https://$evil", 'and has it whole';

# The same in a browser: as the server wrote it, and as the script does.
my $browser = $t->add(sub { Offload::Test::Browser->new(test => $t) });
for my $script (0, 1) {
    my $view = $browser->open($c->url . '/', script => $script);
    $t->wait_for(sub { ($view->texts('#state'))[0] =~ /live/ }, 'the script') if $script;
    is $view->eval('document.title'), 'Offload coordinator', 'nothing of theirs ran';
    is $view->eval('document.querySelectorAll("main img, main script, main [onerror]").length'),
        0, 'nothing of theirs is an element';
    ok scalar(grep { index($_, "/$evil") == 0 } $view->texts('#contents th')), 'it is text';
    is_deeply [ $view->complaints ], [], 'the browser has nothing to complain about';
}

$t->done;
