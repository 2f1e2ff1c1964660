# The ledger: what sites tell of receipts and what nodes claim meet, each byte
# once, whatever is said again; and nothing is acknowledged before it is kept.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis(args => [qw(--appendfsync everysec)]);
my $c = $t->coordinator(redis => $redis);
my $n = Stranger->new(test => $t, coordinator => $c, name => 'n');
my $other = Stranger->new(test => $t, coordinator => $c, name => 'other',
    host => '127.0.0.42');
my $stranger = $t->key('stranger');
my %epoch = map { $_ => $_ x 21 . 'A' } 'A' .. 'F';

# What the site says: accounts with the clock of their last change.
my (%account, $clock);
my $instance = $epoch{A};

sub say_accounts {
    $t->write('say', JSON::PP->new->encode({ epoch => $instance,
        clock => $clock // 0, nodes => [ values %account ] }));
}

sub account {
    my ($node, $serial, $bytes, $failed) = @_;
    $account{"$instance.$serial"} = { id => $node, serial => $serial,
        bytes => $bytes, failed => $failed // 0, clock => ++$clock };
    say_accounts();
}

say_accounts();
my $site = Site->new(test => $t, coordinator => $c, name => 's', sync => sub {
    my ($sync) = @_;
    my $say = $t->json($t->read('say'));
    my $ack = ($sync->{epoch} // '') eq $say->{epoch} ? $sync->{ack} : 0;
    return 200, { epoch => $say->{epoch}, clock => $say->{clock}, contents => [],
        nodes => [ grep { $_->{clock} > $ack } @{ $say->{nodes} } ] };
});

sub claim {
    my ($node, $epoch, $bytes, $iss) = @_;
    $node->heartbeat(epoch => $epoch,
        served => [ { iss => $iss // $site->url, bytes => $bytes } ]);
}

sub ledger {
    my ($node) = @_;
    my $r = $t->http(GET => $c->url . '/v1/nodes/' . $node->id . '/ledger');
    return $r->{status} == 200 ? $t->json($r->{content})->{ever} : undef;
}

sub sums { my $l = ledger($_[0]); $l && "@$l{qw(confirmed claimed credited)}" }

sub becomes {
    my ($node, $sums, $what) = @_;
    my $got = '';
    eval { $t->wait_for(sub { ($got = sums($node) // '') eq $sums }, $what) };
    is $got, $sums, $what;
}

# The ack of the next sync that is sent.
sub next_ack {
    my $number = $site->syncs + 1;
    return $site->sync($number)->{ack};
}

is $_->register->{status}, 200, 'a node' for $n, $other;
$site->join;
becomes($n, '0 0 0', 'an empty ledger');

account($n->id, 1, 1000, 2);
becomes($n, '1000 0 0', 'receipts alone are no credit');
is ledger($n)->{failed}, 2, 'failures are kept';
is claim($other, $epoch{A}, 500)->{status}, 200, 'a claim';
becomes($other, '0 500 0', 'a claim alone is none');
claim($n, $epoch{A}, 700);
becomes($n, '1000 700 700', 'together it is the smaller one');

claim($n, $epoch{A}, 700) for 1 .. 3;
claim($n, $epoch{A}, 600);
account($n->id, 1, 900);
$t->wait_for(sub { next_ack() == $clock }, 'it to be acknowledged');
becomes($n, '1000 700 700', 'what is said again, or shrinks, adds nothing');

claim($n, $epoch{B}, 200);
account($n->id, 2, 50);
becomes($n, '1050 900 900', 'another epoch and another account add');
claim($n, $epoch{B}, 5000);
becomes($n, '1050 5700 1050', 'credit is never more than receipts say');

account($stranger->{id}, 3, 100);
claim($n, $epoch{C}, 100, 'http://nobody.example');
claim($n, $epoch{C}, 100);
becomes($n, '1050 5800 1050', 'a site that nobody knows gives no claim');
$t->wait_for(sub { next_ack() == $clock }, 'all to be acknowledged');
is $redis->cli('ZSCORE', 'ledgers', $stranger->{id}), '',
    'nor has a node that never registered a ledger to show';

# The instance starts over: its accounts begin again, and count again.
my $was = $instance;
%account = ();
($instance, $clock) = ($epoch{B}, 0);
account($n->id, 1, 10);
becomes($n, '1060 5800 1060', 'another epoch of the site adds');

# Redis stands still, dies, comes back: nothing is acknowledged meanwhile.
$redis->signal('STOP');
account($n->id, 1, 110);
my $before = $site->syncs;
$t->wait_for(sub { $t->http(GET => $c->url . '/healthz')->{status} == 503 },
    'the coordinator to notice');
is scalar(grep { $site->sync($_)->{ack} >= $clock } $before .. $site->syncs), 0,
    'not acknowledged while Redis is away';
is claim($n, $epoch{C}, 200)->{status}, 503, 'nor is a claim';
$redis->signal('CONT');
becomes($n, '1160 5800 1160', 'told again once it is there');
$redis->kill;
account($n->id, 1, 210);
$redis->start;
becomes($n, '1260 5800 1260', 'as after it died');
$t->wait_for(sub { claim($n, $epoch{C}, 200)->{status} == 200 }, 'a heartbeat');
becomes($n, '1260 5900 1260', 'and so is the claim');

# Emptied, it is told all that still stands.
my $store = $redis->cli('GET', 'store');
$redis->cli('FLUSHALL');
$t->wait_for(sub { my $new = $redis->cli('GET', 'store');
    $new && $new ne $store }, 'another store');
becomes($n, '210 0 0', 'accounts are told to an empty Redis, even of nodes '
    . 'that it does not know yet');
is $n->register->{status}, 200, 'the node registers';
is claim($n, $epoch{C}, 200)->{status}, 200, 'and claims';
becomes($n, '210 200 200', 'credit is there again');
is scalar(split /\n/, $redis->cli('ZRANGE', 'ledgers', 0, -1)), 1,
    'a ledger that is shown';
is $redis->cli('ZCARD', 'ledgers-new'), 0, 'and none that waits';

$t->done;
