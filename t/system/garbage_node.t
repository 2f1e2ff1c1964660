# 10,000 malformed requests to a node: a 4xx or a closed connection each, no
# crash, no growth, few log lines.

use Offload::Test;
use Offload::Test::Garbage;
use Offload::Test::System;

my $t = Offload::Test->new;
my $bytes = $t->bytes(300_000, 1);
$t->write('html/f.bin', $bytes);
my $s = Offload::Test::System->new($t, nodes => 1);
my $root = $s->offloaded('/f.bin');
my ($node) = $s->nodes;
my ($host, $port) = $node->url =~ m{//([^:]+):(\d+)$};

my $nonce = 'A' x 22;
my @requests = Offload::Test::Garbage::requests(
    [ [ POST => "/c/$root" ], [ PUT => '/healthz' ] ],
    Offload::Test::Garbage::bodies());
push @requests, map { Offload::Test::Garbage::request(GET => $_, '') }
    '/c/', '/c/' . '0' x 64, '/c/' . uc $root, "/c/${root}0",
    '/c/' . 'x' x 64, "/c/$root/../../node.pem", "/c/%2e%2e/node.pem",
    "/c//$root", '/c/' . '0' x 64 . '/pieces', '/c/' . '0' x 64 . '?e=1&s=2',
    '/.well-known/offload-node', "/.well-known/offload-node?nonce=$nonce",
    "/.well-known/offload-node?nonce=$nonce&aud=" . 'A' x 43,
    '/.well-known/offload-node?nonce=%00&aud=' . $s->coordinator->id,
    '/node.pem', '/..%2fnode.pem', '/%00', '/' . '%2e/' x 500;
push @requests, map {
    "GET /c/$root HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        . "Range: bytes=$_\r\n\r\n"
} '300000-', '999999999999-', '-0', '99999999999999999999-';

Offload::Test::Garbage::throw($host, $port, 1000, @requests);
my $before = Offload::Test::Garbage::memory($node->pid);
my $got = Offload::Test::Garbage::throw($host, $port, 10_000, @requests);
my $grown = Offload::Test::Garbage::grown($before, $t->growth_max, $node->pid);
note join ', ', map { "$_: $got->{$_}" } sort keys %$got;

is join(' ', grep { !/^(?:4\d\d|505|closed|cut off)$/ } sort keys %$got), '',
    'each got a 4xx (505: HTTP/9.9) or a closed connection';
ok $node->running, 'the node runs';
cmp_ok $grown, '<=', $t->growth_max, 'its memory grew by at most 1 MiB (KiB)';
cmp_ok Offload::Test::Garbage::lines_a_second($node->log), '<=', 12,
    'at most a line a second per kind';
ok $t->http(GET => $node->url . "/c/$root")->{content} eq $bytes,
    'it serves what it held';

$t->done;
