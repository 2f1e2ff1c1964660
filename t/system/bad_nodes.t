# Three nodes hold the file; then one serves wrong bytes, one hangs, one is
# killed half-way.  The download is whole, and its report names the culprits.

use Offload::Test;
use Offload::Test::System;

my $t = Offload::Test->new;
my $bytes = $t->bytes(24_000_000, 3);
$t->write('html/f.bin', $bytes);

# Slow enough that the end of one of them falls into the download.
my $s = Offload::Test::System->new($t, nodes => 3,
    node_args => [ map { [ '--rate', '4M' ] } 1 .. 3 ]);
my $root = $s->offloaded('/f.bin');
my ($liar, $sleeper, $victim) = $s->nodes;

# What lies on its disk is what a node serves: flip a byte in each piece.
my $path = $s->stored($liar, $root);
open my $f, '+<', $path or die "$path: $!\n";
binmode $f;
for (my $at = 1000; $at < length $bytes; $at += 100_000) {
    seek $f, $at, 0;
    print $f chr(ord(substr $bytes, $at, 1) ^ 1);
}
close $f;
$sleeper->signal('STOP');

my $out = $t->path('out.bin');
my $get = $t->spawn($t->build . '/offload', 'get', '--json', '-o', $out,
    $s->url('/f.bin'));
$t->wait_for(sub { ($victim->log || '') && received($out) > 1_000_000 },
    'the download to be under way');
$victim->kill;

is $get->wait(60), 0, 'the download succeeds' or diag $get->log;
ok $t->read($out) eq $bytes, 'and is what the origin has';

my %by_url = map { $_->{url} => $_ } @{ $t->json($get->output)->{sources} };
for ([ $liar, qr/wrong|hash|match|differ/i, 'the liar' ],
    [ $sleeper, qr/no bytes|timed? ?out|stall|time/i, 'the one that hangs' ],
    [ $victim, qr/./, 'the killed one' ]) {
    my ($node, $reason, $name) = @$_;
    my $source = $by_url{ $node->url };
    ok $source, "$name is in the report" or next;
    like $source->{error} // '', $reason, "$name: the reason is named";
}
is $by_url{ $liar->url }{bytes}, 0, 'nothing of the liar was kept';
cmp_ok $by_url{ $victim->url }{bytes}, '>', 0,
    'what the killed one had sent was kept';

$sleeper->signal('CONT');
$t->done;

# How much of the file has been written so far.
sub received {
    my ($path) = @_;

    my $blocks = 0;
    for (glob "$path*") {
        my $b = (stat $_)[12] // 0;
        $blocks = $b if $b > $blocks;
    }
    return $blocks * 512;
}
