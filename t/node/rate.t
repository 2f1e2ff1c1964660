# --rate: what a node sends in all, shared among those who ask.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;
use Time::HiRes qw(time);

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my $bytes = $t->bytes(4_000_000, 1);
my $c = $s->content('/f.bin', $bytes);
my $node = $t->node(coordinator => $s->coordinator, args => [qw(--rate 2M)]);

$s->assign($c, $node);
$s->wait_complete($c, $node);
my $start = time;
ok $t->http(GET => $node->url . $c->{path})->{content} eq $bytes, 'whole';
my $took = time - $start;
ok $took > 1.6 && $took < 3.5, sprintf '4 MB at 2 MiB/s took %.2f s', $took;

$start = time;
my @clients = map {
    $t->spawn('curl', '-sS', '-o', '/dev/null', '-w', '%{time_total}',
        $node->url . $c->{path});
} 1 .. 3;
$_->wait for @clients;
$took = time - $start;
ok $took > 5.2 && $took < 9, sprintf 'three at once took %.2f s', $took;
my ($least, $most) = (sort { $a <=> $b } map { $_->output } @clients)[0, -1];
ok $most - $least < 1.5, sprintf 'each as long (%.2f s, %.2f s)', $least, $most;

$t->done;
