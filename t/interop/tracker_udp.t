# Real BitTorrent clients that know nothing but the tracker's URL, over UDP.
# aria2 and Transmission ask no UDP tracker at an IPv6 address; rtorrent takes
# the peers from there for IPv4's, so it is the one that the other connects to.

use Offload::Test;
use FindBin;
use lib "$FindBin::Bin/lib";
use Exchange;

my $t = Offload::Test->new;
my $x = Exchange->new($t);
my @ring = qw(transmission qbittorrent aria2 rtorrent);

$x->run(
    (map { $x->pair([ @ring[ $_ - 1, $_ ] ], 'udp', 'v4') } 0 .. $#ring),
    $x->pair([qw(qbittorrent qbittorrent)], 'udp', 'v6'),
    $x->pair([qw(rtorrent qbittorrent)], 'udp', 'v6', first => 'seed'),
    $x->pair([qw(qbittorrent rtorrent)], 'udp', 'v6', first => 'leech'),
);

$t->done;
