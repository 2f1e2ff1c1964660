# An interrupted download: FILE.part stays, and the next run fetches only what
# is missing; pieces in it that are wrong are fetched again.

use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $bytes = $t->bytes(8_000_000, 8);
my $site = Offload::Test::Site->new($t, bytes => $bytes);
my $slow = $site->peer(rate => '1m');
my $fast = $site->peer;
my $out = $t->path('out.bin');
my $part = "$out.part";

$site->publish(peers => [$slow]);
my $get = $t->spawn($t->build . '/offload', 'get', '-o', $out, $site->url);
$t->wait_for(sub { ((stat $part)[12] // 0) * 512 > 3_000_000 }, 'some bytes');

my $r = $t->offload('get', '-o', $out, $site->url);
is $r->{status}, 23, 'a second download to the same file is refused';
like $r->{err}, qr/another download/, 'it says why';

$get->signal('INT');
is $get->wait, 130, 'interrupted: status 130';
ok -e $part && !-e $out, 'FILE.part stays';
is -s $part, length $bytes, 'as long as the file';
cmp_ok((stat $part)[12] * 512, '<', length $bytes, 'but sparse');

# Something scribbles over the first piece meanwhile.
open my $f, '+<', $part or die;
print $f 'scribble';
close $f;

$site->publish(peers => [$fast]);
$r = $t->offload('get', '--json', '-o', $out, $site->url);
is $r->{status}, 0, 'the next run finishes' or diag $r->{err};
ok $t->read($out) eq $bytes, 'intact';
ok !-e $part, 'and FILE.part is gone';
my ($report, $sum) = $t->json($r->{out});
cmp_ok $report->{resumed}, '>', 2_000_000, 'it used what was there';
my ($peer) = grep { $_->{kind} eq 'peer' } @{ $report->{sources} };
is $report->{resumed} + $peer->{bytes}, length $bytes,
    'and fetched just the rest';

# A whole, stale FILE.part of another file does no harm.
$t->write('out.bin.part', $t->bytes(9_000_000, 9));
$r = $t->offload('get', '--json', '-o', $out, $site->url);
is $r->{status}, 0, 'a FILE.part of something else';
ok $t->read($out) eq $bytes, 'is overwritten';
is $t->json($r->{out})->{resumed}, 0, 'and nothing of it used';

# A link in its place is not followed.
$t->write('precious', 'precious');
symlink $t->path('precious'), $part;
$r = $t->offload('get', '-o', $out, $site->url);
is $r->{status}, 23, 'a FILE.part that is a link is refused';
is $t->read('precious'), 'precious', 'and not written through';
unlink $part;

# Nor is anything written to what has another name, or belongs to another user,
# who could change FILE later.
link $t->path('precious'), $part;
$r = $t->offload('get', '-o', $out, $site->url);
is $r->{status}, 23, 'a FILE.part with another name is refused';
like $r->{err}, qr/hard link/, 'it says why';
is $t->read('precious'), 'precious', 'and its content is what it was';
unlink $part;
SKIP: {
    skip 'only root can give files away', 4 if $> != 0;
    $t->write('out.bin.part', '');
    chown 65534, -1, $part;
    $r = $t->offload('get', '-o', $out, $site->url);
    is $r->{status}, 23, 'a FILE.part of another user is refused';
    like $r->{err}, qr/another user/, 'it says why';
    $t->write('out.bin.part', 'x' x 1_000_000);
    $t->write('out.bin.part.etag', $site->url . "\n$site->{etag}");
    chown 65534, -1, "$part.etag";
    $r = $t->offload('get', '--direct', '-q', '-o', $out, $site->url);
    is $r->{status}, 0, 'nor does another user tell' or diag $r->{err};
    ok $t->read($out) eq $bytes, 'what is in FILE.part';
}

# What is known of a plain transfer does not count with a manifest.
$t->write('out.bin.part', substr $bytes, 0, 3_000_000);
$t->write('out.bin.part.etag', $site->url . "\n$site->{etag}");
$r = $t->offload('get', '--json', '-o', $out, $site->url);
is $r->{status}, 0, 'a FILE.part of a plain transfer' or diag $r->{err};
ok $t->read($out) eq $bytes, 'is taken over by pieces';
$report = $t->json($r->{out});
$sum = $report->{resumed};
$sum += $_->{bytes} for @{ $report->{sources} };
is $sum, length $bytes, 'each counted once';

# FILE that is a link stays one; its target is replaced.
symlink $t->path('precious'), $t->path('link');
$r = $t->offload('get', '-o', $t->path('link'), $site->url);
is $r->{status}, 0, 'FILE that is a link';
ok -l $t->path('link'), 'stays a link';
ok $t->read('precious') eq $bytes, 'to what now is the file';

$t->done;
