# Manifests that are wrong in one way each: `get` refuses all of them, says
# why, and writes nothing; `inspect` says the same.

use MIME::Base64 qw(encode_base64url decode_base64url);
use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $site = Offload::Test::Site->new($t, bytes => $t->bytes(600_000, 4));
my @peers = ($site->peer);
my $out = $t->path('out.bin');
my %state = (env => { XDG_STATE_HOME => $t->path('state') });

sub get { $t->offload({%state}, 'get', '-q', '-o', $out, $site->url) }

sub refused {
    my ($reason, $name) = @_;

    my $r = get();
    is $r->{status}, 91, "$name: refused";
    like $r->{err}, $reason, "$name: the reason";
    ok !-e $out, "$name: nothing is written";
    $r = $t->offload('inspect', $site->url);
    is $r->{status}, 91, "$name: inspect refuses it too";
    like $r->{out}, $reason, "$name: with the reason";
}

my $token = $site->publish(peers => \@peers);
is get()->{status}, 0, 'the untouched manifest is taken';
unlink $out;

# One flipped bit anywhere: every 37th bit of the token.
my ($accepted, $checked) = (0, 0);
for (my $bit = 0; $bit < 8 * length $token; $bit += 37) {
    my $bad = $token;
    substr($bad, $bit >> 3, 1) ^= chr(1 << ($bit & 7));
    $site->serve($bad);
    my $r = get();
    $checked++;
    next if $r->{status} == 91 && $r->{err} =~ /manifest refused: \w/;
    diag "bit $bit: status $r->{status} $r->{err}";
    $accepted++;
}
cmp_ok $checked, '>', 200, 'many bits were flipped';
is $accepted, 0, 'with any of them it is refused, with a reason';
ok !-e $out, 'and nothing was written';

my $other = $t->key('other');
$site->publish(peers => \@peers, key => $other);
refused(qr/none of the site's keys/, 'another key');

$site->publish(peers => \@peers, key => $other,
    header => { kid => $site->key->{id} });
refused(qr/signature/, 'another key under the name of the right one');

$site->publish(peers => \@peers, typ => 'offload-site+jwt');
refused(qr/typ/, 'another typ');

$site->publish(peers => \@peers, header => { alg => 'none' });
refused(qr/alg/, 'alg none');
my ($head, $body) = split /\./, $token;
$site->serve(encode_base64url('{"alg":"none","kid":"' . $site->key->{id}
    . '","typ":"offload+jwt"}') . ".$body.");
refused(qr/form/, 'alg none without a signature');

my $now = time;
$site->publish(peers => \@peers, iat => $now - 300, exp => $now - 120);
refused(qr/expired \d+ s ago/, 'an expired one');
$site->publish(peers => \@peers, iat => $now + 600, exp => $now + 700);
refused(qr/future/, 'one from the future');

$site->publish(peers => \@peers, iss => 'https://example.org');
refused(qr/iss/, 'another site');
$site->publish(peers => \@peers, sub => '/g.bin');
refused(qr{"/g.bin", not "/f.bin"}, 'another path');
$site->publish(peers => \@peers, content => { size => 1 });
refused(qr/fields/, 'fields that do not fit together');

# An older version after a newer one.
$site->content($t->bytes(600_001, 5));
$site->publish(peers => [], iat => $now - 40);
my $r = get();
is $r->{status}, 91, 'an older manifest of another version is refused';
like $r->{err}, qr/older/, 'with the reason';
$site->publish(peers => []);
is get()->{status}, 0, 'a newer one is taken';

# The key set, too, decides.
$site->keys($other);
$r = get();
is $r->{status}, 91, 'a key that the site has withdrawn';
like $r->{err}, qr/none of the site's keys/, 'and the reason';
unlink $t->path('site/.well-known/offload/key');
$r = get();
is $r->{status}, 22, 'a site without keys';
like $r->{err}, qr{keys: .*/key: HTTP status 404}, 'and the reason';

$t->done;
