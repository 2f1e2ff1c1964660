# The manifest that a running origin gives, with the key set that it publishes,
# verifies with a JOSE library that is not ours (Debian's python3-jwcrypto).

use Offload::Test;
use Offload::Test::System;

my $t = Offload::Test->new;
$t->write('html/f.bin', $t->bytes(2_000_000, 7));
my $s = Offload::Test::System->new($t, nodes => 1);
my $root = $s->offloaded('/f.bin');

my $r = $t->http(GET => $s->url('/f.bin'),
    headers => { Accept => 'application/offload+jwt' });
is $r->{headers}{'content-type'}, 'application/offload+jwt', 'a manifest';
my $manifest = $r->{content};
my $set = $t->http(GET => $s->url('/.well-known/offload/key'));
is $set->{headers}{'content-type'}, 'application/jwk-set+json', 'a key set';
my $jwk = JSON::PP->new->canonical->encode(
    $t->json($set->{content})->{keys}[0]);

sub verify {
    return $t->run('/usr/bin/python3', 't/interop/jose.py', 'verify', $jwk,
        $_[0]);
}

my $v = verify($manifest);
is $v->{status}, 0, 'jwcrypto verifies the manifest' or diag $v->{err};
my $got = $t->json($v->{out});
is $got->{header}{kid}, $s->{key}{id}, 'kid is the thumbprint of the key';
is $got->{payload}{content}{root}, $root, 'the root is the one nodes hold';
is $got->{payload}{sub}, '/f.bin', 'sub is the path';

my $site = $t->http(GET => $s->url('/.well-known/offload/site'));
is verify($site->{content})->{status}, 0, 'and the site document';

# One character changed, in each of the three parts.
my @parts = split /\./, $manifest;
for my $part (0 .. 2) {
    my @flipped = @parts;
    substr($flipped[$part], 10, 1) =~ tr/A-Za-z0-9_-/B-ZAb-za1-90\-_/;
    isnt verify(join '.', @flipped)->{status}, 0,
        "a manifest changed in part $part is refused";
}

$t->done;
