# A thousand sites of one process, and a hundred that are dead, slow or answer
# garbage: all are synced with in time, news are known within a second, and what
# an idle coordinator costs is shown.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Many;

use constant SECONDS => 20;

my $t = Offload::Test->new;
my $many = Many->new($t, sites => 1000, bad => 33);
my $start = time;
my @news;
$t->wait_for(sub { $many->synced >= 500 }, 'a sync with half of them', 60);
push @news, $many->news(3);
$t->wait_for(sub { $many->synced == 1000 }, 'a sync with each', 60);
my $took = time - $start;
cmp_ok $took, '<=', 40, "a thousand sites are synced with in $took s";
push @news, map { $many->news($_) } 1, 500, 999;
my ($worst) = sort { $b <=> $a } @news;
cmp_ok $worst, '<=', 1, sprintf 'news are known after %.2f s at most', $worst;

sub commands {
    my ($n) = $many->{redis}->cli('INFO', 'stats') =~
        /total_commands_processed:(\d+)/;
    return $n;
}
my ($cpu, $commands) = ($many->cpu, commands());
my $end = time + SECONDS;
$t->wait_for(sub { time >= $end }, 'a while', SECONDS + 5);
$cpu = 100 * ($many->cpu - $cpu) / SECONDS;
$commands = (commands() - $commands) / SECONDS;
cmp_ok $cpu, '<=', 25, sprintf 'idle with a thousand sites: %.1f %% of a core',
    $cpu;
cmp_ok $commands, '<=', 1000, sprintf '%.0f commands a second to Redis',
    $commands;

$t->done;
