# What is offered is found in each channel: the list of channels by which other
# tests see that nothing leaks would see it if it did.

use Offload::Test;
use Offload::Test::Secret;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write('html/open.bin', my $bytes = $t->bytes(300_000, 1));

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    default_type  application/octet-stream;
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $s = Offload::Test::Secret->new($t, $c, '/open.bin', $bytes, denied => 1);
is $c->offer('/open.bin', [ 1, 1 ]), $s->root, 'the root, computed apart';

my $at = '/.well-known/offload';
my $f = "$at/f/" . $s->root . '/open.bin';
my $text = join "\n", $s->leaks;
for my $line (
    'GET /open.bin: its bytes',
    'GET /open.bin: sha256 in the head',
    'GET /open.bin: Link: <',
    'GET /open.bin: Digest: SHA-256=',
    'GET /open.bin: Repr-Digest: sha-256=',
    'HEAD /open.bin: Digest: SHA-256=',
    'GET /open.bin; Range: bytes=0-99: Link: <',
    'GET /open.bin; Accept: application/offload+jwt: a manifest',
    'GET /open.bin; Offload-Fetch: manifest: a manifest',
    'GET /open.bin; Offload-Fetch: manifest: Offload-Receipt: ',
    map({ ("/open.bin.$_: ", "$f.$_: 200") } qw(meta4 torrent sha256 offload)),
    '/open.bin.meta4: piece 0', '/open.bin.meta4: sha256',
    '/open.bin.torrent: sha1 of piece 1', '/open.bin.sha256: sha256',
    "$f.meta4: piece 1", "$f.torrent: sha1 of piece 0", "$f.sha256: sha256",
    "$at/pieces/" . $s->root . ': 200',
    "$at/pieces/" . $s->root . ': piece 1',
    "$at/peers?path=/open.bin&from=127.0.0.1: root",
    'a coordinator is told /open.bin as offered',
    'a coordinator is told its root',
    'a coordinator is told its infohash',
    'a coordinator is told its name',
) {
    ok index($text, $line) >= 0, $line;
}
diag $text if index($text, 'a coordinator is told its root') < 0;

$t->done;
