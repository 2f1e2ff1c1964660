# What peers send is quoted in reports and on terminals only as printable text,
# and no URL keeps the report from being JSON.

use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $bytes = $t->bytes(600_000, 23);
my $site = Offload::Test::Site->new($t, bytes => $bytes);
my $out = $t->path('out.bin');

my $coded = $t->serve(sub {
    print { $_[0] } "HTTP/1.1 206 P\r\nContent-Encoding: \e]0;x\a\xff\r\n"
        . "Content-Range: bytes 0-262143/600000\r\n\r\n" . 'x' x 262144;
});
my $brief = $t->serve(sub {
    my ($s, $request) = @_;
    my ($range) = $request->{headers}{range} =~ /=(.*)/;
    print $s "HTTP/1.1 206 P\r\nTransfer-Encoding: chunked\r\n"
        . "Content-Range: bytes $range/600000\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
});
$site->publish(peers => [ $coded, $brief ]);
my $r = $t->offload('get', '--json', '-o', $out, $site->url);
is $r->{status}, 0, 'peers of no use do no harm' or diag $r->{err};
unlike $r->{err}, qr/[^\x20-\x7e\n]/, 'and send nothing to the terminal';
my %culprit = map { $_->{url} => $_->{reason} }
    @{ $t->json($r->{out})->{culprits} };
is $culprit{ $coded->url }, 'the answer is encoded (?]0;x??)',
    'one with control characters is named';
is $culprit{ $brief->url }, 'ended too early', 'one that is too brief is, too';

for my $url ($site->origin->url . "/\xff", $site->origin->url . '/' . "\xc3\xa9" x 2500) {
    $r = $t->offload('get', '--json', '-o', $out, $url);
    my $report = $t->json($r->{out});
    is $report->{exit}, $r->{status}, 'a report for any URL';
    like $report->{url}, qr/^http:/, 'which it has';
}

# Nothing at all in a manifest's place.
$site->serve('');
for my $command ([ 'get', '-o', $out ], ['inspect']) {
    $r = $t->offload(@$command, $site->url);
    is $r->{status}, 91, "$command->[0]: an empty manifest is refused";
    like $r->{err}, qr/empty manifest/, 'with the reason';
}

$t->done;
