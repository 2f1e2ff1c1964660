# The origin as the last resort: asked only when no peer is left, with
# Offload-Fetch and If-Match; and not needed at all while peers are up.

use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $bytes = $t->bytes(6_000_000, 3);
my $site = Offload::Test::Site->new($t, bytes => $bytes);
my $peer = $site->peer(rate => '2m');
my $out = $t->path('out.bin');

# The only peer is gone.
my $gone = $site->peer;
$site->publish(peers => [$gone]);
$gone->stop;
my $r = $t->offload('get', '--json', '-o', $out, $site->url);
is $r->{status}, 0, 'without peers the file comes' or diag $r->{err};
ok $t->read($out) eq $bytes, 'intact';
my $report = $t->json($r->{out});
my %source = map { $_->{kind} => $_ } @{ $report->{sources} };
is $source{origin}{bytes}, length $bytes, 'all from the origin';
like $source{peer}{error}, qr/refused|connect/i, 'the dead peer is named';
ok $report->{verified}, 'and verified as well';
my @ranges = grep { /"bytes=/ } split /\n/, $site->seen;
my @plain = grep { !/"direct" "\\x22[^"]+\\x22" 206$/ } @ranges;
cmp_ok scalar @ranges, '>', 0, 'by Range';
is "@plain", '', 'each with Offload-Fetch: direct and If-Match';

# Peers in the manifest: none.
$site->publish(peers => []);
$r = $t->offload('get', '--json', '-o', $out, $site->url);
is $r->{status}, 0, 'a manifest without peers does' or diag $r->{err};

# The origin goes while a peer is up: what has its manifest goes on.
$site->publish(peers => [$peer]);
my $get = $t->spawn($t->build . '/offload', 'get', '--json', '-o', $out,
    $site->url);
$t->wait_for(sub { $t->read('peer-1.log') =~ / 206 / }, 'the first piece');
$site->origin->stop;
is $get->wait(60), 0, 'with the origin gone it finishes' or diag $get->log;
ok $t->read($out) eq $bytes, 'intact';
is $t->json($get->output)->{sources}[1]{bytes}, length $bytes,
    'from the peer alone';

# Peer and origin gone: an error, not a hang, and FILE.part stays.
unlink $out;
$site->origin->start;
$get = $t->spawn($t->build . '/offload', 'get', '--json', '-o', $out,
    $site->url);
$t->wait_for(sub { (stat "$out.part")[12] }, 'some bytes');
$site->origin->stop;
$peer->stop;
is $get->wait(60), 18, 'with all gone it ends with 18';
ok -e "$out.part" && !-e $out, 'and leaves FILE.part, not FILE';
my $end = $t->json($get->output);
like $end->{error}, qr/every source has failed/, 'it says so';
is $end->{exit}, 18, 'in the report too';

$t->done;
