# Other nodes: asked for the pieces that they own, not believed, not waited
# for; and what is fetched for one of them comes from the origin.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;
use Time::HiRes qw(sleep time);

# A node of the test's own making.
package Peer {
    sub new {
        my ($class, $t, $name, $handler) = @_;
        return bless { key => $t->key($name), server => $t->serve($handler) },
            $class;
    }
    sub id  { $_[0]{key}{id} }
    sub url { $_[0]{server}->url }
    sub log { $_[0]{server}->log }
}

package main;

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my %bytes = map { $_ => $t->bytes(6_000_000, $_) } 'a' .. 'c';
my ($first, $last);
my $give = sub {
    my ($socket, $request, $content) = @_;
    my ($from, $to) = $request->{headers}{range} =~ /^bytes=(\d+)-(\d+)$/;

    print {*STDERR} 'hop ', $request->{headers}{'offload-hop'} // 'none', "\n";
    $s->reply($socket, 206, substr($content, $from, $to - $from + 1), undef,
        "Content-Range: bytes $from-$to/6000000");
};
my $good = Peer->new($t, 'good', sub { $give->(@_, $bytes{a}) });
my $liar = Peer->new($t, 'liar', sub { $give->(@_, $bytes{c}) });
my $mute = Peer->new($t, 'mute', sub { sleep 30 });

my %content = map { $_ => $s->content("/$_.bin", $bytes{$_}) } 'a' .. 'c';
my $node = $t->node(coordinator => $s->coordinator);

$s->assign($content{a}, $node, $good);
$s->wait_complete($content{a}, $node);
my $asked = () = $good->log =~ /^GET \/c\/$content{a}{root}\?e=\d+&s=/mg;
ok $asked > 0, "the other owner was asked for $asked of 23 pieces";
is +(() = $good->log =~ /^hop 1$/mg), $asked, 'as from node to node';
is $s->egress('/a.bin') + $asked * 262144 - 6_000_000 < 262144, 1,
    'and the origin for the rest';
ok $t->http(GET => $node->url . "/c/$content{a}{root}")->{content} eq $bytes{a},
    'together they are the file';

$s->assign($content{b}, $node, $liar);
$s->wait_complete($content{b}, $node);
ok $t->http(GET => $node->url . "/c/$content{b}{root}")->{content} eq $bytes{b},
    'wrong bytes of another node are not served';
like $node->log, qr/wrong bytes from node \Q${\$liar->url}\E/, 'it is named';
my $lies = () = $liar->log =~ /^GET/mg;
ok $lies > 0 && $lies <= 16, "and asked no more ($lies times in all)";
$t->wait_for(sub { $s->said($node, 'wrong') }, 'the coordinator to be told');
is_deeply [ $s->said($node, 'wrong') ],
    [ { id => $liar->id, root => $content{b}{root} } ],
    'the coordinator is told of it, once';
is $s->egress('/b.bin'), 6_000_000, 'the origin gave what it did not';

# A client waits for a piece whose owner says nothing.
$s->assign($content{c}, $node, $mute);
my $held = $t->wait_for(sub { $s->held($node, $content{c}) }, 'the third');
$t->wait_for(sub { $mute->log =~ /^GET/m }, 'the mute owner to be asked');
my $start = time;
my $r = $t->http(GET => $node->url . $content{c}{path});
my $took = time - $start;
ok $r->{content} eq $bytes{c}, 'with a mute owner the file still comes';
ok $took < 10, sprintf 'after %.1f s', $took;

# Asked by another node, this one turns to the origin only.
my $asked_before = () = $mute->log =~ /^GET/mg;
my $d = $s->content('/d.bin', my $d_bytes = $t->bytes(600_000, 'd'));
$s->assign($d, $node, $mute);
$t->wait_for(sub { $s->held($node, $d) }, 'the fourth');
$start = time;
$r = $t->http(GET => $node->url . $d->{path}, headers => { 'Offload-Hop' => 1 });
ok $r->{content} eq $d_bytes, 'a hop gets it all';
ok time - $start < 1.9, 'without waiting for a third';

$t->done;
