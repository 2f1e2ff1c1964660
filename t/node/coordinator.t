# What a node learns from its coordinators' refusals, and that it goes on
# without them.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;
use POSIX qw(strftime);

my $t = Offload::Test->new;
my $bytes = $t->bytes(600_000, 1);
my $json = 'application/json';

# Its clock is a day slow, and its seq too low, as the coordinator sees it.
my $s = Scripted->new($t);
my $c = $s->content('/f.bin', $bytes);
my $date = strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime time + 86400);
$s->say_from_now(refuse => [ '/v1/nodes', 'iat', time + 86000, 401,
    '{"error":"iat: in the past"}', $json, "Date: $date" ]);
my $node = $t->node(coordinator => $s->coordinator);
$t->wait_for(sub { $s->registered($node) }, 'it to register with the right time');
ok abs($s->registered($node)->{iat} - time - 86400) < 10,
    'the clock of the coordinator is taken over';
$node->stop;

my $high = 9_000_000_000_000;
$s->say_from_now(refuse => [ '/v1/nodes/heartbeat', 'seq', $high + 1, 409,
    qq({"error":"seq: too low","seq":$high}), $json ]);
$s->assign($c, $node);
$node->start;
$s->wait_complete($c, $node);
ok -e "$s->{dir}/told/seq.@{[ $high + 1 ]}", 'seq goes on from what it was told';

# Forgotten: it registers again.
$s->say_from_now(refuse => [ '/v1/nodes/heartbeat', 'seq', $high * 2, 404,
    '{"error":"unknown node"}', $json ]);
unlink "$s->{dir}/told/node." . $node->id;
$t->wait_for(sub { $s->registered($node) }, 'it to register again');
pass 'a 404 makes it register again';
$s->say_from_now(refuse => undef);

# Another Redis behind it: everything is told again.
unlink "$s->{dir}/told/held." . $node->id . ".$c->{root}";
$s->say_from_now(store => 'two');
$t->wait_for(sub { $s->held($node, $c) }, 'the holdings');
pass 'a new store is told everything';

# Not reachable: the owner reads what to do.
$s->say_from_now(refuse => [ '/v1/nodes', 'seq', $high * 2, 403,
    '{"error":"no answer at that URL"}', $json ]);
my $lost = $t->node(coordinator => $s->coordinator);
$t->wait_for(sub { $lost->log =~ /does not take this node: .*no answer at that URL/ },
    'a word on being unreachable');
like $lost->log, qr/see that --url leads here from outside and that its port is/,
    'with what to do';
$s->say_from_now(refuse => undef);

# Answers that another key signed change nothing; two coordinators are fine.
my $other = Scripted->new($t);
my $d = $other->content('/other.bin', $t->bytes(600_000, 2));
my $both = $t->node(coordinator => [ $s->coordinator, $other->coordinator ]);
$s->assign($c, $both);
$other->assign($d, $both);
$s->wait_complete($c, $both);
$other->wait_complete($d, $both);
ok !$other->held($both, $c), 'each coordinator hears of its own contents only';

my $key = { %{ $t->key('third') } };
my $pinned = $t->node(coordinator => $s->coordinator . ",$key->{x}");
$t->wait_for(sub { $pinned->log =~ /heartbeat: JWS: kid \S+ is none of/ }, 'a word');
ok !$s->held($pinned, $c), 'answers of another key than the pinned one are void';

# Gone: contents are served all the same, and it comes back by itself.
$s->{coordinator}->stop;
$t->wait_for(sub { $node->log =~ /coordinator \S+: heartbeat: / }, 'the loss');
is $t->http(GET => $node->url . $c->{path})->{content}, $bytes,
    'without its coordinator a node serves on';
unlink "$s->{dir}/told/held." . $node->id . ".$c->{root}";
$s->{coordinator}->start;
$s->say_from_now(store => 'three');
$t->wait_for(sub { $s->held($node, $c) }, 'its heartbeats', 40);
pass 'and tells again once it is back';

$t->done;
