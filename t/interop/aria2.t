# aria2: by .meta4 and .torrent it gets right bytes whatever a node does; by
# the links of a redirect it finds out, and fails.

use Offload::Test;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mirrors;

my $t = Offload::Test->new;
my $m = Mirrors->new($t);
my @meta4 = qw(--follow-metalink=mem);
my @torrent = qw(--follow-torrent=mem --enable-dht=false --enable-dht6=false
    --bt-enable-lpd=false --enable-peer-exchange=false --seed-time=0
    --bt-exclude-tracker=*);

# Whether the file is right; leaves the exit status in the other.
sub get {
    my ($url, @args) = @_;

    my $dir = $t->path('out-' . $t->next('out'));
    my $r = $t->run({ timeout => 40 }, qw(aria2c -q --no-conf -k1M -s8 -x4),
        '-d', $dir, @args, $url);
    my $file = "$dir/f.bin";
    $m->{status} = $r->{status};
    return $r->{status} == 0 && -e $file && $t->read($file) eq $m->bytes
        ? 'right' : $r->{status} == 0 ? 'WRONG' : 'failed';
}

for ([ 'a .meta4', 'meta4', @meta4 ], [ 'a .torrent', 'torrent', @torrent ]) {
    my ($what, $format, @args) = @$_;
    my $url = $m->place($format);

    $m->first(undef);
    is get($url, @args), 'right', "$what, good nodes: the file";
    cmp_ok $m->sent->{origin}, '<', length $m->bytes, 'nodes sent of it';
    $m->first('dead');
    is get($url, @args), 'right', "$what, a dead node first: the file";
    $m->first('wrong');
    # aria2 asks all at once: now and then the others have sent it all before.
    my ($got, $lies);
    for (1 .. 5) {
        $got = get($url, @args);
        $lies = $m->sent->{wrong};
        last if $got ne 'right' || $lies;
    }
    is $got, 'right', "$what, a lying node first: the file";
    cmp_ok $lies, '>', 0, 'though it had sent some';
    is get($m->alone($format), @args), 'right', "$what, no node: the file";
    # It gives up connections whose part another has, with bytes on the way.
    cmp_ok $m->sent->{origin}, '>=', length $m->bytes, 'all from the site';
}

# Link and Digest on a redirect.
my $url = $m->url('/f.bin');
$m->first(undef);
is get($url), 'right', 'a redirect, good nodes: the file';
is $m->sent->{origin}, 0, 'from these alone';
$m->first('dead');
is get($url), 'right', 'a redirect, a dead node first: the other links';
is $m->sent->{origin}, 0, 'lead to the file';
$m->first('wrong');
is get($url), 'failed', 'a redirect to a node that lies: no file';
is $m->{status}, 32, 'by the digest';
is get($m->alone), 'right', 'no node: the file';

$t->done;
