# A site that tells a node when to come again (503 with Retry-After, as
# "offload_node_rate" has it) has not failed: the node comes again then, as often
# as it is told to, and does not turn to another site that has the same bytes.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my $bytes = $t->bytes(3_000_000, 1);

# Gives the first half, and the second one after so many words.
sub site {
    my ($later, @headers) = @_;
    return Scripted->new($t, origin => sub {
        my ($s, $socket, $request) = @_;
        my ($from, $to) = ($request->{headers}{range} // '') =~ /(\d+)-(\d+)$/
            or return $s->reply($socket, 404, 'no range');

        if ($from > 1_500_000) {
            open my $log, '>>', $t->path("asked-$later") or die;
            syswrite $log, '.';
            return $s->reply($socket, 503, 'later', undef, @headers)
                if -s $log <= $later;
        }
        $s->reply($socket, 206, substr($bytes, $from, $to - $from + 1), undef,
            "Content-Range: bytes $from-$to/3000000");
    });
}

# Both of one content, so that the node knows of both before the first is done.
sub pulled {
    my ($later, @headers) = @_;
    my ($first, $other) = (site($later, @headers), site(0));
    my $c = $first->content('/f.bin', $bytes, file => 0, etag => '"v1"');
    my $o = $other->content('/copy.bin', $bytes, file => 0, etag => '"o"');
    my $node = $t->node(coordinator => $first->coordinator);
    for ([ $first, $c ], [ $other, $o ]) {
        $first->relay(@$_, $node);
        $t->wait_for(sub { $first->held($node, $c) }, 'it to be taken');
    }
    $t->wait_for(sub { $t->http(GET => $node->url . $c->{path}, headers =>
        { Range => 'bytes=2000000-2000009' })->{status} == 206 }, 'the rest');
    return $node;
}

my $node = pulled(3, 'Retry-After: 1');
cmp_ok -s $t->path('asked-3'), '>', 3, 'the first site was asked to the end';
unlike $node->log, qr/copy\.bin now/, 'and not given up';
unlike $node->log, qr/warn: .*origin/, 'nothing to worry about';

$node = pulled(99);
like $node->log, qr/copy\.bin now/, 'one that does not say when has failed';
cmp_ok -s $t->path('asked-99'), '<', 99, 'so another one gave the rest';

$t->done;
