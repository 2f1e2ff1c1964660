# Announces without end: announce.pl COORDINATOR... -- INFOHASH... (hex).
#
# Some fifty a second, to each coordinator and of each infohash in turn.  After
# SIGTERM it prints what it has seen as one line of JSON.

use strict;
use warnings;

use HTTP::Tiny;
use Time::HiRes qw(sleep time);

my (@url, @hash);
push @url, shift while @ARGV && $ARGV[0] ne '--';
shift;
@hash = map { s/(..)/%$1/gr } @ARGV;

my $ended;
$SIG{TERM} = sub { $ended = 1 };

my $http = HTTP::Tiny->new(timeout => 10, keep_alive => 1);
my ($answers, $failed, $unreachable, $slowest) = (0, 0, 0, 0);
for (my $i = 0; !$ended; $i++) {
    my $url = $url[ $i % @url ];
    my $port = 1024 + $i % 5000;
    my $start = time;
    my $r = $http->get("$url/announce?info_hash=$hash[$i % @hash]"
        . "&peer_id=-OL0001-000000000000&port=$port&left=1&compact=1");
    my $took = time - $start;
    if ($r->{status} == 599 && $took < 2) {     # it is dead just now
        $unreachable++;
        sleep 0.2;
        next;
    }
    $slowest = $took if $took > $slowest;
    $answers++;
    $failed++ unless $r->{status} == 200 && $r->{content} =~ /^d.*5:peers/s;
    sleep 0.02;
}
printf qq({"answers":%d,"failed":%d,"unreachable":%d,"slowest":%.3f}\n),
    $answers, $failed, $unreachable, $slowest;
