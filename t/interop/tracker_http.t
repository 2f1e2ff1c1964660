# Real BitTorrent clients that know nothing but the tracker's URL, over HTTP:
# each gives a file to the next one, over IPv4 and IPv6.

use Offload::Test;
use FindBin;
use lib "$FindBin::Bin/lib";
use Exchange;

my $t = Offload::Test->new;
my $x = Exchange->new($t);
my @ring = qw(transmission qbittorrent aria2 rtorrent);

$x->run(map {
    my $family = $_;
    map { $x->pair([ @ring[ $_ - 1, $_ ] ], 'http', $family) } 0 .. $#ring;
} qw(v4 v6));

$t->done;
