# Who is owed what, by the real parts: clients' receipts and the nodes' own
# counts meet; a node alone, or a site alone, earns nothing.

use Offload::Test;
use Offload::Test::System;

my $t = Offload::Test->new;
$t->write('html/f.bin', $t->bytes(3_000_000, 1));
# Audits take pieces, too, as clients that tell nothing.
my $s = Offload::Test::System->new($t, nodes => 2,
    coordinator_args => [qw(--audit-rate 0)],
    node_args => [ [qw(--rate 100M)], [] ]);
my $root = $s->offloaded('/f.bin');

sub ever {
    my ($node) = @_;
    my $r = $t->http(GET => $s->coordinator->url . '/v1/nodes/' . $node->id
        . '/ledger');
    return $r->{status} == 200 ? $t->json($r->{content})->{ever} : {};
}

# Clients that tell nothing: the nodes say so, the site does not.
is $t->http(GET => $_->url . "/c/$root")->{status}, 200,
    'a client that tells nothing' for $s->nodes;
for my $node ($s->nodes) {
    $t->wait_for(sub { ever($node)->{claimed} >= 3_000_000 }, 'the claim', 30);
    is_deeply ever($node), { claimed => 3_000_000, confirmed => 0,
        credited => 0, failed => 0 },
        'the node claims what it has sent, and earns nothing';
}

# A client that tells: both say the same.
my $r = $t->offload('get', '--json', '-o', $t->path('out.bin'), $s->url('/f.bin'));
is $r->{status}, 0, 'a download' or diag $r->{err};
my $report = $t->json($r->{out});
is $report->{reported}, JSON::PP::true(), 'that is reported';
my %got;
$got{ $_->{id} } += $_->{bytes}
    for grep { $_->{kind} eq 'peer' } @{ $report->{sources} };
is eval { my $sum = 0; $sum += $_ for values %got; $sum }, 3_000_000,
    'all of it came from nodes';
for my $node ($s->nodes) {
    my $bytes = $got{ $node->id } // 0;
    my $ever = {};
    eval {
        $t->wait_for(sub { $ever = ever($node); $ever->{confirmed} == $bytes
            && $ever->{claimed} >= 3_000_000 + $bytes && $ever->{credited} == $bytes },
            'the two to meet', 30);
    };
    is "$ever->{confirmed} $ever->{credited}", "$bytes $bytes",
        'the node is credited what the client got from it';
    cmp_ok $ever->{claimed}, '>=', 3_000_000 + $bytes,
        'of no more than it says itself (two may race for the last piece)';
}

# A node that starts over claims nothing of what it claimed before.
my ($node) = sort { $got{ $b->id } // 0 <=> $got{ $a->id } // 0 } $s->nodes;
my $was = ever($node);
my $beat = $s->redis->cli('HGET', 'key:{' . $node->id . '}', 'seq');
$node->stop;
$node->start;
is $t->http(GET => $node->url . '/healthz')->{status}, 200, 'a node starts over';
$t->wait_for(sub { $s->redis->cli('HGET', 'key:{' . $node->id . '}', 'seq')
    > $beat }, 'its heartbeats', 30);
is_deeply ever($node), $was, 'what it is owed stays as it is';

# The coordinator dies and comes back: told again, not booked again.
$s->coordinator->kill;
$s->coordinator->start;
$t->wait_for(sub { $s->coordinator->log('recent') =~ /this process pushes to it/ },
    'it to push again', 30);
my $synced = sub { $t->json($t->http(GET => $s->coordinator->url . '/v1/sites/'
    . Digest::SHA::sha256_hex($s->origin->url))->{content})->{synced} };
my $at = $synced->();
$t->wait_for(sub { $synced->() > $at }, 'a sync', 30);
is_deeply ever($node), $was, 'all as it was';

# The line of today, as the operator takes it away.
$r = $t->run(Offload::Test::build() . '/offload-coordinator', 'ledger', '--redis',
    $s->redis->url, '--node', $node->id);
my ($head, @lines) = split /\r\n/, $r->{out};
is $head, 'day,node,site,iss,confirmed,claimed,credited', 'CSV';
my $sum = 0;
for (@lines) {
    my @field = split /,/;
    is $field[3], $s->origin->url, 'of the site';
    $sum += $field[6];
}
is $sum, $was->{credited}, 'adds up to what is owed';

$t->done;
