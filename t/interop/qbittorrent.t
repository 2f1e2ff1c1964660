# qBittorrent (libtorrent), with nothing but the web seeds of a .torrent: no
# DHT, no peers.  It bans a seed that lies, and goes round one that is dead.

use Offload::Test;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mirrors;

my $t = Offload::Test->new;
my $m = Mirrors->new($t);

# Has the file fetched; whether it came whole, and right.
sub get {
    my ($url) = @_;

    my $dir = $t->path('out-' . $t->next('out'));
    $t->write("$dir/f.torrent", $t->http(GET => $url)->{content});
    $t->write("$dir/profile/qBittorrent/config/qBittorrent.conf", <<'INI');
[LegalNotice]
Accepted=true
[BitTorrent]
Session\DHTEnabled=false
Session\LSDEnabled=false
Session\PeXEnabled=false
Session\AddExtensionToIncompleteFiles=true
[Preferences]
Connection\UPnP=false
WebUI\Address=127.0.0.1
INI
    my $p = $t->spawn('qbittorrent-nox', "--profile=$dir/profile",
        '--webui-port=' . $t->port, '--torrenting-port=' . $t->port,
        "--save-path=$dir", "$dir/f.torrent");
    $t->wait_for(sub { -e "$dir/f.bin" }, "qBittorrent: $url", 60);
    $p->kill;
    return $t->read("$dir/f.bin") eq $m->bytes;
}

ok get($m->place('torrent')), 'good nodes: the file';
cmp_ok $m->sent->{origin}, '<', length $m->bytes, 'nodes sent of it';

$m->first('dead');
ok get($m->place('torrent')), 'a dead node first: the file';

# Web seeds are asked in an order of its own, so the file may be there before
# the liar is asked; then it is fetched once more, and has to be right each time.
$m->first('wrong');
my ($right, $wrong, $tries) = (1, 0, 0);
for ($tries = 1; $tries <= 10 && !$wrong; $tries++) {
    $right &&= get($m->place('torrent'));
    $wrong = $m->sent->{wrong};
}
ok $right, 'a lying node first: the file';
cmp_ok $wrong, '>', 0, 'though it had sent some' or diag "$tries tries";

ok get($m->alone('torrent')), 'no node: the file';
# It may ask for a block twice.
cmp_ok $m->sent->{origin}, '>=', length $m->bytes, 'from the site';

$t->done;
