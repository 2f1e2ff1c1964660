# A manifest by Offload verifies with a JOSE library that is not ours, and the
# other way round: Debian's python3-jwcrypto.

use Offload::Test;

my $t = Offload::Test->new;
my $ours = Offload::Test::build() . '/t/manifest';    # "sign" and "open"
my $now = 1_790_000_000;
BAIL_OUT("$ours is missing: run make unit-tests") unless -x $ours;

sub jwcrypto { $t->run('/usr/bin/python3', 't/interop/jose.py', @_) }

sub says {
    my ($r, $what) = @_;
    is $r->{status}, 0, $what or diag $r->{err};
    chomp $r->{out};
    return $r->{out};
}

sub flip {    # another character in the middle of a part
    my ($token, $part) = @_;
    my @parts = split /\./, $token;
    my $at = int(length($parts[$part]) / 2);
    substr($parts[$part], $at, 1) =~ tr/A-Za-z0-9_-/B-ZAb-za1-90\-_/;
    return join '.', @parts;
}

# Ours, read by jwcrypto.

my $key = $t->key('site');
my $other = $t->key('other');
my %jwk = map {
    $_->{id} => JSON::PP::encode_json(
        { kty => 'OKP', crv => 'Ed25519', x => $_->{x} })
} $key, $other;

my $token = says $t->run($ours, 'sign', $key->{file}, $now), 'we sign';
my $got = $t->json(says jwcrypto('verify', $jwk{ $key->{id} }, $token),
    'jwcrypto verifies it');
is_deeply $got->{header},
    { alg => 'EdDSA', typ => 'offload+jwt', kid => $key->{id} },
    'the header has three members';
is $got->{payload}{iss}, 'https://example.org', 'iss';
is $got->{payload}{sub}, "/iso/b\x{fc}cher 1.iso", 'sub';
is $got->{payload}{exp}, $now + 60, 'exp';
is $got->{payload}{content}{size}, 600000, 'size';
is scalar @{ $got->{payload}{peers} }, 2, 'peers';
is says(jwcrypto('thumbprint', $key->{file}), 'jwcrypto hashes the key'),
    $key->{id}, 'kid is the thumbprint';

my $r = jwcrypto('verify', $jwk{ $other->{id} }, $token);
isnt $r->{status}, 0, 'jwcrypto refuses another key';
for my $part (1, 2) {
    $r = jwcrypto('verify', $jwk{ $key->{id} }, flip($token, $part));
    isnt $r->{status}, 0, "jwcrypto refuses a flipped part $part";
}

# jwcrypto's, read by us: its key, its key set, its spelling of JSON.

my $pem = $t->write('theirs.pem', says jwcrypto('generate'), 'jwcrypto key');
chmod 0600, $pem;
my $set = says jwcrypto('jwks', $pem), 'jwcrypto writes a key set';
my $id = says jwcrypto('thumbprint', $pem), 'and a thumbprint';
says $t->run($ours, 'sign', $pem, $now), 'we sign with its PEM';

sub theirs {
    my ($typ, $text) = @_;
    return says $t->run({ stdin => $text }, '/usr/bin/python3',
        't/interop/jose.py', 'sign', $pem, $typ), "jwcrypto signs $typ";
}

my $pretty = JSON::PP->new->utf8->pretty->canonical;
my $text = $pretty->encode($got->{payload});
$token = theirs('offload+jwt', $text);
my $read = says $t->run($ours, 'open', $set, $token, $now), 'we read it';
is_deeply $t->json($read), $got->{payload}, 'what we read is what it signed';

sub refuses {
    my ($what, $why, @args) = @_;
    my $r = $t->run($ours, 'open', @args);
    is $r->{status}, 1, "we refuse $what";
    like $r->{out}, $why, 'and say why';
}

refuses('it for another key set', qr/kid \Q$id\E is none of the 1 keys/,
    "{\"keys\":[$jwk{ $key->{id} }]}", $token, $now);
refuses('it when expired', qr/expired 1940 s ago/, $set, $token, $now + 2000);
refuses('a flipped payload', qr/JWS/, $set, flip($token, 1), $now);
refuses('a flipped signature', qr/signature is not that of/, $set,
    flip($token, 2), $now);
refuses('another typ', qr/typ is "JWT"/, $set, theirs('JWT', $text), $now);
refuses('a real number', qr/not an integer/, $set,
    theirs('offload+jwt', $text =~ s/"size" : (\d+)/"size" : $1.0/r), $now);
refuses('a member twice', qr/duplicate/, $set,
    theirs('offload+jwt', $text =~ s/\{/{"iss": "x",/r), $now);

$t->done;
