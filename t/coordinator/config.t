# Options by a file: names without hyphens, the command line wins, errors name
# file and line; --test tries it; SIGHUP reads it again.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;

my $t = Offload::Test->new;
my $redis = $t->redis;
my ($port, $other) = ($t->port, $t->port);
my $program = Offload::Test::build() . '/offload-coordinator';
my $conf = $t->path('c.conf');

sub conf { $t->write('c.conf', join '', map { "$_\n" } @_) }
sub try { $t->run($program, @_, '--config', $conf, '--test') }

my @good = ("# the tracker of example.org", "listen 127.0.0.1:$port",
    'redis ' . $redis->url, 'key ' . $t->path('k.pem'),
    'allow-net 127.0.0.0/8', '', "  log-level \t warn  ");
conf(@good);
my $r = try();
is $r->{status}, 0, '--test: it is good';
is $r->{err}, '', 'nothing is said';
ok !-e $t->path('k.pem'), 'and nothing made';

for my $case ([ 'listn x' => 'unknown option "listn"' ],
    [ 'workers 0' => '"0" is not a number from 1 to 64' ],
    [ 'allow-net 10.0.0.0/40' => '10.0.0.0/40' ],
    [ 'key other.pem' => 'key is given twice' ], [ 'holders' => 'a value' ]) {
    conf(@good, $case->[0]);
    $r = try();
    is $r->{status}, 2, "$case->[0]: refused";
    like $r->{err}, qr/^offload-coordinator: \Q$conf\E:8: .*\Q$case->[1]\E/,
        'with file and line';
}
conf(@good, 'listen-tls 127.0.0.1:1');
like try()->{err}, qr/--listen-tls needs --tls-cert/, 'parts of one thing';
conf(@good);
unlink $conf;
is try()->{status}, 2, 'a file that is not there';

# The daemon, as its unit would start it.
conf(@good);
my $c = $t->coordinator(redis => $redis, port => $other,
    args => [ '--config', $conf, '--log-level', 'info' ]);
is $t->http(GET => "http://127.0.0.1:$other/v1/key")->{status}, 200,
    'the command line wins';
is $t->http(GET => "http://127.0.0.1:$port/", timeout => 1)->{status}, 0,
    'and the file does not';
$c->stop;
$c->{cmd} = [ $program, '--config', $conf ];
$c->{ready} = undef;
$c->start;
$t->wait_for(sub { $t->http(GET => "http://127.0.0.1:$port/v1/key",
    timeout => 1)->{status} == 200 }, 'the address of the file');
unlike $c->log('recent'), qr/ready:/, 'and its log level';

# Read again: the level changes; what cannot change is told of.
conf(map { s/warn/info/r } @good);
$c->signal('HUP');
$t->wait_for(sub { $c->log('recent') =~ /info: reading options and files again/ },
    'another level');
conf('workers 2', map { s/:$port/:$other/r } @good);
$c->signal('HUP');
$t->wait_for(sub { $c->log('recent') =~ /workers has changed: SIGUSR2/ },
    'a word about workers');
like $c->log('recent'), qr/listen has changed: SIGUSR2/, 'and the address';
is scalar($c->workers), 1, 'nothing has changed';
is $t->http(GET => "http://127.0.0.1:$port/v1/key")->{status}, 200,
    'it serves where it did';
conf('nonsense 1');
$c->signal('HUP');
$t->wait_for(sub { $c->log('recent') =~ /options stay as they are: .*:1: unknown/ },
    'a word about the error');

# The new address needs the new program.
conf('workers 2', map { s/:$port/:$other/r } @good);
$c->signal('USR2');
$t->wait_for(sub { $t->http(GET => "http://127.0.0.1:$other/v1/key",
    timeout => 1)->{status} == 200 }, 'the new address', 15);
$t->wait_for(sub { 2 == $c->workers }, 'two workers', 15);
is $t->http(GET => "http://127.0.0.1:$port/", timeout => 1)->{status}, 0,
    'the old address is closed';

$c->stop;

# systemd hears when it is ready, and when it stops.
require IO::Socket::UNIX;
my $systemd = IO::Socket::UNIX->new(Type => Socket::SOCK_DGRAM(),
    Local => $t->path('notify')) or die "notify: $!";
$c->{env}{NOTIFY_SOCKET} = $t->path('notify');
$c->start;
my $heard = '';
$systemd->recv($heard, 100);
is $heard, 'READY=1', 'systemd hears that it is ready';
$c->stop;
$systemd->recv($heard, 100);
is $heard, 'STOPPING=1', 'and that it stops';

$t->done;
