# A range up to the largest number there is counts for what the file has: in
# what was offloaded, and in what nodes may pull.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $id = Offload::Test::Sync->node(1)->{id};
$t->write('html/f.bin', $t->bytes(300_000, 1));

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x}, ID => $id);
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator https://tracker.example/ %%X%%;
        offload_redirect    on;
        offload_trust       %%ID%%;
        offload_node_rate   100k;
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
$c->offer('/f.bin', [ 1, 1 ]);

sub offloaded { $t->json($t->http(GET => $nginx->url
    . '/.well-known/offload/status')->{content})->{bytes}{offloaded} }

my $before = offloaded();
for ([ '0-9223372036854775807', 300_000 ], [ '1-9223372036854775807', 300_000 ],
    [ '0-9223372036854775806', 300_000 ], [ '0-9', 10 ])
{
    my ($range, $counts) = @$_;
    is $c->get('/f.bin', Range => "bytes=$range")->{status}, 302, "$range: a redirect";
    is offloaded(), $before += $counts, "and $counts bytes offloaded";
}

# Three seconds' worth: asking for more than there is fills no budget up.
my %node = ('Offload-Fetch' => 'direct', 'Offload-Node' => $id);
my $all = 'bytes=0-9223372036854775807';
is $c->get('/f.bin', %node, Range => $all)->{status}, 206, 'a node';
is $c->get('/f.bin', %node, Range => $_)->{status}, 503, "has to wait: $_"
    for 'bytes=0-0', $all, $all;

$t->done;
