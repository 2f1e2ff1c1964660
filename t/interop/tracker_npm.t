# The client of npm's bittorrent-tracker agrees with the tracker on announces
# and scrapes, over HTTP and UDP, IPv4 and IPv6.  Over UDP it knows IPv4 only.

use Offload::Test;
use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin/lib";
use Exchange;

my $npm = abs_path(Offload::Test::build() . '/..') . '/npm';
die "npm's bittorrent-tracker is not in build/npm: run make npm\n"
    unless -e "$npm/ready";

my $t = Offload::Test->new;
my $x = Exchange->new($t);
my (@ask, @expect, @why);

# What the client is to ask, and to be told.
sub plan_one {
    my ($content, $ask, $expect, $why) = @_;

    my $protocol = $content->{tracker} =~ s/:.*//r;
    push @ask, "$content->{tracker} $content->{infohash} $ask\n";
    push @expect, $expect;
    push @why, "$protocol, $content->{family}: $why";
}

for ([qw(http v4 127.0.0.1)], [qw(udp v4 127.0.0.1)], [qw(http v6 [::1])]) {
    my ($protocol, $family, $host) = @$_;
    my $c = $x->content($protocol, $family);
    my ($none, $one) = $protocol eq 'udp' ? qw(- -) : (0, 1);

    plan_one($c, '7001 start 0', "1 0 $none", 'a seed, alone');
    plan_one($c, '7002 start 400000', "1 1 $none $host:7001",
        'a leech is told of it');
    plan_one($c, '7003 start 400000', "1 2 $none $host:7001 $host:7002",
        'the next one of both');
    plan_one($c, '7001 update 0', "1 2 $none $host:7002 $host:7003",
        'the seed of these');
    plan_one($c, '7002 complete 0', "2 1 $one $host:7003",
        'who has it all is a seed');
    plan_one($c, '7004 scrape', '2 1 1', 'a scrape says so');
    plan_one($c, '7001 stop 0', "1 1 $one", 'who goes is told of nobody');
    plan_one($c, '7004 scrape', '1 1 1', 'and is gone');
}

my %unknown = (family => 'v4', infohash => '12' x 20);
for my $protocol (qw(http udp)) {
    my $url = $x->{v4}->url =~ s/^http/$protocol/r . '/announce';
    my $c = { %unknown, tracker => $url };
    plan_one($c, '7001 start 0', qr/^error: (?!tracker request timed)\S+/,
        'what no site offers is refused, with a reason');
    plan_one($c, '7001 scrape', '0 0 0', 'and nobody has it');
}

my $r = $t->run({ stdin => join('', @ask), timeout => 60 }, 'node',
    "$npm/agree.mjs");
is $r->{status}, 0, 'the client asks' or diag $r->{err};
my @got = split /\n/, $r->{out};
for my $i (0 .. $#ask) {
    ref $expect[$i] ? like $got[$i], $expect[$i], $why[$i]
        : is $got[$i], $expect[$i], $why[$i];
}

$t->done;
