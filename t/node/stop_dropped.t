# The end of a node that has just given a content up whose pieces are not yet
# written down: it waits until nothing of it is on disk.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;
use Time::HiRes qw(sleep);

my $t = Offload::Test->new;
my $size = 60_000_000;
my $bytes = $t->bytes($size, 1);
my $s = Scripted->new($t, origin => sub {
    my ($s, $socket, $request) = @_;
    my ($first, $last) = ($request->{headers}{range} // '') =~ /(\d+)-(\d+)$/
        or return $s->reply($socket, 404, 'no range');

    if ($first > 50_000_000) {
        sleep 0.2; # the others come first
        return $s->reply($socket, 412, 'changed');
    }
    $s->reply($socket, 206, substr($bytes, $first, $last - $first + 1), undef,
        "Content-Range: bytes $first-$last/$size");
});

for my $round (1 .. 3) {
    my $c = $s->content("/$round.bin", $bytes, file => 0, etag => '"v1"');
    my $node = $t->node(coordinator => $s->coordinator);
    $s->assign($c, $node);
    $t->wait_for(sub { $node->log =~ /: dropped: / },
        'the content to be given up');
    $node->stop;
    is $node->status, 0, 'a clean end';
    my @left = glob $node->dir . "/c/*/*";
    is scalar @left, 0, 'and nothing is left on disk';
}

$t->done;
