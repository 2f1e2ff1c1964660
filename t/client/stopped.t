# A download that was stopped for longer than a peer may be silent goes on
# where it was, and blames nobody.

use Offload::Test;
use Offload::Test::Site;

use Time::HiRes qw(time);

use constant STOPPED_S => 5.5;    # a peer may be silent for 4 s

my $t = Offload::Test->new;
my $bytes = $t->bytes(12_000_000, 1);
my $site = Offload::Test::Site->new($t, bytes => $bytes);
my @peers = map { $site->peer(rate => '2m') } 1 .. 2;
$site->publish(peers => \@peers);

my $out = $t->path('out.bin');
my $get = $t->spawn($t->build . '/offload', 'get', '--json', '-o', $out,
    $site->url);
$t->wait_for(sub { ((stat "$out.part")[12] // 0) > 100 },
    'the download to be under way');
$get->signal('STOP');
my $end = time + STOPPED_S;
$t->wait_for(sub { time > $end }, 'a while');
$get->signal('CONT');

is $get->wait(60), 0, 'the download succeeds' or diag $get->log;
ok $t->read($out) eq $bytes, 'and is whole';
my $report = $t->json($get->output);
is_deeply $report->{culprits}, [], 'nobody is blamed';
my ($origin) = grep { $_->{kind} eq 'origin' } @{ $report->{sources} };
is $origin ? $origin->{bytes} : 0, 0, 'and the origin gave nothing';

$t->done;
