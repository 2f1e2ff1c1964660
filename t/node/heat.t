# The budget on disk goes by what sites are asked for everywhere: what is hot
# does not make room for what is not, however often that is asked for here.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my $node = $t->node(coordinator => $s->coordinator, args => [qw(--size 64M)]);
my %c = map { $_ => $s->content("/$_.bin", $t->bytes(25_000_000, $_)) }
    'a' .. 'c';

sub get { $t->http(GET => $node->url . $c{$_[0]}{path})->{status} }

$c{a}{heat} = 9;
for ('a', 'b') {
    $s->assign($c{$_}, $node);
    $s->wait_complete($c{$_}, $node);
}
is get('b'), 200, 'b is asked for here, a is not' for 1 .. 5;

$c{c}{heat} = 4;
$s->assign($c{c}, $node);
$t->wait_for(sub { $s->held($node, $c{c}) }, 'part of c');
is get('c'), 200, 'a client wants all of c';
$t->wait_for(sub { $s->dropped($node, $c{b}) }, 'b to be given up');
ok $s->held($node, $c{a}), 'a is hotter and stays';

# It has cooled down: told again, and now it goes.
my $d = $s->content('/d.bin', $t->bytes(25_000_000, 'd'));
$d->{heat} = 1;
$s->assign($d, $node);
$t->wait_for(sub { $s->held($node, $d) }, 'part of d');
isnt $t->http(GET => $node->url . $d->{path})->{status}, 200,
    'there is no room for d';
ok $s->held($node, $c{$_}), "$_ does not go for what is colder" for 'a', 'c';
$s->heat($c{a}, 0);
$t->wait_for(sub { $s->held($node, $c{a}) }, 'a to be acknowledged again');
$t->wait_for(sub { $t->http(GET => $node->url . $d->{path})->{status} == 200
    && $s->dropped($node, $c{a}) }, 'a to make room once it is cold');
pass 'what has cooled down goes';
ok $s->held($node, $c{c}), 'c stays';

$t->done;
