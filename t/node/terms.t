# On what terms a node serves, as its coordinators are told: how much of it
# they may count on, which sites, by whose invitation, and that it will stop.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my $node = $t->node(coordinator => $s->coordinator);
$t->wait_for(sub { $s->registered($node) }, 'a node as it comes');
my $said = $s->registered($node);
is $said->{weight}, 100, 'all of it may be counted on';
ok !exists $said->{$_}, "no $_" for qw(sites invitation);

# A token in a file is its first line.
my $file = $t->write('invitation', "token from a file\nnot this\n");
my $other = Scripted->new($t);
my $picky = $t->node(coordinator => $s->coordinator, args => [
    '--weight', 40, '--site', $s->url, '--site', 'https://example.org:443',
    '--invitation', $file ]);
$t->wait_for(sub { $s->registered($picky) }, 'one with terms');
$said = $s->registered($picky);
is $said->{weight}, 40, 'two fifths of it';
is_deeply $said->{sites}, [ $s->url, 'https://example.org' ], 'for two sites';
is $said->{invitation}, 'token from a file', 'invited';

# A coordinator may say what it wants.
my ($mine, $theirs) = map { $_->content('/f.bin', $t->bytes(600_000, 1)) }
    $s, $other;
my $foreign = $other->content('/g.bin', $t->bytes(600_000, 2));
$s->assign($mine, $picky);
$s->relay($other, $foreign, $picky);
$s->wait_complete($mine, $picky);
$t->wait_for(sub { $picky->log =~
    /assignment: \Q${\$other->url}\E is not a --site of this node/ },
    'a word on the other site');
ok !$s->held($picky, $foreign), 'nothing of another site is taken';

# Drain: told at once, and served on.
my $before = $s->beats($node);
ok !grep({ exists $_->{drain} } $s->beats($node)), 'it says nothing of stopping';
$s->assign($mine, $node);
$s->wait_complete($mine, $node);
$node->signal('USR1');
$t->wait_for(sub { ($s->beats($node))[-1]{drain} }, 'that it is going to stop');
is $t->http(GET => $node->url . $mine->{path})->{status}, 200, 'it serves on';
like $node->log, qr/draining: coordinators are told/, 'and says what it does';
my $told = $s->beats($node);
$t->wait_for(sub { $s->beats($node) > $told + 1 }, 'the next heartbeats');
ok +($s->beats($node))[-1]{drain}, 'they say so, too';
$node->signal('USR1');

# Excluded: said once, tried rarely.
$s->say_from_now(refuse => [ '/v1/nodes/heartbeat', 'seq', 9e15, 403,
    '{"error":"excluded: audits failed"}', 'application/json' ]);
$t->wait_for(sub { $picky->log =~ /has excluded this node/ }, 'a word on it');
like $picky->log, qr/excluded this node: status 403, excluded: audits failed/,
    'with the reason';
is scalar(() = $picky->log =~ /has excluded/g), 1, 'once';

for (
    [ qw(--weight 0) ], [ qw(--weight 101) ], [ qw(--weight 1x) ],
    [ '--site', 'example.org' ], [ '--invitation', '' ],
    [ '--invitation', $t->path('none') ], [ '--invitation', 'x' x 257 ],
) {
    my $r = $t->run("$ENV{OFFLOAD_BUILD}/offload-node", @$_);
    is $r->{status}, 2, "@{[ map { substr $_, 0, 20 } @$_ ]}: is refused";
    like $r->{err}, qr/^offload-node: \Q$_->[0]\E /, 'by its name';
}

$t->done;
