# A thousand sites of one process, and a hundred that are dead, slow or answer
# garbage: all are synced with in time, news are known within a second, a crowd at
# one draws nodes within a second or so, also while the others are read, and what
# an idle coordinator costs is shown.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Offload::Test::Crowd;
use Many;
use Time::HiRes ();

use constant SECONDS => 20;

my $t = Offload::Test->new;
my $many = Many->new($t, sites => 1000, bad => 33);
my $crowd = Offload::Test::Crowd->new(test => $t, coordinators => [ $many->{c} ],
    nodes => 30, args => [ '--rate', 4 << 20 ]);

# Seconds from a crowd's coming to a site until its file is assigned to more
# nodes than the least, and told to them.
sub rise {
    my ($number) = @_;

    my ($c, $site) = ($many->{c}, $many->{sites}[$number]);
    my $file = $site =~ s{.*//(.*):\d+}{html/$1/big.bin}r;
    $t->write($file, $t->bytes(4 << 20, $number));
    utime time - 60, time - 60, $t->path($file);
    my $ask = sub { $t->http(GET => "$site/big.bin",
        headers => { 'Offload-Fetch' => 'manifest' }) };
    my $root = $t->wait_for(sub {
        my $r = $ask->();
        return $r->{headers}{'content-type'} eq 'application/offload+jwt'
            && $t->claims($r->{content})->{content}{root};
    }, "a manifest of $site");
    my $holders = sub {
        my $r = $t->http(GET => $c->url . "/v1/content/$root/peers");
        return $r->{status} == 200 ? @{ $t->json($r->{content})->{peers} } : 0;
    };
    my $least = $t->wait_for(sub { my $n = $holders->(); $n >= 3 && $n },
        "the least for $site", 40);
    my $start = Time::HiRes::time;
    $ask->() for 1 .. 40;
    my $asked = Time::HiRes::time;
    $t->wait_for(sub { $holders->() > $least }, "more nodes for $site", 40);
    my $took = Time::HiRes::time - $start;
    diag sprintf '%s: %.2f s, of these %.2f s to ask', $site, $took,
        $asked - $start;
    return $took;
}
my $start = time;
my @news;
$t->wait_for(sub { $many->synced >= 500 }, 'a sync with half of them', 60);
push @news, $many->news(3);
my @rises = rise(3);
$t->wait_for(sub { $many->synced == 1000 }, 'a sync with each', 60);
my $took = time - $start;
cmp_ok $took, '<=', 40, "a thousand sites are synced with in $took s";
push @news, map { $many->news($_) } 1, 500, 999;
push @rises, map { rise($_) } 1, 500, 999;
my ($worst) = sort { $b <=> $a } @news;
cmp_ok $worst, '<=', 1, sprintf 'news are known after %.2f s at most', $worst;

($worst) = sort { $b <=> $a } @rises;
cmp_ok $worst, '<=', 2, sprintf 'a crowd has more nodes after %.2f s at most',
    $worst;
$crowd->stop;

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
cmp_ok $commands, '<=', 1100, sprintf '%.0f commands a second to Redis',
    $commands;

$t->done;
