# Several sites sign the same bytes: the first one keeps the word as long as it
# gives them, the tickets of each are good, and when one fails the next comes.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;
use Time::HiRes qw(sleep);

my $t = Offload::Test->new;
my $bytes = $t->bytes(3_000_000, 1);

# Gives the first half; the rest once it is told how: as a status.
sub site {
    my ($name) = @_;
    return Scripted->new($t, origin => sub {
        my ($s, $socket, $request) = @_;
        my ($from, $to) = ($request->{headers}{range} // '') =~ /(\d+)-(\d+)$/
            or return $s->reply($socket, 404, 'no range');

        if ($from > 1_500_000) {
            for (1 .. 2000) { last if -e $t->path($name); sleep 0.01 }
            my $status = -e $t->path($name) ? $t->read($name) : 500;
            return $s->reply($socket, $status, 'no') if $status != 206;
        }
        $s->reply($socket, 206, substr($bytes, $from, $to - $from + 1), undef,
            "Content-Range: bytes $from-$to/3000000");
    });
}
my ($first, $evil, $good) = map { site($_) } qw(first evil good);
my $c = $first->content('/f.bin', $bytes, file => 0, etag => '"v1"',
    type => 'text/first');
my $e = $evil->content('/mine', $bytes, file => 0, etag => '"e"',
    type => 'text/evil');
my $g = $good->content('/copy.bin', $bytes, file => 0, etag => '"g"',
    type => 'text/good');

my $node = $t->node(coordinator => $first->coordinator,
    args => ['--require-tickets']);
sub head { $t->http(GET => $node->url . $_[0]{path},
    headers => { Range => 'bytes=0-9' }) }
sub joined {
    my ($site, $content) = @_;
    $first->relay($site, $content, $node);
    $t->wait_for(sub { $first->held($node, $c) }, 'the assignment to be taken');
}

joined($first, $c);
$t->wait_for(sub { head($c)->{status} == 206 }, 'the first half');
is head($e)->{status}, 403, 'a site that has not joined gives no tickets';

# A site that offers nothing of the kind, and then two that do.
my $liar = site('liar');
$liar->content('/x', $t->bytes(3_000_000, 9), file => 0, etag => '"l"');
$first->relay($liar, { %$c, sub => '/x' }, $node);
$t->wait_for(sub { $node->log =~ m{/x: not taken: the site has another} },
    'a word on the liar');
joined($evil, $e);
joined($good, $g);
for my $other ($e, $g) {
    $t->wait_for(sub { head($other)->{status} == 206 }, 'it to be known');
}
for ($c, $e, $g) {
    my $r = head($_);
    is $r->{status}, 206, "a ticket of $_->{sub} is good";
    is $r->{headers}{'content-type'}, 'text/first', 'the first has the word';
}

# The second one has the answer ready, but is not asked.
$t->write('evil', 412);
is head($c)->{status}, 206, 'what the second says changes nothing';
unlike $evil->origin->log, qr{(?:GET /mine.*){2}}s, 'it is not even asked';

# The first fails, then the second.
$t->write('good', 206);
$t->write('first', 412);
$first->wait_complete($c, $node);
like $node->log, qr/from \S+mine now: the file has changed.*\n.*from \S+copy/s,
    'one after the other';
my $r = $t->http(GET => $node->url . $g->{path});
ok $r->{content} eq $bytes, 'the third gave the rest';
is $r->{headers}{'content-type'}, 'text/good', 'and has the word';
is head($c)->{status}, 403, 'who has changed gives no tickets any more';

$node->stop;
$node->start;
$r = head($g);
is $r->{status}, 206, 'after a restart, too';
is $r->{headers}{'content-type'}, 'text/good', 'the third has the word';

# When all have failed, it is dropped.
my $last = $t->node(coordinator => $first->coordinator);
unlink $t->path('first'), $t->path('evil');
$first->relay($first, $c, $last);
$t->wait_for(sub { $first->held($last, $c) }, 'it to be taken');
$first->relay($evil, $e, $last);
$t->wait_for(sub { $last->log =~ /offers it, too/ }, 'the second');
$t->write($_, 412) for qw(first evil);
$t->wait_for(sub { $first->dropped($last, $c) }, 'it to be given up');
is $t->http(GET => $last->url . $c->{path})->{status}, 404, 'all failed: gone';

$t->done;
