# A node that is stopped, killed, or finds its storage cut or zeroed: it has
# what it wrote down, serves the right bytes or none, and fetches the rest.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my $bytes = $t->bytes(8_000_000, 1);
my $c = $s->content('/f.bin', $bytes);
my $node = $t->node(coordinator => $s->coordinator);
my ($data, $url);

sub served {
    my ($what) = @_;
    my $r = $t->http(GET => $url);
    ok $r->{content} eq $bytes, "$what: the whole file is served";
}

$s->assign($c, $node);
$s->wait_complete($c, $node);
$url = $node->url . $c->{path};
($data) = glob $node->dir . "/c/*/$c->{root}/data";

$s->origin->stop;
$node->stop;
is $node->status, 0, 'SIGTERM: it ends with status 0';
$node->start;
served('after a stop, without its site');
unlike $node->log('recent'), qr/cut short/, 'nothing to be checked';

$node->kill;
$node->start;
like $node->log('recent'), qr/cut short; pieces are checked/,
    'after a kill it checks before it serves';
served('after a kill');

# Somebody cut the file: the rest comes again once the site is back.
$s->origin->start;
$node->stop;
truncate $data, 3_000_000 or die;
$node->start;
served('after a cut');
is -s $data, 8_000_000, 'the file has its length again';

$node->stop;
open my $f, '+<', $data or die;
seek $f, 5_000_000, 0;
print $f "\0" x 3_000_000;
close $f;
$node->start;
served('after zeros');
like $node->log, qr/piece \d+ is damaged on disk and will be fetched again/,
    'and says so';

# The same, and nothing to fetch from: what is right is served, the rest not.
$s->origin->stop;
$node->kill;
open $f, '+<', $data or die;
seek $f, 600_000, 0;
print $f 'x';
close $f;
$node->start;
my $r = $t->http(GET => $url, headers => { Range => 'bytes=0-262143' });
is $r->{content}, substr($bytes, 0, 262144), 'the piece before is served';
$r = $t->http(GET => $url, headers => { Range => 'bytes=600000-600000' });
is $r->{status}, 503, 'the damaged one is not';
$r = $t->http(GET => $url, headers => { Range => 'bytes=524288-524290' });
is $r->{status}, 503, 'not even its first bytes';

# Killed while it fetches, again and again.
$s->origin->start;
my $big = $t->bytes(30_000_000, 2);
my $d = $s->content('/g.bin', $big);
$s->assign($d, $node);
for (1 .. 5) {
    $t->wait_for(sub { glob $node->dir . "/c/*/$d->{root}/data" }, 'a folder');
    $node->kill;
    $node->start;
}
$s->wait_complete($d, $node);
ok $t->http(GET => $node->url . $d->{path})->{content} eq $big,
    'five kills later the other file is whole';

# What makes no sense is removed, with a word.
$node->stop;
($f) = glob $node->dir . "/c/*/$d->{root}";
$t->write("$f/table", 'no table');
$node->start;
is $t->http(GET => $node->url . $d->{path})->{status}, 410,
    'a content with a damaged table is not served';
like $node->log, qr/$d->{root}: dropped: its folder in the storage is damaged/,
    'and given up';

$t->done;
