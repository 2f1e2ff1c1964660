# --rate while pieces come slowly and in another order than they are read: a
# reader that waits for its share is also woken by pieces.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;
use Time::HiRes qw(sleep);

my $t = Offload::Test->new;
my $bytes = $t->bytes(5_000_000, 1);
my $s = Scripted->new($t, origin => sub {
    my ($s, $socket, $request) = @_;
    my ($first, $last) = ($request->{headers}{range} // '') =~ /(\d+)-(\d+)$/
        or return $s->reply($socket, 404, 'no range');

    sleep 0.3 + 0.6 * (int($first / 262144) * 7 % 5) if $first;
    $s->reply($socket, 206, substr($bytes, $first, $last - $first + 1), undef,
        "Content-Range: bytes $first-$last/5000000");
});
my $c = $s->content('/f.bin', $bytes, file => 0, etag => '"v1"');
my $node = $t->node(coordinator => $s->coordinator, args => [qw(--rate 1500K)]);

$s->assign($c, $node);
$t->wait_for(sub { $s->held($node, $c) }, 'the assignment to be taken');
my @clients = map {
    $t->spawn('curl', '-sS', '-m', 40, '-o', $t->path("got.$_"),
        $node->url . $c->{path});
} 1 .. 3;
is $_->wait, 0, 'a client is served to the end' for @clients;
ok $t->read("got.$_") eq $bytes, 'and has the file' for 1 .. 3;
is $t->http(GET => $node->url . '/healthz')->{status}, 200, 'the node lives';

$t->done;
