# A node lies: its bytes on disk are changed.  Two other nodes say so, it loses
# half its weight and is audited at once; wrong bytes twice exclude it, for good,
# with the reason shown to all and told to its operator.  An honest node passes.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Offload::Test::System;
use Stranger;

my $t = Offload::Test->new;
my $bytes = $t->bytes(3_000_000, 3);
$t->write('html/f.bin', $bytes);
my $s = Offload::Test::System->new($t, nodes => 2);
my $c = $s->coordinator;
my $root = $s->offloaded('/f.bin');
my ($liar, $honest) = $s->nodes;

sub node { $t->json($t->http(GET => $c->url . "/v1/nodes/$_[0]")->{content}) }

$t->wait_for(sub { node($_->id)->{audits}{passed} }, 'an audit passed')
    for $liar, $honest;
pass 'both are audited soon after they hold something';
is node($liar->id)->{trust}, 0.25, 'a new node counts a quarter';
cmp_ok node($liar->id)->{audits}{fastest}, '>', 10_000, 'its speed is known';
cmp_ok $s->redis->cli('TTL', 'audit:{' . $liar->id . '}'), '>', 30,
    'not again within a minute';

# What lies on its disk is what a node serves.
my $path = $s->stored($liar, $root);
open my $f, '+<', $path or die "$path: $!\n";
binmode $f;
for (my $at = 1000; $at < length $bytes; $at += 100_000) {
    seek $f, $at, 0;
    print $f chr(ord(substr $bytes, $at, 1) ^ 1);
}
close $f;

my @others = map { Stranger->new(test => $t, coordinator => $c, name => $_) }
    'a', 'b';
$_->register for @others;
my @wrong = (wrong => [ { id => $liar->id, root => $root } ]);
$others[0]->heartbeat(@wrong) for 1 .. 3;
is $s->redis->cli('HGET', 'rep:{' . $liar->id . '}', 'low'), '',
    'one that accuses it, however often, is not enough';
$others[1]->heartbeat(@wrong);
my $seen = $t->wait_for(sub { my $n = node($liar->id);
    $n->{excluded} && $n }, 'the liar to be excluded');
is $seen->{trust}, 0.125, 'two halve its weight';
like $seen->{reason}, qr/wrong bytes twice, lastly piece \d+ of \Q@{[
    substr $root, 0, 16]}\E/, 'the reason is shown';
ok !$seen->{listed}, 'it is not listed';
is $s->redis->cli('TTL', 'ban:{' . $liar->id . '}'), -1, 'for good';
like $s->redis->cli('HGET', 'ban:{' . $liar->id . '}', 'details'),
    qr/piece \d+ of $root, of the site \Q@{[ $s->origin->url ]}\E/,
    'with all that is known';

$t->wait_for(sub { join(' ', map { $_->{id} } $s->peers($root)) eq $honest->id },
    'the liar to be no peer');
$t->wait_for(sub { join(' ', map { $_->{id} } $s->manifest_peers('/f.bin'))
    eq $honest->id }, 'the liar to be in no manifest', 90);
pass 'nobody is sent there';
$t->wait_for(sub { $liar->log =~ /excluded.*wrong bytes/ },
    'its operator to be told', 30);
pass 'its operator is told why';
ok !node($honest->id)->{excluded}, 'the honest one stays';

my $metrics = $t->http(GET => $c->url . '/metrics')->{content};
like $metrics, qr/^offload_audits_total\{result="wrong"\} 2$/m,
    'two audits were wrong';
like $metrics, qr/^offload_bans_total 1$/m, 'one ban';

$t->done;
