# The first request indexes a file, the coordinator names nodes, and from then
# on those who ask for a manifest get one, signed by the site.

use Offload::Test;
use Offload::Test::Sync;

use Digest::SHA qw(sha1 sha1_hex sha256 sha256_hex);
use MIME::Base64 qw(encode_base64url);

my $t = Offload::Test->new;
my $site = $t->key('site');
my $key = $t->key('coordinator');
my $bytes = $t->bytes(700_000, 1);
my $file = $t->write('html/iso/disk one.iso', $bytes);

my $nginx = $t->nginx(<<'CONF', SITE => $site->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    types { application/x-iso9660-image iso; }

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         *.example.org 127.0.0.1 other.example.org;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator https://tracker.example/ %%X%%;
        offload_ttl         40s;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $url = $nginx->url . '/iso/disk%20one.iso';
my %peers = (Accept => 'text/html, application/offload+jwt;q=0.5');
my %any = ('Offload-Fetch' => 'manifest');

# The file has just been written, and may still change in this clock tick.
my $r = $t->http(GET => $url, headers => \%peers);
is $r->{status}, 200, 'the first one gets the file';
ok $r->{content} eq $bytes, 'whole';
is $r->{headers}{'offload-status'}, 'indexing; retry=1', 'and is told why';
is $r->{headers}{vary}, undef, 'without Vary';

$t->wait_for(sub {
    $r = $t->http(GET => $url, headers => \%peers);
    $r->{headers}{'offload-status'} =~ /nopeers/;
}, 'the file is indexed');
is $r->{headers}{'offload-status'}, 'nopeers; retry=1', 'nobody has it';
is $r->{headers}{'content-type'}, 'application/x-iso9660-image', 'the file';

# Nodes start with a manifest that names nobody.
$r = $t->http(GET => $url, headers => \%any);
is $r->{headers}{'content-type'}, 'application/offload+jwt', 'a manifest';
is $r->{headers}{'cache-control'}, 'private, no-store', 'not to be kept';
is $r->{headers}{vary}, 'Accept, Offload-Fetch', 'Vary';
is $r->{headers}{etag}, undef, 'no ETag';
is $r->{headers}{'last-modified'}, undef, 'no Last-Modified';

my $table = join '', map { sha256(substr $bytes, $_ * 262144, 262144) } 0 .. 2;
my $root = sha256_hex($table);
my $m = $t->claims($r->{content});
my $etag = $t->http(HEAD => $url)->{headers}{etag};
my ($e) = $m->{path} =~ m{^/c/$root\?e=(\d+)&s=[\w-]{86}$};
ok $e, 'a path with a ticket' or diag $m->{path};
is $e, (int(time / 600) + 2) * 600, 'good for two windows';
is $m->{exp} - $m->{iat}, 40, 'offload_ttl';
delete @$m{qw(iat exp path)};
is_deeply $m, {
    iss => $nginx->url, sub => '/iso/disk one.iso', peers => [],
    trackers => ['https://tracker.example'],
    content => { root => $root, size => 700_000, piece_size => 262144,
        sha256 => sha256_hex($bytes), type => 'application/x-iso9660-image',
        etag => $etag, table => encode_base64url($table) },
}, 'what it says';

# One node has it, another was told to get it.
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
$c->start;
my $told = $c->told('/iso/disk one.iso');
cmp_ok delete $told->{demand}, '>=', 2, 'the coordinator is told of demand';
my $info = 'd6:lengthi700000e4:name12:disk one.iso12:piece lengthi262144e'
    . '6:pieces60:' . join('', map { sha1(substr $bytes, $_ * 262144, 262144) }
        0 .. 2) . 'e';
is_deeply $told, { root => $root, size => 700_000, infohash => sha1_hex($info),
    sub => '/iso/disk one.iso' }, 'and what it is for';
$c->send(nodes => [ $c->node(5, zone => 'DE'), $c->node(6) ],
    contents => { $root => [ [ 2, 6 ], [ 1, 5 ], [ 1, 9 ] ] });
is $c->claims->{need}, undef, 'and tells who has it';

$r = $t->http(GET => $url, headers => \%peers);
is $r->{headers}{'content-type'}, 'application/offload+jwt', 'a manifest';
is_deeply $t->claims($r->{content})->{peers}, [
    { id => $c->node(5)->{id}, url => 'http://127.0.0.1:2005', zone => 'DE' },
    { id => $c->node(6)->{id}, url => 'http://127.0.0.1:2006' },
], 'holders first, then those assigned, unknown ones left out';

my $again = $t->http(GET => $url, headers => \%any);
is $again->{content}, $r->{content}, 'signed once, for all who ask';

$r = $t->http(GET => $url, headers => { 'Offload-Fetch' => 'direct', %peers });
ok $r->{content} eq $bytes, 'Offload-Fetch: direct, the file';
is $r->{headers}{'offload-status'}, undef, 'and nothing else';

# The node is gone: no manifest names it any more.
$c->send(gone => [5]);
$r = $t->http(GET => $url, headers => \%peers);
is_deeply [ map { $_->{url} } @{ $t->claims($r->{content})->{peers} } ],
    ['http://127.0.0.1:2006'], 'a node that is gone is not named';

$t->done;
