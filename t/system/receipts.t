# What clients say of nodes arrives where it is to be used: every coordinator
# of the site is told, and goes on syncing.

use Offload::Test;
use Offload::Test::Sync;
use Offload::Test::System;

my $t = Offload::Test->new;
$t->write('html/f.bin', $t->bytes(3_000_000, 1));
my $s = Offload::Test::System->new($t, nodes => 2);

# A second coordinator of the site, to hear what the first one hears.
my $key = $t->key('listener');
$s->origin->reload($s->origin->conf =~ s{(\n *)(offload_coordinator )}
    {$1$2http://127.0.0.1:9999 $key->{x};$1$2}r);
my $listener = Offload::Test::Sync->new($t, $key, $s->origin->url);
$listener->start;
$s->offloaded('/f.bin');

my %sent;
for my $run (1 .. 2) {
    my $r = $t->offload('get', '--json', '-o', $t->path('out.bin'),
        $s->url('/f.bin'));
    is $r->{status}, 0, "download $run" or diag $r->{err};
    my $report = $t->json($r->{out});
    is $report->{reported}, JSON::PP::true(), 'is reported';
    next if $run == 2; # of the same network, on the same day

    $sent{ $_->{id} } += $_->{bytes}
        for grep { $_->{kind} eq 'peer' && $_->{bytes} } @{ $report->{sources} };
}
is eval { my $sum = 0; $sum += $_ for values %sent; $sum }, 3_000_000,
    'all of it came from nodes';

$listener->send;
is_deeply { map { $_->{id} => $_->{bytes} } @{ $listener->claims->{nodes} } },
    \%sent, 'the first one is what coordinators are told';

# The real one has heard it, and is still understood.
$t->write('html/g.bin', $t->bytes(1_000_000, 2));
$s->offloaded('/g.bin');
my $r = $t->offload('get', '--json', '-o', $t->path('out.bin'),
    $s->url('/g.bin'));
is $r->{status}, 0, 'a new file goes the same way';
is $t->json($r->{out})->{reported}, JSON::PP::true(), 'and is reported';
unlike $s->coordinator->log, qr/sync.*(refused|nodes|not understood)/i,
    'the coordinator takes the numbers for what they are';

$t->done;
