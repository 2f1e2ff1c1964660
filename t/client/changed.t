# The file is replaced at the origin: whoever needs the origin starts over and
# ends with the new version whole; a stream that has begun fails; a file that
# changes for ever ends in an error.

use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $old = $t->bytes(5_000_000, 6);
my $new = $t->bytes(5_500_000, 7);
my $site = Offload::Test::Site->new($t, bytes => $old);
my $out = $t->path('out.bin');
my $peer = $site->peer(rate => '1m');

sub start {
    my $get = $t->spawn($t->build . '/offload', 'get', '--json', '-o', @_,
        $site->url);
    return $get;
}

# A peer with the old version is enough to finish it.
$site->publish(peers => [$peer]);
my $get = start($out);
$t->wait_for(sub { (stat "$out.part")[12] }, 'some bytes');
$site->content($new);
$site->publish(peers => []);
is $get->wait(60), 0, 'with a peer that has it' or diag $get->log;
ok $t->read($out) eq $old, 'the old version comes whole';

# The peer goes: what is missing must come from the origin, which has another.
$site->content($old);
$site->publish(peers => [$peer]);
$get = start($out);
$t->wait_for(sub { (stat "$out.part")[12] }, 'some bytes');
$site->content($new);
my $peer_new = $site->peer;
$site->publish(peers => [$peer_new]);
$peer->stop;
is $get->wait(60), 0, 'without it' or diag $get->log;
ok $t->read($out) eq $new, 'the new version comes whole';
my $report = $t->json($get->output);
is $report->{restarts}, 1, 'after one restart';
is $report->{root}, $site->root, 'and the report tells of the new one';
my $sum = 0;
$sum += $_->{bytes} for @{ $report->{sources} };
is $sum, length $new, 'nothing of the old one is counted';

# A manifest-aware request may get the plain file meanwhile.
$peer->start;
$site->content($old);
$site->publish(peers => [$peer]);
$get = start($out);
$t->wait_for(sub { (stat "$out.part")[12] }, 'some bytes');
$site->content($new);
$site->serve(undef);
$peer->stop;
is $get->wait(60), 0, 'with the new version not indexed yet'
    or diag $get->log;
ok $t->read($out) eq $new, 'the new version comes as a plain file';
ok !$t->json($get->output)->{verified}, 'and the report says it is that';

# What went down the pipe cannot be taken back.
$peer->start;
$site->content($old);
$site->publish(peers => [$peer]);
$get = $t->spawn($t->build . '/offload', 'get', '--json', '-o', '-',
    $site->url);
$t->wait_for(sub { length $get->output }, 'the first bytes');
$site->content($new);
$site->publish(peers => [$peer_new]);
$peer->stop;
is $get->wait(60), 18, 'a stream that has begun fails';
my $got = $get->output;
cmp_ok length $got, '<', length $old, 'short';
ok $got eq substr($old, 0, length $got), 'with nothing of the new version';
like $get->log, qr/changed while it was streamed/, 'and says why';

# A manifest that never fits the file: three versions, then no more.
$site->publish(peers => [], content => { etag => '"0-0"' });
my $r = $t->offload('get', '--json', '-o', $out, $site->url);
is $r->{status}, 92, 'a file that is never what its manifest says: an error';
like $r->{err}, qr/changed/, 'which says so';
ok $t->read($out) eq $new, 'and what was there before is untouched';

$t->done;
