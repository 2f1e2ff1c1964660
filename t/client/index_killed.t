# `offload index`, killed anywhere, and several at once: who reads the state
# folder meanwhile sees whole files, and the next run completes them.

use Offload::Test;

use Digest::SHA qw(sha256_hex);
use Time::HiRes qw(time);

use constant FILES => 300;
use constant KILLS => 12;

my $t = Offload::Test->new;
my $state = $t->path('state');
mkdir $state or die;
for my $i (1 .. FILES) {
    $t->write("site/$i.bin", $i);    # sparse: all differ in a few bytes
    truncate $t->path("site/$i.bin"), 262_144 + $i or die;
}

sub start_ {
    return $t->spawn($t->build . '/offload', 'index', '--state', $state, '--json',
        '--jobs', 4, $t->path('site'));
}

# What is wrong with the folder as it is just now; tables before entries, so
# that none can have come between.
sub wrong {
    my (%tables, @wrong);

    my @entries = glob "$state/*.file";
    my @read = map { [ $_, scalar $t->read($_) ] } @entries;
    for my $file (glob "$state/*.table") {
        my ($root) = $file =~ m{([0-9a-f]{64})\.table$};
        my $table = $t->read($file);
        $tables{$root} = 1;
        push @wrong, $file if sha256_hex(substr $table, 0, 64) ne $root
            || $table !~ m{^.{104}<pieces .*</pieces>\n\z}s;
    }
    for (@read) {
        my ($file, $text) = @$_;
        my $entry = eval { $t->json($text) };
        push @wrong, $file if !$entry || $text !~ /\}\n\z/ || !$tables{ $entry->{root} };
    }
    return @wrong;
}

$t->wait_for(sub { (stat $t->path('site/' . FILES . '.bin'))[10] + 3 < time },
    'the files are old enough');
my ($looks, @wrong, %seen) = (0);
for my $kill (1 .. KILLS) {
    unlink glob "$state/*";
    my $index = start_();
    my $end = time + $kill * 0.03;
    while ($index->running && time < $end) {
        push @wrong, wrong();
        $looks++;
    }
    $index->kill;
    push @wrong, wrong();
    $seen{ scalar(my @n = glob "$state/*.file") } = 1;
}
is $wrong[0], undef, 'nobody ever sees half a file';
cmp_ok scalar(keys %seen), '>', 3, 'it was killed in the middle, ' . KILLS . ' times';
cmp_ok $looks, '>', KILLS, 'looked at meanwhile';

# Several at once, as with a worker that indexes: no harm, and all is there.
my @all = map { start_() } 1 .. 3;
is join(' ', map { $_->wait(60) } @all), '0 0 0', 'three at once';
is((wrong())[0], undef, 'leave whole files');
is scalar(my @files = glob "$state/*.file"), FILES, 'all of them';
is $t->json(do { my $i = start_(); $i->wait(60); $i->output })->{kept}, FILES,
    'which are up to date';

$t->done;
