# `make run`: what it starts and says, what it says when its ports are taken,
# and that stopping leaves nothing behind.

use Offload::Test;
use lib 'demo';
use Processes;

my $t = Offload::Test->new;

# Coordinator and nodes listen 10 and 20 above the site.
my $port = $t->port(10, 20);

# A folder of its own, and a package that is large enough to have pieces.
my %env = (PORT => $port, TMPDIR => $t->dir, DETACH => 1,
    PACKAGE => 'debian-reference-en', OFFLOAD_BUILD => Offload::Test::build(),
    OFFLOAD_MODULE => Offload::Test::Nginx::module());
my $folder = $t->dir . "/offload-demo-$>/$port";
sub demo { $t->run({ env => \%env, timeout => 200 }, 'demo/run', @_) }

# Whatever becomes of the test, the demo is a detached one.
my $owner = $$;
END { demo('stop') if defined $owner && $owner == $$ && -d $folder }

my $r = demo();
is $r->{status}, 0, 'starts' or diag $r->{out}, $r->{err};
my $origin = "http://127.0.0.1:$port";
my $coordinator = 'http://127.0.0.1:' . ($port + 10);
my @nodes = map { "http://127.0.0.$_:" . ($port + 20) } 11 .. 13;
like $r->{out}, qr{^origin: \Q$origin\E/$}m, 'names the origin';
like $r->{out}, qr{^coordinator: \Q$coordinator\E/ \(its status page\)$}m, 'the coordinator';
like $r->{out}, qr{^node: \Q$_\E/$}m, 'a node' for @nodes;
my ($file) = $r->{out} =~ m{^file: (\Q$origin\E/debian-reference-en_\S+)$}m;
ok $file, 'the file';
like $r->{out}, qr/SHA-256 is the package's own: [0-9a-f]{64}$/m, 'checked';

my $sum = 0;
my $from_nodes = 0;
while ($r->{out} =~ /^ *(\d+) bytes .* from (\S+)$/mg) {
    $sum += $1;
    $from_nodes += $1 if grep { $2 eq $_ } @nodes;
}
my $size = $t->http(HEAD => $file)->{headers}{'content-length'};
is $sum, $size, 'bytes by source add up to the file';
is $from_nodes, $size, 'all of them from nodes';

# A JOSE library that is not ours agrees with the site's signature.
my $manifest = $t->http(GET => $file,
    headers => { Accept => 'application/offload+jwt' });
is $manifest->{headers}{'content-type'}, 'application/offload+jwt',
    'a manifest';
my $keys = $t->write('keys.json',
    $t->http(GET => "$origin/.well-known/offload/key")->{content});
my $jws = $t->write('manifest.jwt', $manifest->{content});
my $claims = $t->run('/usr/bin/python3', 't/demo/verify.py', $keys, $jws);
is $claims->{status}, 0, 'verifies with jwcrypto' or diag $claims->{err};
is $t->json($claims->{out})->{content}{size}, $size, 'and is of the file';
is_deeply [ sort map { $_->{url} } @{ $t->json($claims->{out})->{peers} } ],
    \@nodes, 'it names the nodes';
$t->write($jws, $manifest->{content} =~ s/\.(.)/$1 eq 'A' ? '.B' : '.A'/er);
isnt $t->run('/usr/bin/python3', 't/demo/verify.py', $keys, $jws)->{status}, 0,
    'one byte changed: refused';

my $index = $t->http(GET => "$origin/");
is $index->{status}, 200, 'the site has a page';
for my $link ($index->{content} =~ /href="([^"]+)"/g) {
    is $t->http(GET => "$origin/$link")->{status}, 200, "its link $link";
}
is $t->http(GET => "$_/healthz")->{status}, 200, "$_ is well"
    for $coordinator, @nodes;

$r = demo();
isnt $r->{status}, 0, 'a second one does not start';
like $r->{err}, qr/^ +127\.0\.0\.1:$port is taken by nginx \(process \d+\)$/m,
    'names the port and who has it';
like $r->{err}, qr/127\.0\.0\.13:@{[$port + 20]} is taken by offload-node/,
    "a node's, too";
like $r->{err}, qr/make stop ends it. PORT=\d+ make run/, 'and what to do';

my @pids = $t->read("$folder/processes") =~ /^(\d+)\t/mg;
is @pids, 6, 'six processes';
my %logs = map { $_ => $t->read("$folder/$_") } 'coordinator.log',
    'origin/error.log', map { "node-$_.log" } 1 .. 3;
unlike $logs{$_}, Offload::Test::sanitizer(), "$_: no sanitizer's report"
    for sort keys %logs;
unlike $logs{'origin/error.log'}, qr/\[(?:alert|emerg|crit|error)\]/,
    'nginx has nothing to complain of';

$r = demo('stop');
is $r->{out}, "stopped\n", 'stop';
is scalar(grep({ -e "/proc/$_" && Processes::started($_) } @pids)), 0,
    'no process is left';
ok !-e $folder, 'nor the folder';
is demo('stop')->{out}, "no demo runs\n", 'stop again';

# In the foreground, Ctrl-C ends it.
delete $env{DETACH};
local @ENV{ keys %env } = values %env;
delete $ENV{DETACH};
my $run = $t->spawn('demo/run');
$t->wait_for(sub { $run->output =~ /^Press Ctrl-C to stop$/m }, 'the demo', 200);
@pids = $t->read("$folder/processes") =~ /^(\d+)\t/mg;
$run->signal('INT');
is $run->wait(60), 0, 'Ctrl-C ends it';
is scalar(grep({ -e "/proc/$_" && Processes::started($_) } @pids)), 0,
    'and every process';
ok !-e $folder, 'nothing is left';

$t->done;
