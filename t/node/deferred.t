# A site that limits what nodes pull from it ("offload_node_rate"): a node that
# is told to come later comes later, and in the end it has every piece, each
# fetched once.

use Offload::Test;
use Offload::Test::System;
use Time::HiRes qw(time);

my $t = Offload::Test->new;
my $size = 8 * 262_144;
$t->write('html/f.bin', $t->bytes($size, 1));
$t->write('html/first.bin', $t->bytes(262_144, 2));

my $s = Offload::Test::System->new($t, nodes => 0);
my $conf = $s->origin->conf;
my $log = $t->path('pulls.log');
$conf =~ s/(?=offload_zone )/log_format n '\$uri \$http_offload_node \$status';\n/;
$conf =~ s/(?=location )/offload_node_rate 512k;\n access_log $log n;\n/;
$s->origin->reload($conf);

sub status { $t->json($t->http(GET => $s->url('/.well-known/offload/status'))
    ->{content}) }

# The site has to know it: before, it is not told from others who say they are.
my $node = $s->add_node;
$s->root_of('/first.bin');
$s->offloaded('/first.bin', 1);
$t->wait_for(sub { $s->manifest_peers('/first.bin') }, 'the site to know it');
my $before = status();

my $root = $s->root_of('/f.bin');
my $began = time;
is $s->offloaded('/f.bin', 1), $root, 'the node has it all';
my $took = time - $began;

# One second's worth is there at once, and the last piece may exceed it.
cmp_ok $took, '>=', ($size - 262_144) / 524_288 - 1, "in $took s";

my $n = status();
cmp_ok $n->{deferred}, '>', 0, 'it was told to come later';
is $n->{bytes}{pulled} - $before->{bytes}{pulled}, $size, 'each byte was pulled once';

my @log = split /\n/, $t->read($log);
my $id = $node->id;
my @pieces = grep { m{^/f.bin \Q$id\E 206$} } @log;
is scalar(@pieces), 8, 'under its own name';
my $deferred = grep { m{^/\S+ \Q$id\E 503$} } @log;
is $deferred, $n->{deferred}, 'so often it came too early';
cmp_ok $deferred, '<', 40, 'it did not insist';

$t->done;
