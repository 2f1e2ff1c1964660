# Of four peers one serves wrong bytes, one hangs, one is killed half-way: the
# file comes whole from the good one, soon, and the report names the culprits.

use Offload::Test;
use Offload::Test::Site;
use Time::HiRes qw(time);

my $t = Offload::Test->new;
my $bytes = $t->bytes(24_000_000, 2);
my $site = Offload::Test::Site->new($t, bytes => $bytes);

my $wrong = $bytes;
for (my $at = 70_000; $at < length $wrong; $at += 250_000) {
    substr($wrong, $at, 1) ^= "\x01";
}
my $liar = $site->peer(bytes => $wrong);
my $silent = $t->serve(sub { sleep 120 });
my $victim = $site->peer(rate => '500k');
my $good = $site->peer(rate => '3m');
$site->publish(peers => [ $liar, $silent, $victim, $good ]);

my $out = $t->path('out.bin');
my $start = time;
my $get = $t->spawn($t->build . '/offload', 'get', '--json', '-o', $out,
    $site->url);
$t->wait_for(sub { $t->read('peer-2.log') =~ / 206 / }, 'first piece of it');
$t->wait_for(sub { (stat "$out.part")[12] * 512 > 2_000_000 }, 'some bytes');
$victim->kill;
is $get->wait(60), 0, 'the download succeeds' or diag $get->log;
cmp_ok time - $start, '<', 20, 'and does not wait long for anybody';
ok $t->read($out) eq $bytes, 'the file is intact';

my $report = $t->json($get->output);
my %source = map { $_->{url} => $_ } @{ $report->{sources} };
my %culprit = map { $_->{url} => $_ } @{ $report->{culprits} };
is_deeply [ sort keys %culprit ],
    [ sort map { $_->url } $liar, $silent, $victim ],
    'the culprits, and no one else, are named';
like $culprit{ $liar->url }{reason}, qr/wrong bytes in piece \d+/,
    'one for wrong bytes';
is $culprit{ $liar->url }{id}, $liar->{peer_id}, 'with its id';
like $culprit{ $silent->url }{reason}, qr/no bytes for 4000 ms/,
    'one for its silence';
ok length $culprit{ $victim->url }{reason}, 'one for breaking off';
is $source{ $liar->url }{bytes}, 0, 'nothing of the liar counts';
is $source{ $liar->url }{failed}, 1, 'it was not asked again';
is $source{ $liar->url }{error}, $culprit{ $liar->url }{reason},
    'the reason is with the source too';
my $peers = 0;
$peers += $_->{bytes} for grep { $_->{kind} eq 'peer' } values %source;
is $peers, length $bytes, 'all bytes are from peers';
is $source{ $site->origin->url }{bytes}, 0, 'the origin was not needed';

# A peer that serves other lengths than it was asked for, one that answers 200
# to a Range, one with an encoded answer.
my $short = $t->serve(sub {
    print { $_[0] } "HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/24000000\r\n"
        . "Content-Length: 10\r\n\r\n0123456789";
});
my $whole = $t->serve(sub {
    print { $_[0] } "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
});
my $coded = $t->serve(sub {
    print { $_[0] } "HTTP/1.1 206 P\r\nContent-Encoding: gzip\r\n"
        . "Content-Range: bytes 0-262143/24000000\r\n\r\n" . 'x' x 262144;
});
$site->publish(peers => [ $short, $whole, $coded ]);
my $r = $t->offload('get', '--json', '-o', $out, $site->url);
is $r->{status}, 0, 'peers that are all of no use do no harm' or diag $r->{err};
ok $t->read($out) eq $bytes, 'the file is intact';
$report = $t->json($r->{out});
%culprit = map { $_->{url} => $_->{reason} } @{ $report->{culprits} };
like $culprit{ $short->url }, qr/not the range/, 'a wrong Content-Range';
like $culprit{ $whole->url }, qr/not the range/, 'a 200 that is not the whole';
like $culprit{ $coded->url }, qr/encoded \(gzip\)/, 'a Content-Encoding';

$t->done;
