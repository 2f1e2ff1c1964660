# wget2: by .meta4, which it also finds by the links of a redirect, it takes no
# wrong bytes for the file; but it does not leave a first mirror that is bad.

use Offload::Test;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mirrors;

my $t = Offload::Test->new;
my $m = Mirrors->new($t);
my %from = ('a .meta4' => $m->place('meta4'),
    'a redirect' => $m->url('/f.bin'));

# The exit status (124: it was stopped), and what is there then.
sub get {
    my (@args) = @_;

    my $dir = $t->path('out-' . $t->next('out'));
    mkdir $dir;
    my $r = $t->run({ timeout => 30, dir => $dir }, qw(timeout 3 wget2 -q
        --no-config --no-hsts --tries=1), @args);
    my $file = "$dir/f.bin";
    return [ $r->{status}, !-e $file ? 'nothing'
        : $t->read($file) eq $m->bytes ? 'right' : 'not the file' ];
}

for my $what (sort keys %from) {
    $m->first(undef);
    is_deeply get($from{$what}), [ 0, 'right' ], "$what, good nodes: the file";
    is $m->sent->{origin}, 0, 'from these';

    $m->first('dead');
    is_deeply get($from{$what}), [ 0, 'nothing' ],
        "$what, a dead node first: no file, though no failure either";

    $m->first('wrong');
    is_deeply get($from{$what}), [ 124, 'not the file' ],
        "$what, a lying node first: it goes on asking that one";
    cmp_ok $m->sent->{wrong}, '>', length $m->bytes, 'over and over';
}

is_deeply get($m->alone('meta4')), [ 0, 'right' ],
    'a .meta4, no node: the file';
is $m->sent->{origin}, length $m->bytes, 'from the site';
is_deeply get($m->alone), [ 0, 'right' ], 'no node: the file';

# What goes round the nodes; and what does not.
$m->first('wrong');
is_deeply get('--header=Offload-Fetch: direct', $m->url('/f.bin')),
    [ 0, 'right' ], 'Offload-Fetch: direct: the file';
is_deeply get('--no-metalink', $m->url('/f.bin')), [ 0, 'nothing' ],
    '--no-metalink: it does not follow a redirect that has links';

$t->done;
