# A file is replaced while downloads run: every client ends with one of the
# versions whole, never a mixture, and none hangs.

use Offload::Test;
use Offload::Test::System;

use constant { CLIENTS => 4, VERSIONS => 4, SIZE => 6_000_000 };

my $t = Offload::Test->new;
my @version = map { $t->bytes(SIZE, 10 + $_) } 0 .. VERSIONS - 1;
$t->write('html/f.bin', $version[0]);
my $s = Offload::Test::System->new($t, nodes => 2,
    node_args => [ map { [ '--rate', '3M' ] } 1 .. 2 ]);
$s->offloaded('/f.bin');

my %seen;
for my $next (1 .. VERSIONS - 1) {
    my @gets = map {
        my $out = $t->path("out-$next-$_.bin");
        [ $out, $t->spawn($t->build . '/offload', 'get', '--json', '-o', $out,
            $s->url('/f.bin')) ];
    } 1 .. CLIENTS;
    $t->wait_for(
        sub { grep { ((stat)[12] // 0) > 100 } map { glob "$_->[0]*" } @gets },
        'a download to be under way');
    $t->write('html/f.bin', $version[$next]);

    for (@gets) {
        my ($out, $get) = @$_;
        my $status = $get->wait(90);
        is $status, 0, "version $next: the download ends well"
            or do { diag $get->log; next };
        my $bytes = $t->read($out);
        my ($which) = grep { $version[$_] eq $bytes } $next - 1, $next;
        ok defined $which, "version $next: it is one of the two, whole";
        $seen{ $which // 'mixture' }++;
    }
}
note map { "version $_: $seen{$_} times\n" } sort keys %seen;

# Once the dust has settled the last one is offloaded as the first one was.
$s->offloaded('/f.bin');
my $r = $t->offload('get', '-o', $t->path('last.bin'), $s->url('/f.bin'));
is $r->{status}, 0, 'the last version is downloaded' or diag $r->{err};
ok $t->read('last.bin') eq $version[-1], 'and is the last version';

$t->done;
