# Invitations: who brings one is admitted, as many nodes as it says, until the
# day it says; the same node may come again without it; uses are counted for all
# coordinators together, and outlive them.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $file = $t->write('invitations', <<'END');
good-token-good-token uses=2 until=2999-12-31
late-token-late-token until=2001-01-01
END
my @c = map { $t->coordinator(redis => $redis, key => $t->path('c.pem'),
    args => [ '--admission', 'invite', '--invitations', $file ]) } 1, 2;
my ($one, $two, $three, $off) = map { Stranger->new(test => $t,
    coordinator => $c[0], name => $_) } 'one', 'two', 'three', 'off';

sub refused {
    my ($r, $why, $what) = @_;
    is $r->{status}, 403, $what;
    like $t->json($r->{content})->{error}, qr/not admitted: .*$why/,
        'it says why';
}

refused($one->register, 'ask its operator for an invitation', 'without one');
refused($one->register(invitation => 'something-that-is-none'),
    'unknown or has expired', 'with a wrong one');
refused($one->register(invitation => 'late-token-late-token'),
    'unknown or has expired', 'with an old one');
is $redis->cli('EXISTS', 'key:{' . $one->id . '}'), 0,
    'nothing is kept of them';

# A call-back that fails takes nothing of an invitation.
$off->{url} = 'http://127.0.0.41:' . $t->port;
is $off->register(invitation => 'good-token-good-token')->{status}, 403,
    'one that cannot be called';

my @good = (invitation => 'good-token-good-token');
is $one->register(@good)->{status}, 200, 'with a good one';
is $one->register(@good)->{status}, 200, 'the same node again';
is $one->register->{status}, 200, 'it is needed the first time only';
is $one->heartbeat->{status}, 200, 'it is heard';
$two->{c} = $c[1];
is $two->register(@good)->{status}, 200, 'a second node, at another process';
refused($three->register(@good), 'used up', 'a third');
$_->stop for @c;
$_->start for @c;
refused($three->register(@good), 'used up', 'a third, after a restart');
is $redis->cli('TTL', join '', map { /(\S+)/ } $redis->cli('--scan',
    '--pattern', 'invite:*')), -1, 'this is kept';

$t->write('invitations', "good-token-good-token uses=3\n");
ok $t->wait_for(sub { $three->register(@good)->{status} == 200 },
    'another use'), 'the operator gives it one more';
$t->write('invitations', "# none any more\n");
$t->wait_for(sub { $c[0]->log =~ /0 nodes, 0 invitations/ }, 'no invitations');
is $one->register->{status}, 200, 'who has come stays';
is $one->heartbeat->{status}, 200, 'and is heard';

$t->done;
