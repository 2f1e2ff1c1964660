# What somebody damages in the storage is noticed and fetched again.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my $bytes = $t->bytes(3_000_000, 1);
my $c = $s->content('/f.bin', $bytes);
my $node = $t->node(coordinator => $s->coordinator, args => [qw(--rate 100M)]);

$s->assign($c, $node);
$s->wait_complete($c, $node);
my ($folder) = glob $node->dir . "/c/*/$c->{root}";

# The data file is cut while the node runs and believes in every piece.
truncate "$folder/data", 1_000_000 or die "$!\n";
isnt $t->http(GET => $node->url . $c->{path})->{content}, $bytes,
    'the first who asks is cut';
$t->wait_for(sub {
    $t->http(GET => $node->url . $c->{path})->{content} eq $bytes;
}, 'the lost pieces to be fetched again');
like $node->log, qr/is damaged on disk and will be fetched again/, 'with a word';

# An assignment that cannot be read at the next start.
$node->stop;
$t->write("$folder/assignment", '{"iss":');
$node->start;
like $node->log('recent'), qr/$c->{root} is removed: its assignment is damaged/,
    'its folder is removed';
is $t->http(GET => $node->url . $c->{path})->{status}, 404, 'it is gone';
$s->relay($s, $c, $node);
$s->wait_complete($c, $node);
ok $t->http(GET => $node->url . $c->{path})->{content} eq $bytes,
    'and can be taken again';

$t->done;
