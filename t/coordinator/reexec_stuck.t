# What goes wrong while a program takes another one's place: an old worker that
# never ends is ended, a new program that never says whether it starts too, and
# SIGUSR2 can be sent again; nothing is left open by all that.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Steady;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--workers', 2 ]);
my $load = Steady->new($t, $c);
$load->more(20);

sub said {
    my ($c, $from, $what) = @_;
    $t->wait_for(sub { substr($c->log, $from) =~ $what }, "$what");
}

sub renew {
    my ($c, $times) = @_;
    my $from = length $c->log;
    $c->signal('USR2') for 1 .. $times;
    said($c, $from, qr/the old workers have gone/);
    return scalar(() = glob '/proc/' . $c->pid . '/fd/*');
}

my $open = renew($c, 5);
is renew($c, 1), $open, 'as many descriptors as before';
$load->more(20);
is join("\n", $load->stop), '', 'nobody notices';

# An old worker that is stopped, as a debugger might leave it; and a file of
# options that cannot be read to its end.
my $conf = $t->write('c.conf', "workers 1\n");
my $d = $t->coordinator(redis => $redis, args => [ '--config', $conf ]);
unlink $conf;
system('mkfifo', $conf) == 0 or die "mkfifo: $?";
my ($from_c, $from_d) = (length $c->log, length $d->log);
my ($stuck) = $c->workers;
kill STOP => $stuck;
$_->signal('USR2') for $c, $d;
said($d, $from_d, qr/does not say whether it starts, killing it/);
said($d, $from_d, qr/nothing changes/);
said($c, $from_c, qr/an old worker does not stop, killing it/);
said($c, $from_c, qr/the old workers have gone/);
is scalar($c->workers), 2, 'two workers';
unlink $conf;
$t->write('c.conf', "workers 1\n");
is renew($_, 1) > 0, 1, 'SIGUSR2 is heard again' for $c, $d;

# SIGTERM right behind SIGUSR2, when old workers are about to end, too.
for my $pause (0, 0.005, 0.02, map { 0.01 * $_ } 4 .. 12) {
    my $other = $t->coordinator(redis => $redis, args => [ '--workers', 2 ]);
    $other->signal('USR2');
    select undef, undef, undef, $pause;
    is $other->stop, 0, "SIGTERM $pause s after SIGUSR2";
}

$t->done;
