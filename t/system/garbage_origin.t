# 10,000 malformed, replayed and future-dated requests to the origin's
# endpoints: a 4xx or a closed connection each, no crash, no growth, few log
# lines.

use Offload::Test;
use Offload::Test::Garbage;
use Offload::Test::System;

my $t = Offload::Test->new;
$t->write('html/f.bin', $t->bytes(300_000, 1));
my $s = Offload::Test::System->new($t, nodes => 1);
my $root = $s->offloaded('/f.bin');
my $origin = $s->origin;

# Signed by the very coordinator, and still wrong.
my $key = $t->public_key($s->coordinator->{key});
my %claims = (iss => $key->{id}, aud => $origin->url, seq => 1, ack => 0,
    wait => 0, iat => time, exp => time + 3600);
my @signed = map { $t->sign($key, 'offload-sync+jwt', { %claims, %$_ }) }
    {}, { iat => time + 86400, exp => time + 90000 },
    { iat => time - 90000, exp => time - 86400 }, { aud => 'http://x' },
    { iss => 'y' }, { exp => 0 };
push @signed, $t->sign($key, 'offload+jwt', \%claims),
    $t->sign($key, 'offload-sync+jwt', '{"a":' . '[' x 100 . ']' x 100 . '}'),
    $t->sign($key, 'offload-sync+jwt', \%claims, alg => 'none'),
    $t->sign($t->key('stranger'), 'offload-sync+jwt', \%claims);

my $at = '/.well-known/offload';
my @requests = Offload::Test::Garbage::requests(
    [ [ POST => "$at/sync" ], [ POST => "$at/site" ], [ PUT => "$at/key" ] ],
    Offload::Test::Garbage::bodies(), @signed);
push @requests, map { Offload::Test::Garbage::request(GET => $_, '') }
    "$at/sync", "$at/nothing", "$at/pieces/", "$at/pieces/xyz",
    "$at/pieces/" . '0' x 64, "$at/pieces/$root/", "$at/pieces/../../f.bin%00",
    '/missing.bin', '/%00', '/..%2f..%2fsite.pem';

my @workers = $origin->workers;
Offload::Test::Garbage::throw('127.0.0.1', $origin->port, 1000, @requests);
my $before = Offload::Test::Garbage::memory(@workers);
my $got = Offload::Test::Garbage::throw('127.0.0.1', $origin->port, 10_000,
    @requests);
my $grown = Offload::Test::Garbage::memory(@workers) - $before;
note join ', ', map { "$_: $got->{$_}" } sort keys %$got;

is join(' ', grep { !/^(?:4\d\d|505|closed|cut off)$/ } sort keys %$got), '',
    'each got a 4xx (505: HTTP/9.9) or a closed connection';
is "@{[ sort $origin->workers ]}", "@{[ sort @workers ]}",
    'the workers are the same';
cmp_ok $grown, '<=', Offload::Test::growth_max(),
    'their memory grew by at most 1 MiB (KiB)';
# nginx itself says a line for each request that is no HTTP: only the module's.
cmp_ok Offload::Test::Garbage::lines_a_second($origin->log,
    sub { $_[0] !~ /offload (?:sync|zone)|for offload/ }), '<=', 3,
    'at most a line a second per kind';
is scalar($s->manifest_peers('/f.bin')), 1, 'manifests are given as before';

$t->done;
