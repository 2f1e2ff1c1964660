# wget: follows the redirect, and takes what it gets, as curl does.

use Offload::Test;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mirrors;

my $t = Offload::Test->new;
my $m = Mirrors->new($t);
my $url = $m->url('/f.bin');

sub get {
    my (@args) = @_;

    my $dir = $t->path('out-' . $t->next('out'));
    my $r = $t->run({ timeout => 30 }, qw(wget -q --no-config --tries=1 -P),
        $dir, @args);
    my ($file) = glob "$dir/*";
    return ($r->{status}, $file && $t->read($file) eq $m->bytes,
        $file && $file =~ s{.*/}{}r);
}

is_deeply [ get($url) ], [ 0, 1, 'f.bin' ],
    'good nodes: the file, by its name';
is $m->sent->{origin}, 0, 'not a byte of it from the site';

$m->first('dead');
is_deeply [ (get($url))[0] ], [4], 'a dead node: a loud failure';

$m->first('wrong');
is_deeply [ get($url) ], [ 0, '', 'f.bin' ],
    'a trusted node that lies is not found out';
my ($sum) = split ' ', $t->http(GET => $m->place('sha256'))->{content};
isnt Mirrors::sha256_hex($t->read('out-3/f.bin')), $sum,
    'but by the .sha256';
is_deeply [ get('--header=Offload-Fetch: direct', $url) ], [ 0, 1, 'f.bin' ],
    'Offload-Fetch: direct goes round the nodes';

$m->first(undef);
is_deeply [ get($m->alone) ], [ 0, 1, 'f.bin' ], 'no node: the file';
is $m->sent->{origin}, length $m->bytes, 'from the site';

$t->write('part/f.bin', substr $m->bytes, 0, 1_000_000);
my $r = $t->run(qw(wget -q --no-config -c -P), $t->path('part'), $url);
ok $t->read('part/f.bin') eq $m->bytes, 'resumed';
is $m->sent->{origin}, 0, 'at a node';

$t->done;
