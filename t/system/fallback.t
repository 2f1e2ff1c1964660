# No node left: the file comes from the origin.  No origin left: a download
# that has its manifest finishes with the nodes.

use Offload::Test;
use Offload::Test::System;

my $t = Offload::Test->new;
my $bytes = $t->bytes(20_000_000, 4);
$t->write('html/f.bin', $bytes);
my $s = Offload::Test::System->new($t, nodes => 2,
    node_args => [ map { [ '--rate', '5M' ] } 1 .. 2 ]);
$s->offloaded('/f.bin');

# The origin goes as soon as the first bytes are there.
my $out = $t->path('from-nodes.bin');
my $get = $t->spawn($t->build . '/offload', 'get', '--json', '-o', $out,
    $s->url('/f.bin'));
$t->wait_for(sub { grep { ((stat)[12] // 0) > 100 } glob "$out*" },
    'the download to be under way');
$s->origin->kill;
is $get->wait(60), 0, 'without the origin the download finishes'
    or diag $get->log;
ok $t->read($out) eq $bytes, 'intact';
is bytes_of($get->output, 'origin'), 0, 'the origin gave none of it';

# The origin is back, its zone is new: the next sync fills it again.  The nodes
# that it then names are dead a moment later.
$s->origin->start;
$t->wait_for(sub { 2 == $s->manifest_peers('/f.bin') },
    'a new zone to know the nodes', 40);
$_->kill for $s->nodes;
my $r = $t->offload('get', '--json', '-o', $t->path('from-origin.bin'),
    $s->url('/f.bin'));
is $r->{status}, 0, 'without nodes the download finishes' or diag $r->{err};
ok $t->read('from-origin.bin') eq $bytes, 'intact';
is bytes_of($r->{out}, 'origin'), length $bytes, 'the origin gave all of it';

# And within 30 s they are in no new manifest.
$t->wait_for(sub { !$s->manifest_peers('/f.bin') },
    'the dead nodes to be gone from new manifests', 45);
pass 'dead nodes are gone from new manifests';

$t->done;

sub bytes_of {
    my ($report, $kind) = @_;

    my $sum = 0;
    $_->{kind} eq $kind and $sum += $_->{bytes}
        for @{ $t->json($report)->{sources} };
    return $sum;
}
