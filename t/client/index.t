# `offload index`: which files of a folder are hashed, what is kept of them,
# what becomes of files that change, and what its exit status says.

use Offload::Test;

use Digest::SHA qw(sha256_hex);
use POSIX ();
use Time::HiRes qw(time);

my $t = Offload::Test->new;
my $state = $t->path('state');
mkdir $state or die;
my $large = $t->bytes(3 * 262_144 + 7, 1);

sub file {
    my ($name, $bytes) = @_;
    $t->write("site/$name", $bytes);
    return $t->path("site/$name");
}

sub entries {
    my %found = map { my $e = $t->json($t->read($_)); $e->{path} => $e }
        glob "$state/*.file";
    return \%found;
}

sub names { join ' ', sort map { s{^\Q$t->{dir}\E/site/}{}r } keys %{ entries() } }

sub index_ { $t->offload('index', '--state', $state, '--json', @_) }
sub told { $t->json($_[0]{out}) }

file('iso/a.iso', $large);
file('b.bin', $t->bytes(262_144, 2));
file('small.bin', $t->bytes(262_143, 3));
file('.hidden.bin', $large);
file('.git/pack.bin', $large);
file('odd %"name.bin', $large);
$t->write('outside.bin', $large);
symlink 'iso', $t->path('site/current') or die;
symlink 'a.iso', $t->path('site/iso/link.iso') or die;
symlink '../outside.bin', $t->path('site/out.bin') or die;
symlink '..', $t->path('site/iso/loop') or die;
symlink 'nowhere', $t->path('site/broken') or die;

# A file that grows for as long as it is read: see the end.
my $growing = $t->path("growing/l\xc3\xb6g\xc2\x9b31m\x9b.bin");
$t->write("growing/l\xc3\xb6g\xc2\x9b31m\x9b.bin", '');
truncate $growing, 200 << 20 or die;
my $test = $$;
my $writer = fork // die;
if ($writer == 0) {
    open my $out, '>>', $growing or die;
    while (getppid == $test) { syswrite $out, 'x'; select undef, undef, undef, 0.01 }
    POSIX::_exit(0);
}
my $changing = $t->spawn('env', 'LC_ALL=C.UTF-8', $t->build . '/offload', 'index', '--state',
    $state, $t->path('growing'));

# What is looked at.
my $r = index_($t->path('site'));
is $r->{status}, 0, 'indexed' or diag $r->{err};
is names(), 'b.bin current/a.iso current/link.iso iso/a.iso iso/link.iso '
    . 'odd%20%25%22name.bin', 'what is large and not hidden; links within';
is told($r)->{hashed}, 6, 'so many were hashed';
my $entry = entries()->{ $t->path('site/iso/a.iso') };
is $entry->{sha256}, sha256_hex($large), 'the checksum';
my $table = join '', map { pack 'H*', sha256_hex($_) } unpack '(a262144)*', $large;
is $entry->{root}, sha256_hex($table), 'the root';
like $t->read("$state/$entry->{root}.table"), qr{^\Q$table\E.{80}<pieces .*</pieces>\n\z}s,
    'the table, SHA-1s, the list of pieces';
like $entry->{infohash}, qr/^[0-9a-f]{40}$/, 'the infohash';

# What is up to date.
my ($inode) = (stat "$state/$entry->{root}.table")[1];
$r = index_($t->path('site'));
is told($r)->{kept}, 6, 'a second time nothing is hashed';
is((stat "$state/$entry->{root}.table")[1], $inode, 'and nothing is written');
$r = $t->offload({ dir => $t->path('site') }, 'index', '--state', $state, '--json', 'iso//');
is told($r)->{kept}, 2, 'a relative folder is the same one';
$r = $t->offload({ dir => $t->path('site/iso') }, 'index', '--state', $state, '--json',
    '../../site/iso/a.iso');
is told($r)->{hashed}, 1, 'as it is spelled: nginx resolves no dots, either';
ok entries()->{ $t->path('site/iso/../../site/iso/a.iso') }, 'under that name';
file('b.bin', $t->bytes(262_145, 4));
my $started = time;
$r = index_($t->path('site/b.bin'));
is told($r)->{hashed}, 1, 'a file that changed, by its own name';
cmp_ok time - $started, '>=', 0.5, 'was waited for until it was old enough';
is entries()->{ $t->path('site/b.bin') }{sha256}, sha256_hex($t->bytes(262_145, 4)),
    'what is kept is of that';
is told(index_('--min-length', '100k', $t->path('site')))->{hashed}, 1, '--min-length';

# What cannot be done.
$r = $t->offload('index', '--state', $t->path('none'), $t->path('site'));
is $r->{status}, 23, 'no state folder';
like $r->{err}, qr/none: No such file.*nginx makes this folder/s, 'how to get one';
is $t->offload('index', '--state', $state, $t->path('nothing'))->{status}, 1, 'no such folder';
is $t->offload(qw(index --jobs 0), $t->path('site'))->{status}, 2, '--jobs 0';
is $t->offload(qw(index --min-length big), $t->path('site'))->{status}, 2, '--min-length big';
is $t->offload('index')->{status}, 2, 'no folder';
$r = $t->offload('index', '--state', $state, '--quiet', $t->path('site'));
is $r->{out} . $r->{err}, '', '--quiet';
$r = $t->offload('index', '--state', $state, $t->path('site'));
like $r->{err}, qr/^6 files: 0 hashed .*6 were up to date$/m, 'a summary else';
$r = $t->run('sh', '-c', 'exec "$@" > /dev/full', 'sh', $t->build . '/offload', 'index',
    '--state', $state, '--json', $t->path('site'));
is $r->{status}, 23, 'a report that cannot be written';
like $r->{err}, qr/standard output: No space/, 'is told';

mkdir "$state/odd.file" or die;
$r = index_($t->path('site'));
is $r->{status}, 23, 'what does not belong into the state folder';
like $r->{err}, qr/\Q$state\E: odd\.file: Is a directory$/m, 'is told by name';
is told($r)->{kept}, 6, 'when all else is done';
rmdir "$state/odd.file";

# Ctrl-C: what is done is kept, the rest is left.
$t->write('long/a.bin', $large);
$t->write('long/huge.bin', '');
truncate $t->path('long/huge.bin'), 20 << 30 or die;
my $index = $t->spawn($t->build . '/offload', 'index', '--state', $state, '--jobs', 2,
    $t->path('long'));
$t->wait_for(sub { entries()->{ $t->path('long/a.bin') } }, 'one is done');
$started = time;
$index->signal('INT');
is $index->wait(60), 130, 'Ctrl-C';
cmp_ok time - $started, '<', 5, 'is obeyed at once';
like $index->log, qr/^offload index: interrupted; what is hashed is kept$/m, 'and told';
is join(' ', grep { m{/long/} } keys %{ entries() }), $t->path('long/a.bin'),
    'what was done is kept';
is join(' ', glob "$state/*.temp"), '', 'and nothing half-written';

# The file that has been growing all the time.
is $changing->wait(60), 92, 'a file that keeps changing';
like $changing->log, qr{^offload index: \Q$t->{dir}\E/growing/l\xc3\xb6g\?31m\?\.bin: changed while it was read, 3 times$}m,
    'is told by name, but for what a terminal would obey';
kill KILL => $writer;
waitpid $writer, 0;
is scalar(grep { m{/growing/} } keys %{ entries() }), 0, 'nothing is kept of it';

$t->done;
