# Several good peers: the file comes whole, from them alone, and the report
# accounts for every byte.

use Digest::SHA qw(sha256_hex);
use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $bytes = $t->bytes(20_000_000, 1);
my $site = Offload::Test::Site->new($t, bytes => $bytes);
# Not so fast that one could give everything before the next has answered.
my @peers = map { $site->peer(rate => '8m') } 1 .. 3;
$site->publish(peers => \@peers);

my $out = $t->path('out.bin');
my $r = $t->offload('get', '--json', '-o', $out, $site->url);
is $r->{status}, 0, 'get succeeds' or diag $r->{err};
ok $t->read($out) eq $bytes, 'the file is the origin\'s';
ok !-e "$out.part", 'and FILE.part is gone';

my $report = $t->json($r->{out});
is $report->{url}, $site->url, 'the report names the URL';
is $report->{root}, $site->root, 'and the root';
is $report->{sha256}, sha256_hex($bytes), 'and the checksum';
is $report->{size}, length $bytes, 'and the size';
ok $report->{verified}, 'it says that the file was verified';
is $report->{exit}, 0, 'and the exit status';
is $report->{restarts}, 0, 'nothing was started over';
is_deeply $report->{culprits}, [], 'nobody is blamed';

my %bytes;
$bytes{ $_->{kind} } += $_->{bytes} for @{ $report->{sources} };
is $bytes{peer}, length $bytes, 'all bytes come from peers';
is $bytes{origin}, 0, 'none from the origin';
my $pieces = 0;
for my $peer (@peers) {
    my ($source) = grep { $_->{url} eq $peer->url } @{ $report->{sources} };
    is $source->{id}, $peer->{peer_id}, 'a peer has its id';
    cmp_ok $source->{pieces}, '>', 0, 'and gave some of the pieces';
    $pieces += $source->{pieces};
}
is $pieces, 77, 'each piece counts once';
unlike $site->seen, qr{"bytes=}, 'the origin was asked for no bytes';

# The name comes from the URL if there is no -o.
mkdir $t->path('here');
$r = $t->run({ dir => $t->path('here') }, $t->build . '/offload', 'get',
    $site->url . '?a=b');
is $r->{status}, 0, 'get without -o';
ok $t->read('here/f.bin') eq $bytes, 'takes the name from the URL';
like $r->{err}, qr/20000000 from peers, 0 from the origin/, 'it sums up';
like $r->{err}, qr/verified/, 'and says that it was verified';

$t->done;
