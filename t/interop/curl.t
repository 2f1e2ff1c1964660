# curl: follows the redirect, and takes what it gets.  It can be told to fail
# by the digest, with one more command; it has no second place to go to.

use Offload::Test;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mirrors;

use Digest::SHA qw(sha256_hex);

my $t = Offload::Test->new;
my $m = Mirrors->new($t);
my $url = $m->url('/f.bin');

# What curl gets, and what sha256sum has to say of it.
sub get {
    my ($from) = @_;

    my $out = $t->path('out/f.bin');
    $t->write('out/f.bin', '');
    my $r = $t->run({ timeout => 30 }, 'curl', '-sSfL', '-o', $out, $from);
    my $sums = $t->run('curl', '-sSf', $m->place('sha256'));
    my $check = $t->run({ dir => $t->path('out'), stdin => $sums->{out} },
        'sha256sum', '--status', '-c');
    return ($r->{status}, $t->read($out) eq $m->bytes, $check->{status});
}

is_deeply [ get($url) ], [ 0, 1, 0 ], 'good nodes: the file';
is $m->sent->{origin}, 0, 'not a byte of it from the site';

$m->first('dead');
is_deeply [ get($url) ], [ 7, '', 1 ], 'a dead node: a loud failure';

$m->first('wrong');
is_deeply [ get($url) ], [ 0, '', 1 ],
    'a trusted node that lies is found out by sha256sum only';
is $m->sent->{wrong}, length $m->bytes, 'these were its bytes';

my $r = $t->run('curl', '-sSfL', '-H', 'Offload-Fetch: direct', $url);
ok $r->{out} eq $m->bytes, 'Offload-Fetch: direct goes round the nodes';

is_deeply [ get($m->alone) ], [ 0, 1, 0 ], 'no node: the file';
is $m->sent->{origin}, length $m->bytes, 'from the site';

# The rest of a file comes from the node that the beginning came from.
$m->first(undef);
$t->write('out/part', substr $m->bytes, 0, 1_000_000);
$r = $t->run('curl', '-sSfL', '-C', '-', '-o', $t->path('out/part'), $url);
ok $t->read('out/part') eq $m->bytes, 'resumed';
is $m->sent->{origin}, 0, 'at a node';

$t->done;
