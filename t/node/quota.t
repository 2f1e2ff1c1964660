# The budget on disk: contents that nobody asks for make room for those that
# somebody does; what cannot fit is not taken.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my $node = $t->node(coordinator => $s->coordinator, args => [qw(--size 64M)]);
my %bytes = map { $_ => $t->bytes(25_000_000, $_) } 'a' .. 'c';
my %c = map { $_ => $s->content("/$_.bin", $bytes{$_}) } 'a' .. 'c';

sub used {
    my $sum = 0;
    $sum += (stat)[12] * 512 for glob $node->dir . '/c/*/*/data';
    return $sum;
}

for ('a', 'b') {
    $s->assign($c{$_}, $node);
    $s->wait_complete($c{$_}, $node);
}
is $t->http(GET => $node->url . $c{a}{path})->{status}, 200, 'a is asked for';

# c fits in part; nothing is thrown away for it while nobody wants it.
$s->assign($c{c}, $node);
$t->wait_for(sub {
    my $held = $s->held($node, $c{c});
    $held && $held->{bitmap} && $held->{bitmap} =~ /[^A]/;
}, 'part of c');
ok $s->held($node, $c{$_}), "$_ is still there" for 'a', 'b';
ok used() <= 64 << 20, sprintf 'in %.1f MB of 67.1', used() / 1e6;

# A client wants all of it: b goes, which nobody has asked for.
my $r = $t->http(GET => $node->url . $c{c}{path});
ok $r->{content} eq $bytes{c}, 'a client gets c whole';
$t->wait_for(sub { $s->dropped($node, $c{b}) }, 'b to be given up');
is $t->http(GET => $node->url . $c{b}{path})->{status}, 404, 'b is gone';
ok $t->http(GET => $node->url . $c{a}{path})->{content} eq $bytes{a},
    'a is there and whole';
ok used() <= 64 << 20, sprintf 'in %.1f MB of 67.1', used() / 1e6;
ok !glob($node->dir . "/c/*/$c{b}{root}*"), 'nothing of b is on disk';

# A smaller budget at the next start.
my $wide = $t->node(coordinator => $s->coordinator, args => [qw(--size 200M)]);
for ('a' .. 'c') {
    $s->assign($c{$_}, $wide);
    $s->wait_complete($c{$_}, $wide);
}
$wide->stop;
my $narrow = $t->node(coordinator => $s->coordinator, dir => $wide->dir,
    args => [qw(--size 64M)]);
$t->wait_for(sub { grep { $s->dropped($narrow, $c{$_}) } 'a' .. 'c' },
    'one to be given up');
is scalar(grep { $t->http(GET => $narrow->url . $c{$_}{path})->{content} eq
    $bytes{$_} } 'a' .. 'c'), 2, 'the others are there and whole';

my $huge = $s->content('/huge.bin', $t->bytes(70_000_000, 'd'));
$s->assign($huge, $node);
$t->wait_for(sub { $node->log =~ m{/huge\.bin: not taken: larger than --size} },
    'a word on the large one');
pass 'what can never fit is refused with the reason';

$t->done;
