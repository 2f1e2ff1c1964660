# A disk that is full before the budget is used up: what cannot be written is
# not fetched again and again, and goes on when there is room.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my $dir = $t->path('disk');
mkdir $dir;
my $mounted = system('mount', '-t', 'tmpfs', '-o', 'size=4m', 'none', $dir) == 0
    or plan skip_all => 'a small disk can only be made by root';
END { system 'umount', '-l', $dir if $mounted }

my $s = Scripted->new($t);
my $bytes = $t->bytes(8_000_000, 1);
my $c = $s->content('/f.bin', $bytes);
my $node = $t->node(coordinator => $s->coordinator, dir => $dir);
$s->assign($c, $node);

$t->wait_for(sub { $node->log =~ /cannot be written: No space/ }, 'a full disk');

# Nor do clients who insist make it fetch what it cannot keep.
my $r;
my %told;
for (1 .. 100) {
    $r = $t->http(GET => $node->url . $c->{path},
        headers => { Range => 'bytes=7999000-' });
    $told{ $r->{status} }++;
}
is_deeply \%told, { 503 => 100 }, 'clients are told';
my $sent = $s->egress('/f.bin');
ok $sent < 10_000_000, "the origin was asked for $sent bytes, not for ever";
ok $r->{headers}{'offload-have'}, 'and what is here';
$r = $t->http(GET => $node->url . $c->{path},
    headers => { Range => 'bytes=0-999' });
ok $r->{content} eq substr($bytes, 0, 1000), 'what is here is served';

system('mount', '-o', 'remount,size=64m', $dir) == 0 or die "remount\n";
$t->wait_for(sub {
    $t->http(GET => $node->url . $c->{path})->{content} eq $bytes;
}, 'the file, now that there is room', 60);
pass 'with room it goes on';
$node->stop;
$node->start;
unlike $node->log('recent'), qr/cut short/, 'and in the end all is written down';
$node->stop;

$t->done;
