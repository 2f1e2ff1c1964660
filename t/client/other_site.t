# A site that claims another one's name in its own documents, with a clock of
# its own, has no say in what is remembered of that other site.

use Offload::Test;
use Offload::Test::Site;
use POSIX qw(strftime);

my $t = Offload::Test->new;
my $site = Offload::Test::Site->new($t, bytes => $t->bytes(600_000, 41));
$site->publish(peers => []);
my $out = $t->path('out.bin');
my %state = (env => { XDG_STATE_HOME => $t->path('state') });

my $other = $t->key('other');
my $later = time + 10 * 365 * 86_400;
my $evil = $t->serve(sub {
    my ($s, $request) = @_;
    my $text = $t->read('evil' . $request->{target});

    print $s "HTTP/1.1 200 OK\r\nContent-Type: application/offload+jwt\r\n"
        . strftime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime $later)
        . 'Content-Length: ' . length($text) . "\r\n\r\n$text";
});
my %lifetime = (iat => $later, exp => $later + 60);
my $claims = $site->claims(peers => [], %lifetime);
$claims->{content}{root} = '0' x 64;
$claims->{path} =~ s{/c/\w+}{'/c/' . '0' x 64}e;
delete $claims->{content}{table};
$t->write('evil/f.bin', $t->sign($other, 'offload+jwt', $claims));
$t->write('evil/.well-known/offload/key',
    qq({"keys":[{"kty":"OKP","crv":"Ed25519","x":"$other->{x}"}]}));
$t->write('evil/.well-known/offload/site', $t->sign($other, 'offload-site+jwt',
    { iss => $evil->url, names => [ $evil->url, $site->origin->url ],
        coordinators => [], sync => [], %lifetime }));
$t->write('evil/.well-known/offload/pieces/' . '0' x 64, 'no table');

my $r = $t->offload({%state}, 'get', '-q', '-o', $out, $evil->url . '/f.bin');
is $r->{status}, 91, 'a site that poses as another one';
like $r->{err}, qr/piece table/, 'gets as far as its pieces';
$r = $t->offload({%state}, 'get', '-q', '-o', $out, $site->url);
is $r->{status}, 0, 'which the other one does not notice' or diag $r->{err};

$t->done;
