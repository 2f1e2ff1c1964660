# Sites that hang, lie or flood do not delay others, are asked ever less often,
# and do not fill the log.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;
use Site;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my $node = $t->node(coordinator => $c);

my $stranger = $t->key('stranger');
my %bad = (
    hangs  => sub { sleep 300 },
    empty  => sub { (200, '') },
    text   => sub { (200, 'no JWS at all') },
    huge   => sub { (200, 'x' x 10_000_000) },
    refuses => sub { (500, '') },
    other_seq => sub { (200, { seq => 1 }) },
    other_aud => sub { (200, { aud => 'someone' }) },
    expired => sub { (200, { iat => time - 900, exp => time - 600 }) },
    no_epoch => sub { (200, { epoch => 'short' }) },
    content => sub { (200, { contents => [ { root => 'xyz' } ] }) },
    forged => sub {
        my ($claims) = @_;
        my $now = time;
        return (200, $t->sign($stranger, 'offload-sync-answer+jwt', {
            iss => $claims->{aud}, aud => $c->id, iat => $now,
            exp => $now + 60, seq => $claims->{seq}, epoch => 'A' x 22,
            clock => 0 }));
    },
);
my %site;
my $host = 60;
for my $name (sort keys %bad) {
    $site{$name} = Site->new(test => $t, coordinator => $c, name => $name,
        host => '127.0.0.' . $host++, sync => $bad{$name});
    $site{$name}->join;
}
$t->wait_for(sub { !grep { $_->syncs < 2 } grep { $_ != $site{hangs} }
    values %site }, 'each to be asked twice');

my $origin = Origin->new($t, $c);
$origin->join;
$origin->file('f.bin', $t->bytes(1_000_000, 1));
my $start = time;
$origin->manifest('f.bin');
$origin->wait_peers('f.bin', [$node]);
cmp_ok time - $start, '<=', 8, 'a good site is served meanwhile';

my %before = map { $_ => $site{$_}->syncs } keys %site;
$start = time;
$t->wait_for(sub { time >= $start + 6 }, 'some time');
for my $name (sort keys %site) {
    cmp_ok $site{$name}->syncs - $before{$name}, '<=', 8,
        "$name: it is not asked too often";
}
my %lines;
$lines{$_}++ for $c->log =~ /^(\S+Z) warn/mg;
my ($most) = sort { $b <=> $a } values %lines;
cmp_ok $most, '<=', 3, 'at most a line a second for each kind of trouble';

$t->done;
