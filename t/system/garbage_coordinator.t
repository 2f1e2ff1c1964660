# 10,000 malformed, replayed and future-dated requests to the coordinator: a
# 4xx or a closed connection each, no crash, no growth, few log lines.

use Offload::Test;
use Offload::Test::Garbage;
use Offload::Test::System;

my $t = Offload::Test->new;
$t->write('html/f.bin', $t->bytes(300_000, 1));
my $s = Offload::Test::System->new($t, nodes => 1);
my $root = $s->offloaded('/f.bin');
my $c = $s->coordinator;

# Signed by a stranger, and by the node that the coordinator knows; wrong in
# time, in the addressee, or because the number was used before.
my $stranger = $t->key('stranger');
my $known = $t->public_key(($s->nodes)[0]->{key});
my %claims = (aud => $c->id, seq => 1, url => 'http://127.0.0.99:9999',
    zone => '', cidrs => [], capacity => 1, rate => 0, store => 'x', wait => 0,
    load => { rate => 0, connections => 0, free => 0 }, holdings => [],
    dropped => []);
my %now = (iat => time, exp => time + 3600);
my %future = (iat => time + 86400, exp => time + 90000);
my %past = (iat => time - 90000, exp => time - 86400);

sub message {
    my ($key, $typ, @more) = @_;
    return $t->sign($key, $typ,
        { %claims, iss => $key->{id}, key => $key->{x}, @more });
}
my @signed = map {
    my $typ = $_;
    map { (message($_, $typ, %future), message($_, $typ, %past),
        message($_, $typ, %now, aud => 'x' x 43)) } $stranger, $known;
} qw(offload-register+jwt offload-heartbeat+jwt);
my $replayed = message($known, 'offload-heartbeat+jwt', %now);
is $t->http(POST => $c->url . '/v1/nodes/heartbeat', body => $replayed)
    ->{status}, 409, 'a number that was used before';
is $t->http(POST => $c->url . '/v1/nodes/heartbeat',
    body => message($known, 'offload-heartbeat+jwt', %future))->{status}, 401,
    'a message from the future';

my @requests = Offload::Test::Garbage::requests(
    [ [ POST => '/v1/nodes' ], [ POST => '/v1/nodes/heartbeat' ],
        [ POST => '/v1/sites' ] ],
    Offload::Test::Garbage::bodies(), @signed, $replayed);
push @requests, map { Offload::Test::Garbage::request(GET => $_, '') }
    '/v1/content/xyz/peers', '/v1/content/' . '0' x 64 . '/peers',
    "/v1/content/$root/peers?n=-1", '/v1/content/../../etc/passwd',
    '/v1/sites/' . 'f' x 64, '/%00', '/v1/nodes', '/' . '%2e/' x 500;

my ($port) = $c->url =~ /:(\d+)$/;
Offload::Test::Garbage::throw('127.0.0.1', $port, 1000, @requests);
my $before = Offload::Test::Garbage::memory($c->workers);
my $got = Offload::Test::Garbage::throw('127.0.0.1', $port, 10_000, @requests);
my $grown = Offload::Test::Garbage::grown($before, $t->growth_max, $c->workers);
note join ', ', map { "$_: $got->{$_}" } sort keys %$got;

is join(' ', grep { !/^(?:4\d\d|505|closed|cut off)$/ } sort keys %$got), '',
    'each got a 4xx (505: HTTP/9.9) or a closed connection';
ok $c->running, 'the coordinator runs';
cmp_ok $grown, '<=', $t->growth_max, 'its memory grew by at most 1 MiB (KiB)';
cmp_ok Offload::Test::Garbage::lines_a_second($c->log), '<=', 12,
    'at most a line a second per kind';
is $t->http(GET => $c->url . '/healthz')->{status}, 200, 'it is healthy';
is scalar($s->peers($root)), 1, 'and still knows its node';

$t->done;
