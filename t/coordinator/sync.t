# What the coordinator pushes, sync by sync, to a site that answers by a
# script: learning, a full state, need of a full state, refusals with a seq or
# a Date, another epoch.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;

my $t = Offload::Test->new;
my $c = $t->coordinator(redis => $t->redis);
my $node = $t->node(coordinator => $c);
my ($root, $other) = ('ab' x 32, 'cd' x 32);
my $epoch = 'B' x 21 . 'A';

my @script = (
    # learning: the epoch, then what is offered, in two answers
    sub { { need => 'full' } },
    sub { { need => 'full', clock => 5, more => JSON::PP::true, contents => [
        { root => $root, sub => '/f', size => 300_000, demand => 1 } ] } },
    sub { { need => 'full', clock => 9, contents => [
        { root => $other, sub => '/g', size => 300_000, demand => 1 } ] } },
    # the full state
    sub { { clock => 9 } },
    # changes: refused, lost, and refused for time
    sub { (409, '{"error":"seq","seq":' . ($_[0]{seq} + 1e6) . '}') },
    sub { { clock => 9, need => 'full' } },
    sub { { clock => 9 } },
    sub { (401, '{"error":"iat"}', 'Date: '
        . POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime time + 3600)) },
    sub { { clock => 9, iat => time + 3600, exp => time + 3660 } },
    # another epoch
    sub { { epoch => $epoch, clock => 1, iat => time + 3600,
        exp => time + 3660 } },
    sub { { epoch => $epoch, clock => 1, need => 'full', iat => time + 3600,
        exp => time + 3660 } },
    sub { { epoch => $epoch, clock => 1, iat => time + 3600,
        exp => time + 3660 } },
);
my $site = Site->new(test => $t, coordinator => $c, name => 'site', sync => sub {
    my ($claims, $number) = @_;
    return (200, { epoch => $epoch, clock => 1, iat => time + 3600,
        exp => time + 3660 }) if $number > @script;
    my @answer = $script[ $number - 1 ]->($claims);
    return @answer > 1 ? @answer : (200, @answer);
});
$site->join;

my @sync = (undef, map { $site->sync($_) } 1 .. @script);
for my $s (@sync[ 1 .. $#sync ]) {
    is $s->{iss}, $c->id, 'by the coordinator' if $s == $sync[1];
    is $s->{aud}, $site->url, 'for the site' if $s == $sync[1];
}
ok !grep({ $sync[$_]{seq} <= $sync[ $_ - 1 ]{seq} } 2 .. $#sync),
    'seq rises from sync to sync';

ok !exists $sync[1]{epoch}, 'the epoch is not known at first';
is $sync[2]{epoch}, 'A' x 22, 'then it is told';
is_deeply [ map { $sync[$_]{ack} } 2, 3, 4 ], [ 0, 5, 9 ],
    'what was learnt is acknowledged';
ok !grep({ exists $_->{full} } @sync[ 1 .. 3 ]), 'nothing is told meanwhile';

is_deeply $sync[4]{full}, { part => 1, parts => 1 }, 'a full state in one part';
is_deeply [ map { $_->{url} } @{ $sync[4]{nodes} } ], [ $node->url ],
    'has the node';
is $sync[4]{nodes}[0]{id}, $node->id, 'its id';
is $sync[4]{nodes}[0]{n}, 1, 'its number';
is_deeply $sync[4]{contents}, {}, 'no candidates: nobody holds anything';

is $sync[5]{base}, $sync[4]{seq}, 'the next one is based on it';
is $sync[5]{wait}, 10000, 'and may be held';
ok !exists $sync[5]{full}, 'it tells changes';
cmp_ok $sync[6]{seq}, '>', $sync[5]{seq} + 1e6, '409: seq goes on from there';
is $sync[6]{base}, $sync[5]{seq}, 'the base is the last one sent';
is_deeply $sync[7]{full}, { part => 1, parts => 1 }, 'need: a full state';
is scalar @{ $sync[7]{nodes} }, 1, 'with all nodes';
ok !exists $sync[8]{full}, 'then changes';
cmp_ok abs($sync[9]{iat} - $sync[8]{iat} - 3600), '<', 60,
    '401 with a Date: its clock is followed';
is $sync[10]{epoch}, 'A' x 22, 'the epoch as it was known';
is $sync[11]{epoch}, $epoch, 'another epoch is taken';
is $sync[11]{ack}, 0, 'and all is learnt again';
is_deeply $sync[12]{full}, { part => 1, parts => 1 }, 'and told again';

my $last = $site->syncs;
$t->wait_for(sub { $site->syncs >= $last + 3 }, 'more syncs');
cmp_ok $site->sync($last + 3)->{iat} - $site->sync($last)->{iat}, '<=', 5,
    'answered at once, asked again soon';

$t->done;
