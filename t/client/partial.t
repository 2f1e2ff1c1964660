# Peers that hold a part of the file and cannot get the rest: they say so with
# 503 and Offload-Have, and are asked for what they have.

use MIME::Base64 qw(encode_base64url);
use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $bytes = $t->bytes(16 * 262_144, 16);
my $site = Offload::Test::Site->new($t, bytes => $bytes);
my $out = $t->path('out.bin');

# Serves a Range of pieces that are all in the bitmap, else 503.
sub holder {
    my ($bits) = @_;

    return $t->serve(sub {
        my ($s, $request) = @_;
        my ($from, $to) = $request->{headers}{range} =~ /(\d+)-(\d+)/;
        my $length = $to - $from + 1;

        if (grep { !substr $bits, $_, 1 }
            int($from / 262_144) .. int($to / 262_144)) {
            print $s "HTTP/1.1 503 S\r\nRetry-After: 1\r\nOffload-Have: "
                . encode_base64url(pack 'B*', $bits)
                . "\r\nContent-Length: 0\r\n\r\n";
            return;
        }
        print $s "HTTP/1.1 206 P\r\nContent-Range: bytes $from-$to/"
            . length($bytes) . "\r\nContent-Length: $length\r\n\r\n"
            . substr $bytes, $from, $length;
    });
}

sub get {
    $site->publish(peers => [@_]);
    my $r = $t->offload('get', '--json', '-o', $out, $site->url);
    is $r->{status}, 0, 'the file comes' or diag $r->{err};
    ok $t->read($out) eq $bytes, 'intact';
    return map { $_->{url} => $_ } @{ $t->json($r->{out})->{sources} };
}

# Between them they have all but the last two pieces.
my $left = holder('1111111100000000');
my $right = holder('0000000011111100');
my %source = get($left, $right);
is $source{ $left->url }{pieces}, 8, 'one gives its half';
is $source{ $right->url }{pieces}, 6, 'the other what it has of the other';
is $source{ $site->origin->url }{pieces}, 2, 'the origin what nobody has';

# One that has nothing at all, however often it is asked, and one that has.
my $empty = holder('0' x 16);
my $full = holder('1' x 16);
%source = get($empty, $full);
is $source{ $full->url }{pieces}, 16, 'one with all gives all';
cmp_ok $source{ $empty->url }{failed}, '<=', 3, 'one with nothing is let be';

# Bitmaps that are no bitmaps.
my $liar = $t->serve(sub {
    print { $_[0] } "HTTP/1.1 503 S\r\nOffload-Have: !" . 'A' x 9000
        . "\r\nContent-Length: 0\r\n\r\n";
});
%source = get($liar);
is $source{ $site->origin->url }{pieces}, 16, 'nonsense does no harm';

$t->done;
