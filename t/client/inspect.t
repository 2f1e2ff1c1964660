# `offload inspect`: a manifest's fields, the checks, whether peers answer; in
# words and as JSON.

use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $site = Offload::Test::Site->new($t, bytes => $t->bytes(700_000, 13));
my $peer = $site->peer;
my $dead = $site->peer;
$dead->stop;
$site->publish(peers => [ $peer, $dead ]);

my $r = $t->offload('inspect', $site->url);
is $r->{status}, 0, 'a manifest that verifies: status 0' or diag $r->{err};
my ($root, $kid) = ($site->root, $site->key->{id});
for my $line (qr/^  typ +offload\+jwt$/m, qr/^  kid +$kid$/m,
    qr{^  sub +/f\.bin$}m, qr/^  root +$root$/m, qr/^  size +700000$/m,
    qr/^  pieces +3 of 262144 bytes, table inside$/m,
    (map { qr/^  $_ +ok$/m }
        qw(form keys signature time fields iss sub table)),
    qr/^verified$/m) {
    like $r->{out}, $line, "it shows $line";
}
my ($url, $dead_url) = ($peer->url, $dead->url);
like $r->{out}, qr/$peer->{peer_id}  \Q$url\E .*answers/,
    'a peer that is there';
like $r->{out}, qr/\Q$dead_url\E .*connect/i, 'one that is not';

$r = $t->offload('inspect', '--json', $site->url);
my $json = $t->json($r->{out});
ok $json->{verified}, 'as JSON';
is $json->{payload}{content}{root}, $root, 'with the payload';
is $json->{kid}, $kid, 'the kid';
is_deeply [ grep { $_->{result} ne 'ok' } @{ $json->{checks} } ], [],
    'every check is ok';
is_deeply [ map { $_->{ok} ? 1 : 0 } @{ $json->{peers} } ], [ 1, 0 ],
    'and what the peers say';

$site->publish(peers => [$peer], key => $t->key('other'));
$r = $t->offload('inspect', $site->url);
is $r->{status}, 91, 'a forged one: status 91';
like $r->{out}, qr/^  signature +FAIL: /m, 'the check that failed';
like $r->{out}, qr/^  table +not checked$/m, 'those that were not made';
like $r->{out}, qr/^NOT verified$/m, 'and the sum of it';
like $r->{out}, qr/^  root +$root$/m, 'its fields are shown all the same';
unlike $r->{out}, qr/answers/, 'but its peers are not asked';

$r = $t->offload('inspect', '--json', $site->url);
is $r->{status}, 91, 'the same as JSON';
my %check = map { $_->{check} => $_ } @{ $t->json($r->{out})->{checks} };
is $check{signature}{result}, 'failed', 'which names the check';
ok length $check{signature}{reason}, 'and the reason';

$site->serve(undef);
$r = $t->offload('inspect', $site->url);
is $r->{status}, 91, 'no manifest';
like $r->{err}, qr/no manifest/, 'is told';

$t->done;
