# The end, gracefully: a heartbeat that is held is answered at once, leases are
# given back, a client that says nothing delays nobody, a slow one gets its
# answer; all within five seconds and with status 0.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use IO::Socket::INET;
use Origin;
use Stranger;
use Time::HiRes qw(time);

my $t = Offload::Test->new;
my $redis = $t->redis;

for my $signal (qw(TERM INT USR2)) {
    my $c = $t->coordinator(redis => $redis, args => [ '--workers', 2 ]);
    my ($address) = $c->url =~ m{//(.*)};
    my $n = Stranger->new(test => $t, coordinator => $c, name => "n-$signal");
    is $n->register->{status}, 200, "$signal: a node registers";
    is $n->heartbeat->{status}, 200, 'and is heard';

    my $held = $n->held_heartbeat($redis,
        store => $redis->cli('GET', 'store'), wait => 9000);
    my $site = $signal eq 'TERM' ? Origin->new($t, $c)->join : undef;
    $t->wait_for(sub { $redis->cli('EXISTS', "lease:{$site->{id}}") },
        'the lease') if $site;
    my $idle = IO::Socket::INET->new($address);
    my $slow = IO::Socket::INET->new($address);
    print $slow "GET /v1/key HTTP/1.1\r\nHost: x\r\n";
    $slow->flush;
    my $begun = time;
    $c->signal($signal);
    like join('', <$held>), qr{^HTTP/1\.1 200 },
        'the held heartbeat is answered';
    cmp_ok time - $begun, '<', 3, 'at once';
    if ($signal eq 'USR2') {
        print $slow "\r\n";
        like <$slow> // '', qr/ 200 /, 'a slow client is answered, too';
        $t->wait_for(sub { $c->log =~ /old workers have gone/ }, 'the new ones');
        is $c->stop, 0, 'the end';
    }
    else {
        is $c->wait, 0, 'it ends with status 0';
    }
    cmp_ok time - $begun, '<', 6, 'within five seconds';
    is $redis->cli('EXISTS', "lease:{$site->{id}}"), 0, 'the lease is free'
        if $site;
}

$t->done;
