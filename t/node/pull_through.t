# What a node lacks: pieces are fetched for those who have a ticket, each once
# however many ask, and for others the node says what it has.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;
use Time::HiRes qw(sleep time);

my $t = Offload::Test->new;
my $bytes = $t->bytes(3_000_000, 1);

# The first piece is given at once, the others when the test says go.
my $s = Scripted->new($t, origin => sub {
    my ($s, $socket, $request) = @_;
    my ($first, $last) = ($request->{headers}{range} // '')
        =~ /^bytes=(\d+)-(\d+)$/ or return $s->reply($socket, 404, 'no');

    $t->write("asked/$first." . time . ".$$", $request->{head});
    my $end = time + 20;
    sleep 0.02 while $first && !-e $t->path('go') && time < $end;
    $s->reply($socket, 206, substr($bytes, $first, $last - $first + 1), undef,
        "Content-Range: bytes $first-$last/3000000");
});

my $c = $s->content('/f.bin', $bytes, file => 0, etag => '"v1"');
my $node = $t->node(coordinator => $s->coordinator);
my $url = $node->url . "/c/$c->{root}";

$s->assign($c, $node);
$t->wait_for(sub {
    my $held = $s->held($node, $c);
    $held && ($held->{bitmap} // '') eq 'gAA';
}, 'the first piece');
is $s->held($node, $c)->{count}, 12, 'the heartbeat tells how many there are';
my ($request) = glob $t->path('asked/0.*');
$request = $t->read($request);
like $request, qr/^Offload-Fetch: direct\r$/m, 'the origin is asked for the file';
like $request, qr/^If-Match: "v1"\r$/m, 'of this version';
unlike $request, qr/^(?:Cookie|Authorization):/mi, 'without credentials';

my $r = $t->http(GET => $url, headers => { Range => 'bytes=0-99' });
is $r->{status}, 206, 'what is there is served without a ticket';
is $r->{content}, substr($bytes, 0, 100), 'as it is';

my $other = $t->key('other');
my %query = (
    'no ticket'           => '',
    'another query'       => '?x=1',
    'another site'        => '?' . $s->ticket($c->{root}, undef, $other),
    'a ticket of another' => '?' . $s->ticket('00' x 32),
    'an old ticket'       => '?' . $s->ticket($c->{root}, int(time) - 600),
    'too far ahead'       => '?' . $s->ticket($c->{root}, int(time) + 3600),
    'a ticket and more'   => '?' . $s->ticket($c->{root}) . '&x=1',
);
for (sort keys %query) {
    $r = $t->http(GET => $url . $query{$_},
        headers => { Range => 'bytes=0-300000' });
    is $r->{status}, 503, "$_: nothing is fetched";
    is $r->{headers}{'offload-have'}, 'gAA', 'but told what is here';
    ok $r->{headers}{'retry-after'} > 0, 'and when to ask again';
}

my @clients = map {
    $t->spawn('curl', '-sS', '-m', 20, '-o', $t->path("got.$_"),
        $node->url . $c->{path});
} 1 .. 5;
$t->wait_for(sub { -s $t->path('got.1') }, 'the first bytes');
$t->write('go', 1);
is $_->wait, 0, 'a client with a ticket gets an answer' for @clients;
ok $t->read("got.$_") eq $bytes, 'and all bytes' for 1 .. 5;
my %asked;
m{asked/(\d+)\.} and $asked{$1}++ for glob $t->path('asked/*');
is join(' ', map { "$_:$asked{$_}" } sort { $a <=> $b } keys %asked),
    join(' ', map { $_ * 262144 . ':1' } 0 .. 11), 'each piece was asked for once';
$s->wait_complete($c, $node);

$t->done;
