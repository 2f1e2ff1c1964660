# What strangers throw at a coordinator: unknown infohashes, forged and replayed
# messages, registrations and joins that lead elsewhere, spoofed addresses,
# packets of garbage, connections that idle or trickle.  Each is refused, and
# bounded by the address it comes from; who is honest is served meanwhile.
# (t/soak/abuse.t has the full sizes.)

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;

plan skip_all => 'needs root for a network namespace' if $> != 0;
use Abuse;
Abuse::enter();

my $t = Offload::Test->new;
my $a = Abuse->new($t, nodes => 5, seconds => 1,
    args => [ '--trusted-proxy', '45.6.0.0/16' ]);
my %files = $a->messages;

# An address may ask for 200 infohashes in vain, and for one a second.
my @got = $a->attack('unknown infohashes', map { { kind => $_, count => 4000,
    addresses => 4, connections => 16, net => $_ eq 'udp' ? '45.2' : '45.1' }
} qw(unknown udp));
for (@got) {
    is $_->{'is busy'} + $_->{'not registered'} + ($_->{lost} // 0), 4000,
        'all are refused';
    cmp_ok $_->{'not registered'}, '<=', 4 * (202 + $_->{took}),
        'Redis was asked for few of them';
}

my ($got) = $a->attack('forged and replayed messages', { kind => 'http',
    connections => 16, net => '45.3', count => 4000, file => $files{forged} });
is join(' ', grep { /^\d/ } sort keys %$got), '400 401 404 409 429',
    'each is refused';
cmp_ok $got->{429}, '>', 1500, 'after 2000 none is looked at';
is $got->{later}, $got->{429}, 'which is said with a Retry-After';

@got = $a->attack('registrations and joins', map({ { kind => 'http',
    connections => 40, net => '45.4', addresses => 3, file => $files{$_} }
    } qw(registrations joins)), sub { $a->newcomers });
is join(' ', grep { /^2/ } map { keys %$_ } @got), '', 'none gets in';

# One address, which says that it is many; and a proxy.
@got = $a->attack('addresses that are told', map { { kind => 'http',
    connections => 16, net => $_, count => 3000, file => $files{announces} }
} '45.7', '45.6');
is $_->{200}, 3000, 'all are answered' for @got;
my ($spoofed, $told) = $a->peers;
is $spoofed, 1, 'no proxy: all of them are one';
is $told, 3000, 'a proxy: each is another one';

$a->attack('garbage, idle and slow connections',
    { kind => 'garbage', rate => 5000, addresses => 16 },
    { kind => 'open', connections => 500, addresses => 10 },
    { kind => 'open', connections => 500, addresses => 10, drip => 1,
        text => 'POST /v1/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n' });

$t->done;
