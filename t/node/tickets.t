# Tickets: what --require-tickets asks of everybody, and where nodes get the
# one that they show to each other.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my $bytes = $t->bytes(600_000, 1);

# The site's manifest has a ticket that ends at once, and the next time one
# that lasts.
my $s = Scripted->new($t, origin => sub {
    my ($s, $socket, $request) = @_;

    return $s->reply($socket, 503, 'busy')
        unless ($request->{headers}{'offload-fetch'} // '') eq 'manifest';
    my $asked = () = glob $t->path('asked/*');
    $t->write("asked/$$", 1);
    $s->reply($socket, 200, $t->read($asked ? 'lasting.jwt' : 'ending.jwt'),
        'application/offload+jwt');
});
my $c = $s->content('/f.bin', $bytes, file => 0, etag => '"v1"');
my $ending = $s->ticket($c->{root}, time + 5);
rename "$s->{dir}/manifests/f.bin.jwt", $t->path('lasting.jwt') or die;
$s->content('/f.bin', $bytes, file => 0, etag => '"v1"',
    claims => { path => "/c/$c->{root}?$ending" });
rename "$s->{dir}/manifests/f.bin.jwt", $t->path('ending.jwt') or die;

my $peer_key = $t->key('peer');
my $peer = $t->serve(sub {
    my ($socket, $request) = @_;
    my ($from, $to) = $request->{headers}{range} =~ /^bytes=(\d+)-(\d+)$/;

    $s->reply($socket, 206, substr($bytes, $from, $to - $from + 1), undef,
        "Content-Range: bytes $from-$to/600000");
});
package Peer { sub id { $_[0]{id} } sub url { $_[0]{url} } }
my $node = $t->node(coordinator => $s->coordinator);
$s->assign($c, $node,
    bless { id => $peer_key->{id}, url => $peer->url }, 'Peer');

# The origin gives nothing, so in the end all pieces come from the peer.
my $r = $t->wait_for(sub {
    my $r = $t->http(GET => $node->url . $c->{path});
    $r->{status} == 200 && $r;
}, 'the file');
ok $r->{content} eq $bytes, 'what the busy origin owes comes from the peer';
like $peer->log, qr{^GET \Q$c->{path}\E$}m, 'which is shown the new ticket';
unlike $peer->log, qr/\Q$ending\E/, 'and never the one that ends';

# All that is there, but only for those who have a ticket.
$s->wait_complete($c, $node);
$node->stop;
my $strict = $t->node(coordinator => $s->coordinator, dir => $node->dir,
    args => ['--require-tickets']);
my $url = $strict->url . "/c/$c->{root}";
my $other = $t->key('other');
is $t->http(GET => $url)->{status}, 403, 'no ticket';
is $t->http(GET => "$url?x=1")->{status}, 403, 'something else';
is $t->http(GET => "$url?" . $s->ticket($c->{root}, undef, $other))->{status},
    403, 'one that another key signed';
is $t->http(GET => "$url?" . $s->ticket($c->{root}, time - 1))->{status}, 403,
    'an old one';
is $t->http(GET => "$url?" . $s->ticket($c->{root}, time + 2000))->{status},
    403, 'one for later';
is $t->http(HEAD => $url)->{status}, 403, 'HEAD is asked for one, too';
ok $t->http(GET => $strict->url . $c->{path})->{content} eq $bytes, 'a good one';
$s->origin->stop;
ok $t->http(GET => $strict->url . $c->{path})->{content} eq $bytes,
    'and again, without its site';
is $t->http(GET => "$url?" . $s->ticket($c->{root}))->{status}, 200,
    'as any other good one';

$r = $t->http(OPTIONS => $url);
is $r->{status}, 204, 'a page in a browser may ask first';
like $r->{headers}{'access-control-allow-headers'}, qr/\bRange\b/,
    'whether it may send Range';

$t->done;
