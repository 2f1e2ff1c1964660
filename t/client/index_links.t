# `offload index` in a folder whose folders are linked with each other: every
# one has names without end, and only so many are looked at; Ctrl-C ends it.

use Offload::Test;

use Time::HiRes qw(time);

use constant FOLDERS => 12;

my $t = Offload::Test->new;
my $state = $t->path('state');
mkdir $state or die;

# Each with a file, and with a link to each other one.
sub meshed {
    my ($where, $folders) = @_;
    for my $i (1 .. $folders) {
        $t->write("$where/d$i/f.bin", $i);
        truncate $t->path("$where/d$i/f.bin"), 262_144 or die;
        for my $k (1 .. $folders) {
            symlink "../d$k", $t->path("$where/d$i/to$k") or die if $k != $i;
        }
    }
}

meshed('site', FOLDERS);
$t->write('site/v1/f.bin', 'v1');
truncate $t->path('site/v1/f.bin'), 262_144 or die;
symlink 'v1', $t->path("site/$_") or die for qw(latest stable);
my $started = time;
my $r = $t->offload({ timeout => 30 }, 'index', '--state', $state, '--json', '--quiet',
    $t->path('site'));
is $r->{status}, 0, 'it ends' or diag $r->{err};
cmp_ok time - $started, '<', 20, 'soon';
my $told = $t->json($r->{out});
cmp_ok $told->{files}, '<=', FOLDERS * 9 + 3, 'a folder is entered by a few links';
my %paths = map { $t->json($t->read($_))->{path} => 1 } glob "$state/*.file";
is scalar(grep { $paths{ $t->path("site/d$_/f.bin") } } 1 .. FOLDERS), FOLDERS,
    'each has its own name';
is scalar(grep { $paths{ $t->path("site/$_/f.bin") } } qw(v1 latest stable)), 3,
    'and those of two links to one';

# So many links that looking at them takes a while.
meshed('more', 400);
my $index = $t->spawn($t->build . '/offload', 'index', '--state', $state, '--min-length', '1g',
    $t->path('more'));
$t->wait_for(sub { -l '/proc/' . $index->pid . '/cwd'
        && grep { readlink($_) && readlink($_) =~ m{/more} } glob '/proc/' . $index->pid . '/fd/*' },
    'it looks at links');
ok $index->running, 'for a while';
$started = time;
$index->signal('INT');
is $index->wait(30), 130, 'Ctrl-C';
cmp_ok time - $started, '<', 2, 'is obeyed at once';

$t->done;
