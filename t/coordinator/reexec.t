# SIGUSR2: the program is executed anew under the same process id, with more
# workers; nobody who asks meanwhile notices.  A program that does not start
# changes nothing.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use File::Copy ();
use Steady;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $program = $t->path('offload-coordinator');
my $conf = $t->write('c.conf', "workers 2\n");

# A copy of its own, which can be replaced as a package manager would do it.
sub install {
    my ($from) = @_;
    File::Copy::copy($from, "$program.new") or die "$from: $!";
    chmod 0755, "$program.new";
    rename "$program.new", $program;
}
install(Offload::Test::build() . '/offload-coordinator');

my $port = $t->port;
my $c = $t->coordinator(redis => $redis, port => $port,
    args => [ '--config', $conf ]);
$c->stop;
$c->{cmd}[0] = $program;
$c->start;
my $pid = $c->pid;
my @old = $c->workers;
is scalar(@old), 2, 'two workers';

my $load = Steady->new($t, $c);
$load->more(20);
for my $round (1, 2) {
    my @before = $c->workers;
    install(Offload::Test::build() . '/offload-coordinator');
    $t->write('c.conf', "workers 3\n");
    my $log = length $c->log;
    $c->signal('USR2');
    $t->wait_for(sub { substr($c->log, $log) =~ /the old workers have gone/ },
        'the old workers to go', 15);
    is $c->pid, $pid, "round $round: the process id is the same";
    ok $c->running, 'it runs';
    my @now = $c->workers;
    is scalar(@now), 3, 'with as many workers as now wanted';
    my %before = map { $_ => 1 } @before;
    is scalar(grep { $before{$_} } @now), 0, 'all of them new';
    like substr($c->log, $log), qr/ready: listening on/, 'it tells';
    $load->more(30);
}
is readlink("/proc/$pid/exe"), $program, 'it is the new program that runs';
my @failed = $load->stop;
is "@failed", '', 'no request has failed';

# Broken: it goes on as it is.
my @before = $c->workers;
$t->write('c.conf', "workers many\n");
$c->signal('USR2');
$t->wait_for(sub { $c->log =~ /does not start: nothing changes/ }, 'a word');
like $c->log, qr/\Q$conf\E:1: "many" is not a number/, 'with the reason';
$t->write('c.conf', "workers 3\n");
$t->write('broken', "not a program\n");
install($t->path('broken'));
my $log = length $c->log;
$c->signal('USR2');
$t->wait_for(sub { substr($c->log, $log) =~ /nothing changes/ }, 'a word');
is join(' ', $c->workers), "@before", 'the same workers serve';
is $t->http(GET => $c->url . '/v1/key')->{status}, 200, 'and answer';

# A held heartbeat at the end: answered, and quickly gone.
my $begun = time;
is $c->stop, 0, 'SIGTERM ends all with status 0';
cmp_ok time - $begun, '<=', 3, 'at once';
is $t->http(GET => $c->url . '/', timeout => 2)->{status}, 0,
    'the port is free';

$t->done;
