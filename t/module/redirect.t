# offload_redirect: who asks for the plain file is sent on to a holder, where
# nothing speaks against it.

use Offload::Test;
use Offload::Test::Sync;

use Digest::SHA qw(sha256);
use MIME::Base64 qw(encode_base64 encode_base64url);

my $t = Offload::Test->new;
my $site = $t->key('site');
my $key = $t->key('coordinator');
my $bytes = $t->bytes(700_000, 1);
$t->write("html/$_", $bytes) for qw(disk.iso stay.iso quiet.iso);

my $nginx = $t->nginx(<<'CONF', SITE => $site->{file}, X => $key->{x},
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    log_format    seen "$request_method $status $offload_status $offload_peer";

    server {
        listen              127.0.0.1:%%PORT%%;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator https://tracker.example/ %%X%%;
        offload_bypass      $arg_bypass;
        offload_redirect    on;
        offload_trust       %%TRUST%%;
        access_log          %%DIR%%/seen.log seen;
        expires             1h;
        add_header          Vary Cookie;

        location = /stay.iso { offload_redirect off; }
        location = /quiet.iso { offload_links off; }
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
    TRUST => join ' ', map { encode_base64url(pack 'N8', ($_) x 8) } 1 .. 9);

my $url = $nginx->url . '/disk.iso';
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);

sub get { $t->http(GET => $url . (@_ % 2 ? shift : ''), headers => {@_}) }

is get()->{status}, 200, 'the file, while it is new';
my $root = $c->root('/disk.iso');
my $r = get();
is $r->{status}, 200, 'the file, while nobody has it';
my $etag = $r->{headers}{etag};

$c->offer('/disk.iso', [ 2, 1 ], [ 1, 10 ]);
is get()->{status}, 200,
    'the file, while those who have it are not trusted, and others only may';

$c->offer('/disk.iso', [ 1, 1 ]);
$r = get();
is $r->{status}, 302, 'a redirect';
my $e = (int(time / 600) + 2) * 600;
like $r->{headers}{location},
    qr{^http://127\.0\.0\.1:2001/c/$root/disk\.iso\?e=$e&s=[\w-]{86}$},
    'to the holder, with a ticket';
is $r->{headers}{'cache-control'}, 'private, no-store', 'not to be kept';
is $r->{headers}{vary}, 'Accept, Offload-Fetch', 'Vary';
is $r->{headers}{expires}, undef, 'whatever other directives say';
is $r->{headers}{digest},
    'SHA-256=' . encode_base64(sha256($bytes), ''), 'Digest';
is $r->{headers}{'repr-digest'}, undef, 'no Repr-Digest, which were its own';
like $r->{headers}{link}, qr/\.meta4>; rel=describedby/, 'Link: .meta4';
like $r->{headers}{link}, qr/<\Q$r->{headers}{location}\E>; rel=duplicate; /,
    'Link: the holder';
is $r->{headers}{etag}, undef, 'no ETag';

my $head = $t->http(HEAD => $url);
is "$head->{status} $head->{headers}{location}",
    "302 $r->{headers}{location}", 'HEAD: likewise';
is get(Range => 'bytes=1-2')->{status}, 302, 'a range: likewise';
is $t->http(GET => $nginx->url . '/quiet.iso')->{status}, 200,
    'the same content under another name is not indexed yet';
$c->root('/quiet.iso');
$r = $t->http(GET => $nginx->url . '/quiet.iso');
is $r->{status}, 302, 'offload_links off: redirected';
is $r->{headers}{$_}, undef, "without $_" for qw(link digest);
$t->wait_for(sub { $t->read('seen.log') =~
    /^HEAD 302 redirect ${\ $c->node(1)->{id} }$/m }, 'it is logged');
pass 'variables: redirect, and to whom';

# What has a word about this file's versions, or about its bytes here.
for ([ 'If-Match' => $etag ], [ 'If-None-Match' => '"other"' ],
    [ 'If-Modified-Since' => 'Mon, 01 Jan 2001 00:00:00 GMT' ],
    [ 'If-Unmodified-Since' => 'Fri, 01 Jan 2100 00:00:00 GMT' ],
    [ 'If-Range' => $etag, Range => 'bytes=0-699999' ],
    [ 'Offload-Fetch' => 'direct' ],
    [ Authorization => 'Basic YTpi' ]) {
    $r = get(@$_);
    like $r->{status}, qr/^20[06]$/, "$_->[0]: the file";
    ok $r->{content} eq $bytes, 'whole';
}
is get('If-None-Match' => $etag)->{status}, 304, 'or no more than it takes';
is get('?bypass=1')->{status}, 200, 'offload_bypass: the file';
$c->root('/stay.iso');
is $t->http(GET => $nginx->url . '/stay.iso')->{status}, 200,
    'offload_redirect off: the file';
is get(Accept => 'application/offload+jwt')->{headers}{'content-type'},
    'application/offload+jwt', 'who knows manifests gets one';
$r = $t->http(POST => $url, body => 'x');
is $r->{status}, 405, 'POST: as ever';

# A Metalink ends with a URL that is not redirected.
my ($last) = get('.meta4')->{content}
    =~ m{<url[^>]*>([^<]*)</url>\s*</file>}s;
is $last, "$url?offload=direct", 'the last URL of a Metalink';
unlike get('.torrent')->{content}, qr/offload=direct/, 'no web seed, all of which are asked';
$r = $t->http(GET => $last);
is $r->{status}, 200, 'is the file';
ok $r->{content} eq $bytes, 'all of it';
is $t->http(GET => "$last&x=1")->{status}, 302, 'no other query does that';

# Clients are spread by weight, and each comes to the same node again.
$c->send(nodes => [ map { $c->node($_, spare => $_ < 4 ? 64 : 1024) } 1 .. 4 ],
    contents => { $root => [ map { [ 1, $_ ] } 1 .. 4 ] });
my (%to, %of);
for my $n (1 .. 120) {
    my $from = "127.0.3.$n";
    my @to = map { from($from) } 1, 2;
    $to{ $to[0] }++;
    $of{$from} = $to[0] if $to[0] eq $to[1];
}
is keys %of, 120, 'each client to one node';
cmp_ok $to{2004} // 0, '>', 60, 'more of them to one with more to spare';
cmp_ok scalar keys %to, '>', 1, 'but not all';

# One that goes takes nobody else along.
my ($gone) = grep { $_ != 2004 } sort keys %to;
$c->send(gone => [ $gone - 2000 ]);
my @moved = grep { $of{$_} != $gone && from($_) != $of{$_} } sort keys %of;
is_deeply \@moved, [], 'a node that goes moves no clients but its own';

# A file that was replaced is not given away as the old one.
my $new = $t->bytes(700_000, 2);
$t->write('html/disk.iso', $new);
$t->wait_for(sub { get()->{status} == 200 }, 'the file itself', 3);
ok get()->{content} eq $new, 'a replaced file is given here';

sub from {
    my ($address) = @_;

    my $s = IO::Socket::INET->new(LocalAddr => $address,
        PeerAddr => '127.0.0.1', PeerPort => $nginx->port) or die $@;
    print $s "HEAD /disk.iso HTTP/1.0\r\nHost: x\r\n\r\n";
    local $/;
    my ($port) = <$s> =~ m{^Location: http://127\.0\.0\.1:(\d+)/}m;
    return $port;
}

$t->done;
