# What strangers throw at a coordinator, in full: unknown infohashes, forged and
# replayed messages, registrations and joins that lead elsewhere, spoofed
# addresses, packets of garbage, connections that idle or trickle; each alone,
# then all at once.  An honest client and nodes are measured all the time: none
# fails, none waits for 2 s.  Afterwards memory is where it was.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;

plan skip_all => 'needs root for a network namespace' if $> != 0;
use Abuse;
Abuse::enter();

use constant GROWTH => 32_768;    # KiB

my $t = Offload::Test->new;
for my $workers (1, 2) {
    diag "--workers $workers";
    my $a = Abuse->new($t, nice => 19, args => [ '--workers', $workers,
        '--trusted-proxy', '45.6.0.0/16' ]);
    my %files = $a->messages;
    my %http = (kind => 'http', connections => 200, addresses => 10);
    my @attacks = (
        [ 'unknown infohashes, HTTP', { kind => 'unknown', count => 100_000,
            connections => 64, addresses => 64 } ],
        [ 'unknown infohashes, UDP', { kind => 'udp', count => 100_000,
            addresses => 64 } ],
        [ 'garbage packets', { kind => 'garbage', rate => 20_000,
            addresses => 64 } ],
        [ 'forged and replayed messages', { %http, connections => 500,
            file => $files{forged} } ],
        [ 'registrations', { %http, file => $files{registrations} } ],
        [ 'joins', { %http, file => $files{joins} } ],
        [ 'spoofed addresses', { %http, addresses => 1,
            file => $files{spoofed} } ],
        [ 'addresses a proxy tells', { %http, net => '45.6',
            file => $files{spoofed} } ],
        [ 'idle connections', { kind => 'open', connections => 10_000,
            addresses => 200 } ],
        [ 'slow heads', { kind => 'open', connections => 8_000, drip => 1,
            addresses => 200, text => 'GET / HTTP/1.1\r\nX: ' } ],
        [ 'slow bodies', { kind => 'open', connections => 8_000, drip => 1,
            addresses => 200, text => 'POST /v1/nodes HTTP/1.1\r\nHost: x\r\n'
                . 'Content-Length: 9000\r\n\r\n' } ],
    );
    my @all = map { { %$_, endless => 1 } } map { $_->[1] } @attacks;

    $a->attack('nobody');
    my $before = $a->memory;
    for my $attack (@attacks) {
        my ($name, $flood) = @$attack;
        my ($got) = $a->attack($name, $flood,
            $name =~ /registrations|joins/ ? sub { $a->newcomers } : ());
        my $in = grep { /^2/ } keys %$got;
        is $in, 0, "$name: none gets in"
            if $name =~ /forged|registrations|joins/;
    }
    $a->messages;    # the others have expired
    $a->attack('all at once', @all);
    my $now;
    $t->wait_for(sub {
        ($now = $a->memory) < $before + GROWTH;
    }, 'memory to be given back', 60);
    pass "memory: $before KiB, afterwards $now";
    $a->stop;
}

$t->done;
