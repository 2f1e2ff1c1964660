# What a coordinator has released goes first when room is needed; a release is
# heard once or often, holds over a restart, and ends with an assignment.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my $node = $t->node(coordinator => $s->coordinator, args => [qw(--size 64M)]);
my %bytes = map { $_ => $t->bytes(28_000_000, $_) } 'a' .. 'd';
my %c = map { $_ => $s->content("/$_.bin", $bytes{$_}) } 'a' .. 'd';

sub released {
    my ($file) = glob $node->dir . "/c/*/$c{$_[0]}{root}/released";
    return defined $file && -s $file;
}

for ('a', 'b') {
    $s->assign($c{$_}, $node);
    $s->wait_complete($c{$_}, $node);
}
$s->say_from_now(release => [ $c{b}{root}, 'rubbish', 'f' x 64 ]);
$t->wait_for(sub { released('b') }, 'the release to be written down');
ok !released('a'), 'of this one alone';

# b goes for c, though it was used last, and only after a restart.
$node->stop;
$s->say_from_now(release => []);
$node->start;
$s->assign($c{c}, $node);
$s->wait_complete($c{c}, $node);
ok $s->dropped($node, $c{b}), 'the released one has made room';
ok !$s->dropped($node, $c{a}), 'the other one is kept';
is $t->http(GET => $node->url . $c{a}{path})->{content} eq $bytes{a}, 1, 'whole';

# Released and assigned again: it is kept, after another restart, too.
$s->say_from_now(release => [ $c{c}{root} ]);
$t->wait_for(sub { released('c') }, 'the next release');
$s->say_from_now(release => []);
$s->relay($s, $c{c}, $node);
$t->wait_for(sub { !released('c') }, 'the release to be taken back');
$node->stop;
$node->start;
$s->assign($c{d}, $node);
$t->wait_for(sub { $s->held($node, $c{d}) }, 'd to be taken');
$t->wait_for(sub { $s->held($node, $c{d})->{bitmap} =~ /[^A]/ }, 'part of d');
ok !$s->dropped($node, $c{$_}), "$_ has not made room for it" for 'a', 'c';

$t->done;
