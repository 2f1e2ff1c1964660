# A site that gives its bytes one by one does not keep a node from fetching
# what other sites offer.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;
use Time::HiRes qw(sleep);

my $t = Offload::Test->new;
my $good = Scripted->new($t);
my $slow = Scripted->new($t, origin => sub {
    my ($s, $socket, $request) = @_;
    my ($from, $to) = ($request->{headers}{range} // '') =~ /(\d+)-(\d+)$/
        or return $s->reply($socket, 404, 'no range');

    $socket->autoflush(1);
    print $socket "HTTP/1.1 206 Slow\r\nContent-Length: ", $to - $from + 1,
        "\r\nContent-Range: bytes $from-$to/9000000\r\n\r\n";
    for (1 .. 60) {
        print $socket 'x' or last;
        sleep 1;
    }
});
my @s = map { $slow->content("/$_.bin", $t->bytes(9_000_000, $_), file => 0,
    etag => '"s"') } 1 .. 3;
my $bytes = $t->bytes(3_000_000, 'g');
my $g = $good->content('/g.bin', $bytes);
my $node = $t->node(coordinator => $good->coordinator);

$good->relay($slow, $_, $node) for @s;
$t->wait_for(sub { (() = $slow->origin->log =~ m{GET /\d\.bin}g) >= 6 + @s },
    'the node to ask for all that it may');
$good->assign($g, $node);
$good->wait_complete($g, $node);
pass 'another site is fetched from in the background';
ok $t->http(GET => $node->url . $g->{path})->{content} eq $bytes, 'and whole';

$t->done;
