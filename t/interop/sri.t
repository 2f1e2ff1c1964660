# A signature over a script verifies with Ed25519 and RFC 9421 that are not
# ours: Debian's python3-cryptography, and a base put together in Python.

use Offload::Test;

use Digest::SHA qw(sha256);
use MIME::Base64 qw(encode_base64 decode_base64url);

my $t = Offload::Test->new;
my $ours = Offload::Test::build() . '/t/sri';    # signs
BAIL_OUT("$ours is missing: run make unit-tests") unless -x $ours;

my ($key, $other) = map { $t->key($_) } qw(site other);
my ($id, $stranger) = map { encode_base64(decode_base64url($_->{x}), '') } $key, $other;
my ($path, $text) = ('/js/app%20%C3%A4.js', "alert('hello')\n");

my $r = $t->run($ours, $key->{file}, $path, $text, 1_790_000_000, 1_790_086_400);
is $r->{status}, 0, 'signed' or diag $r->{err};
my @values = split /\n/, $r->{out};
is $values[0], 'sha-256=:' . encode_base64(sha256($text), '') . ':', 'Unencoded-Digest';

sub verify { $t->run('/usr/bin/python3', 't/interop/sri.py', @_) }

$r = verify($id, $path, @values);
is $r->{status}, 0, 'it verifies' or diag $r->{err};
is $r->{out}, "1790000000 1790086400\n", 'created and expires';

sub refused {
    my ($what, @args) = @_;
    isnt verify(@args)->{status}, 0, "not $what";
}
refused('for another path', $id, '/js/other.js', @values);
refused('for the path as decoded', $id, "/js/app \x{c3}\x{a4}.js", @values);
refused('for another digest', $id, $path, 'sha-256=:' . encode_base64(sha256('x'), '') . ':',
    @values[ 1, 2 ]);
refused('with another life', $id, $path, $values[0], $values[1] =~ s/1790086400/1790086401/r,
    $values[2]);
refused('by another key', $stranger, $path, $values[0], $values[1] =~ s/\Q$id\E/$stranger/r,
    $values[2]);

$t->done;
