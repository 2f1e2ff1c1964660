# What is shown meanwhile: a bar on a terminal, plain lines elsewhere, nothing
# with --quiet.

use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $bytes = $t->bytes(9_000_000, 17);
my $site = Offload::Test::Site->new($t, bytes => $bytes);
$site->publish(peers => [ map { $site->peer(rate => '1500k') } 1 .. 2 ]);
my $out = $t->path('out.bin');
my $program = $t->build . '/offload';

# script(1) gives it a terminal.
my $r = $t->run('script', '-qec', "stty cols 110; $program get -o $out "
    . $site->url, '/dev/null');
is $r->{status}, 0, 'on a terminal';
my @bars = $r->{out} =~ /\r *(\d+) % \[#* *\] [^\r]*ETA/g;
cmp_ok scalar @bars, '>', 3, 'a bar is drawn several times';
is "@bars", join(' ', sort { $a <=> $b } @bars), 'and only grows';
cmp_ok $bars[-1], '<=', 100, 'up to 100 %';
like $r->{out}, qr{\d+\.\d MB/s  ETA 0:0\d  peers \d\S* MB \(2\)  origin 0 B},
    'with rate, time left, bytes by source and peers';
my @long = grep { length > 110 } split /[\r\n]+/, $r->{out} =~ s/\e\[K//gr;
is "@long", '', 'within the width of the terminal';
like $r->{out}, qr/\r\e\[K.*9000000 bytes in/s, 'then it makes way';

$r = $t->run('script', '-qec', "stty cols 12; $program get -o $out "
    . $site->url, '/dev/null');
@bars = grep { /%/ } split /[\r\n]+/, $r->{out} =~ s/\e\[K//gr;
cmp_ok scalar @bars, '>', 3, 'a narrow terminal';
is join('', grep { length > 12 } @bars), '', 'is not wide enough, but enough';

$r = $t->offload('get', '-o', $out, $site->url);
unlike $r->{err}, qr/[\r\e]/, 'no control characters without a terminal';
like $r->{err}, qr/^9000000 bytes in \d+\.\d s: 9000000 from peers/m,
    'but the sum';
is $r->{out}, '', 'nothing on standard output';

$r = $t->offload('get', '-q', '-o', $out, $site->url);
is $r->{err} . $r->{out}, '', 'nothing at all with -q';

# A long one says where it is every five seconds.
$site->publish(peers => [ $site->peer(rate => '1m') ]);
$r = $t->offload('get', '-o', $out, $site->url);
like $r->{err}, qr{^ *\d+ % .* MB/s  ETA .*$}m, 'lines elsewhere';

$t->done;
