# Locations that trust different nodes, or name different numbers of them, give
# each its own of the same file: even where the 32 bits that their lists come
# to in the cache are the same.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write('html/f.bin', $t->bytes(300_000, 1));

# Found by search: SHA-256 of the second id begins with one more than that of
# the first, both after eight zeros.
my @node = map { { n => $_, id => Offload::Test::Sync->node($_)->{id},
    url => "http://n$_.example" } } 5270, 6715;

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x}, map { $_ => $node[$_]{id} } 0, 1);
%%MODULES%%
events {}
http {
    offload_zone        1m;
    offload_state       %%DIR%%/state;
    root                %%DIR%%/html;
    offload             on;
    offload_key         %%SITE%%;
    offload_site        http://127.0.0.1:%%PORT%%;
    offload_coordinator https://tracker.example/ %%X%%;
    offload_redirect    on;

    server {
        listen        127.0.0.1:%%PORT%%;
        offload_trust %%0%%;
        offload_peers 8;
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen        127.0.0.1:%%PORT_1%%;
        offload_trust %%1%%;
        offload_peers 7;
    }
    server {
        listen        127.0.0.1:%%PORT_2%%;
        offload_trust %%0%% %%1%%;
        offload_peers 2;
    }
    server {
        listen        127.0.0.1:%%PORT_3%%;
        offload_trust %%0%% %%1%%;
        offload_peers 1;
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->root('/f.bin');
$c->start;
$c->send(nodes => \@node, contents => { $root => [ map { [ 1, $_->{n} ] } @node ] });

my $name = $nginx->url =~ s{^http://}{}r;
sub named {
    my $r = $t->http(HEAD => $nginx->url($_[0]) . '/f.bin', headers => { Host => $name });
    my $links = $r->{headers}{link} // '';
    $links = join ' ', @$links if ref $links;
    return join ' ', sort $links =~ m{http://(n\d+)\.example/}g;
}

for (1 .. 3) {
    is named(0), 'n5270', 'the first one';
    is named(1), 'n6715', 'the other one';
    is named(2), 'n5270 n6715', 'both';
    like named(3), qr/^n\d+$/, 'one of both';
}

$t->done;
