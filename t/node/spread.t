# Three nodes take an assignment: each piece leaves the origin once, the nodes
# give it to each other, and what they serve is the file.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my $bytes = $t->bytes(20_000_000, 1);
my $c = $s->content('/iso/disk.iso', $bytes, type => 'application/x-iso');
my $page = $s->content('/page.html', '<html>' . $t->bytes(300_000, 2),
    type => 'text/html; charset=utf-8');
my @nodes = map { $t->node(coordinator => $s->coordinator) } 1 .. 3;

$s->assign($c, @nodes);
$s->assign($page, $nodes[0]);
$s->wait_complete($c, @nodes);
$s->wait_complete($page, $nodes[0]);
is $s->egress('/iso/disk.iso'), length $bytes, 'the origin gave the file once';

for my $node (@nodes) {
    my $r = $t->http(GET => $node->url . $c->{path});
    is $r->{status}, 200, 'a node serves it';
    ok $r->{content} eq $bytes, 'as it is';
}

my $url = $nodes[0]->url . "/c/$c->{root}";
my $r = $t->http(GET => "$url/disk.iso");
ok $r->{content} eq $bytes, 'without a ticket and with a name, too';
is $r->{headers}{etag}, qq("$c->{root}"), 'ETag';
is $r->{headers}{'cache-control'}, 'public, max-age=31536000, immutable',
    'may be cached for ever';
is $r->{headers}{'access-control-allow-origin'}, '*', 'for pages anywhere';
is $r->{headers}{'accept-ranges'}, 'bytes', 'ranges are accepted';
is $r->{headers}{'content-type'}, 'application/x-iso', 'the type signed';
is $r->{headers}{'x-content-type-options'}, 'nosniff', 'and no other';
is $r->{headers}{'cross-origin-resource-policy'}, 'cross-origin', 'CORP';
is $r->{headers}{'content-security-policy'}, q(sandbox; default-src 'none'),
    'nothing in it runs';
like $r->{headers}{'repr-digest'}, qr/^sha-256=:[\w+\/]{43}=:$/, 'Repr-Digest';
ok !exists $r->{headers}{'set-cookie'}, 'no cookies';

$r = $t->http(GET => $url, headers => { Range => 'bytes=262140-262150' });
is $r->{status}, 206, 'a range over two pieces';
is $r->{content}, substr($bytes, 262140, 11), 'has the right bytes';
is $r->{headers}{'content-range'}, 'bytes 262140-262150/20000000', 'and says so';
$r = $t->http(GET => $url, headers => { Range => 'bytes=-5' });
is $r->{content}, substr($bytes, -5), 'the last bytes';
$r = $t->http(GET => $url, headers => { Range => 'bytes=0-1,5-6' });
is $r->{status}, 200, 'several ranges: the whole';
$r = $t->http(GET => $url, headers => { Range => 'bytes=20000000-' });
is $r->{status}, 416, 'past the end';
is $r->{headers}{'content-range'}, 'bytes */20000000', 'with the size';
$r = $t->http(GET => $url, headers => { 'If-None-Match' => qq("$c->{root}") });
is $r->{status}, 304, 'If-None-Match';
$r = $t->http(GET => $url,
    headers => { Range => 'bytes=0-1', 'If-Range' => '"other"' });
is length $r->{content}, 20_000_000, 'If-Range that does not match: the whole';
$r = $t->http(HEAD => $url);
is $r->{status}, 200, 'HEAD';
is $r->{headers}{'content-length'}, 20_000_000, 'tells the length';
is $t->http(GET => "$url/pieces")->{content}, $c->{table}, 'the piece table';

$r = $t->http(GET => $nodes[0]->url . "/c/$page->{root}");
is $r->{headers}{'content-type'}, 'application/octet-stream',
    'a page is served as bytes';
is $t->http(GET => $nodes[1]->url . "/c/$page->{root}")->{status}, 404,
    'an unknown root';
is $t->http(POST => $url, body => 'x')->{status}, 413, 'a body is refused';
is $t->http(PUT => $url)->{status}, 405, 'other methods, too';
is $t->http(GET => $nodes[0]->url . $_)->{status}, 404, "no such path: $_"
    for '/', '/c/', "/c/\U$c->{root}", "/c/$c->{root}/a/b", '/c/../etc/passwd';
is $t->http(GET => $nodes[0]->url . '/healthz')->{content}, qq({"status":"ok"}\n),
    'healthz';

$t->done;
