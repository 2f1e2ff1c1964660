# The end of a node: what is short is finished, what is long is cut, nothing
# new is begun, and all is written down.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;
use Time::HiRes qw(time);

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my $bytes = $t->bytes(3_000_000, 1);
my $c = $s->content('/f.bin', $bytes);
my $node = $t->node(coordinator => $s->coordinator, args => [qw(--rate 1M)]);

$s->assign($c, $node);
$s->wait_complete($c, $node);

sub download {
    my ($file, @args) = @_;
    my $p = $t->spawn('curl', '-sS', '-N', '-o', $t->path($file), @args,
        $node->url . $c->{path});
    $t->wait_for(sub { -s $t->path($file) }, 'the first bytes');
    return $p;
}

my $short = download('short');
$node->signal('TERM');
$t->wait_for(sub { $node->log =~ /stopping: 1 requests under way/ }, 'a word');
is $t->http(GET => $node->url . '/healthz')->{status}, 0,
    'new requests are not accepted';
is $short->wait, 0, 'a short one finishes';
ok $t->read('short') eq $bytes, 'and is whole';
is $node->wait, 0, 'then it ends with status 0';

my $big = $s->content('/big.bin', my $big_bytes = $t->bytes(20_000_000, 2));
$node->start;
$s->assign($big, $node);
$s->wait_complete($big, $node);
$c = $big;
my $long = download('long');
my $start = time;
$node->stop;
my $took = time - $start;
ok $took > 3 && $took < 8, sprintf 'a long one has %.1f s', $took;
is $node->status, 0, 'and status 0 again';
isnt $long->wait, 0, 'whoever was cut knows it';
my $got = $t->read('long');
is $got, substr($big_bytes, 0, length $got), 'and has only right bytes';
$node->start;
unlike $node->log('recent'), qr/cut short/, 'all was written down';
like $node->log('recent'), qr/holds 2 contents/, 'both are there';

$t->done;
