# The canonical places of a content in other formats: their headers, methods,
# preconditions; what is offered there and what is not.  What the formats say
# is read by parsers of others in t/interop/formats.t.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(300_000, 1);
my $odd = 'a;"b\\ %20ü.bin';
$t->write("html/$_", $bytes) for 'a/disk.iso', 'b/disk.iso', 'b/other.iso', $odd;
$t->write('html/small/s.bin', $t->bytes(3000, 2));
$t->write('html/hidden/h.bin', $t->bytes(300_000, 3));

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    gzip          on;
    gzip_types    *;
    gzip_min_length 1;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        expires             1h;
        add_header          Cache-Control public;
        location /small/  { offload_min_length 1k; }

        location /.well-known/offload/ { offload_endpoint; }
    }

    server {
        listen              127.0.0.1:%%PORT_1%%;
        offload_site        http://other.example;
        offload_key         %%SITE%%;
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
sub escaped { $_[0] =~ s/([^A-Za-z0-9._-])/sprintf '%%%02X', ord $1/ger }
my $root = $c->offer('/a/disk.iso', [ 1, 1 ]);
$c->root($_) for '/b/other.iso', '/' . escaped($odd);
my $small = $c->root('/small/s.bin');

sub place { "/.well-known/offload/f/$_[0]/$_[1]" }
sub at { $c->get(place($root, $_[0]), @_[1 .. $#_]) }

# Headers, and HEAD as GET.
my %type = (offload => 'application/offload+jwt', sha256 => 'text/plain',
    meta4 => 'application/metalink4+xml', torrent => 'application/x-bittorrent');
for my $ext (sort keys %type) {
    my $r = at("disk.iso.$ext", 'Accept-Encoding' => 'gzip',
        Accept => 'text/plain', Range => 'bytes=0-3');
    my $h = $r->{headers};
    is $r->{status}, 200, ".$ext: there, whole" or diag $r->{content};
    is $h->{'content-type'}, $type{$ext}, 'type';
    is $h->{'content-length'}, length $r->{content}, 'length';
    is $h->{'content-disposition'}, $ext eq 'sha256' ? undef
        : "attachment; filename=\"disk.iso.$ext\"", 'Content-Disposition';
    is $h->{'cache-control'}, 'private, no-store', 'not to be kept';
    is $h->{vary}, 'Accept, Offload-Fetch', 'Vary';
    is join(' ', grep { defined $h->{$_} }
        qw(etag last-modified expires accept-ranges content-encoding)), '',
        'no more than that';
    my $head = $t->http(HEAD => $nginx->url . place($root, "disk.iso.$ext"));
    is "$head->{status} $head->{headers}{'content-length'}",
        "200 $h->{'content-length'}", 'HEAD';
    is $t->http(POST => $nginx->url . place($root, "disk.iso.$ext"))->{status},
        405, 'POST';
}

# .offload is the manifest, by the name that was asked for; it is receipted.
my $m = $t->claims(at('other.iso.offload')->{content});
is "$m->{sub} $m->{content}{root}", "/b/other.iso $root", 'another name of it';
is scalar @{ $m->{peers} }, 1, 'with its peers';
ok at('disk.iso.offload')->{headers}{'offload-receipt'}, 'and a receipt';
is at('disk.iso.meta4')->{headers}{'offload-receipt'}, undef,
    'which no reader of Metalink could use';

# A torrent is the same for all who make it, whatever else changes.
my ($info) = at('disk.iso.torrent')->{content} =~ /4:info(.*)8:url-list/s;
$c->send(contents => { $root => '' });
my ($later) = at('disk.iso.torrent')->{content} =~ /4:info(.*)8:url-list/s;
is $later, $info, 'info is a function of the content and its name';
like $later, qr/6:lengthi300000e4:name8:disk\.iso12:piece length/, 'name';
is scalar(() = at('disk.iso.meta4')->{content} =~ /<url /g), 1,
    'nobody has it: only the origin';

# A name that filename= cannot say.
is at(escaped("$odd.meta4"))->{headers}{'content-disposition'},
    'attachment; filename="a__b_ _20__.bin.meta4"; '
    . "filename*=UTF-8''a%3B%22b%5C%20%2520%C3%BC.bin.meta4", 'an odd name';

# There is nothing that a client could have kept, so nothing to compare.
my $etag = $t->http(HEAD => $nginx->url . '/a/disk.iso')->{headers}{etag};
for ([ 'If-None-Match' => $etag, 200 ], [ 'If-None-Match' => '*', 304 ],
    [ 'If-Match' => $etag, 412 ], [ 'If-Match' => '*', 200 ],
    [ 'If-Modified-Since' => 'Fri, 01 Jan 2038 00:00:00 GMT', 200 ])
{
    my ($name, $value, $status) = @$_;
    is at("disk.iso.$_", $name => $value)->{status}, $status,
        ".$_ $name: $value" for sort keys %type;
}

# Offered elsewhere with another minimum.
is $c->get(place($small, 's.bin.sha256'))->{status}, 200, 'a small one';

# Not there: other names and roots, what is not public, another site.
my $none = 'f' x 64;
for ("$root/nope.iso.meta4", "$none/disk.iso.meta4", "$root/disk.iso",
    "$root/disk.iso.txt", "$root/.meta4", "$root/a/disk.iso.meta4",
    "$root/isk.iso.meta4", "$root/xdisk.iso.meta4", "$root/disk.iso.META4",
    uc($root) . '/disk.iso.meta4', "$root", "$root/", '', "$root/disk.iso.",
    substr($root, 1) . '/disk.iso.meta4', "$root/disk.iso.meta4/",
    "$root/..%2f..%2fkey.meta4", "$root/%00.meta4", "$root/disk.iso%00.meta4")
{
    my $r = $c->get("/.well-known/offload/f/$_");
    like $r->{status}, qr/^40[04]$/, "nothing at f/" . s/\w{60,}/<root>/r;
    unlike $r->{content}, qr/<pieces|sha-256|announce|disk/, 'nothing of it';
}
is $t->http(GET => $nginx->url(1) . place($root, 'disk.iso.meta4'))->{status},
    404, 'another site';

# A table that is lost is made again.
truncate $t->path("state/$root.table"), 32 or die;
is at('disk.iso.torrent')->{status}, 404, 'a table cut short: no torrent';
$t->wait_for(sub { at('disk.iso.torrent')->{status} == 200 }, 'made again');
($later) = at('disk.iso.torrent')->{content} =~ /4:info(.*)8:url-list/s;
is $later, $info, 'the same torrent';

# Where nothing can be kept there are neither SHA-1s nor the list of pieces.
rename $t->path('state'), $t->path('state.gone') or die;
$t->write('html/unkept.bin', $t->bytes(300_000, 4));
my $unkept = $c->root('/unkept.bin');
is $c->get(place($unkept, 'unkept.bin.torrent'))->{status}, 404, 'no torrent';
$m = $c->get(place($unkept, 'unkept.bin.meta4'))->{content};
like $m, qr{<hash type="sha-256">\w{64}</hash>\n<url }, 'a Metalink without';
rename $t->path('state.gone'), $t->path('state') or die;

# Replaced, and revoked.
$t->write('html/a/disk.iso', $t->bytes(300_000, 9));
$t->wait_for(sub { at('disk.iso.meta4')->{status} == 404
    || at('disk.iso.meta4')->{content} !~ m{/a/disk} }, 'a replaced one');
pass 'a replaced one is not offered';
$nginx->reload($nginx->conf =~ s/Cache-Control public/Cache-Control private/r);
$c->get('/b/other.iso');
is at('other.iso.meta4')->{status}, 404, 'nor what is private now';

$t->done;
