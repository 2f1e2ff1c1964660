# An origin that sends a renewed manifest byte by byte does not hold up a
# download that has all its pieces.

use Offload::Test;
use Offload::Test::Site;
use Time::HiRes qw(sleep time);

my $t = Offload::Test->new;
my $bytes = $t->bytes(2_500_000, 31);
my $site = Offload::Test::Site->new($t, bytes => $bytes);
my $out = $t->path('out.bin');
my $asked = $t->write('asked', '');

# The file takes it 6 s; after 5 s without peers it is asked for others.
my $origin = $t->serve(sub {
    my ($s, $request) = @_;

    return whole($s, $t->read('site/.well-known/offload/key'))
        if $request->{target} =~ m{/key$};
    return part($s, $request->{headers}{range} =~ /(\d+)-(\d+)/)
        if $request->{headers}{range};
    return whole($s, $t->read('manifest')) if !-s $asked && count();
    count();
    print $s "HTTP/1.1 200 OK\r\nContent-Type: application/offload+jwt\r\n"
        . "Content-Length: 6000\r\n\r\n";
    while (print $s 'a') { $s->flush; sleep 1 }
});
$t->write('manifest', $t->sign($site->key, 'offload+jwt',
    $site->claims(iss => $origin->url)));

my $start = time;
my $r = $t->offload('get', '-q', '-o', $out, $origin->url . '/f.bin');
is $r->{status}, 0, 'the download succeeds' or diag $r->{err};
ok $t->read($out) eq $bytes, 'the file is intact';
cmp_ok -s $asked, '>', 1, 'another manifest was asked for meanwhile';
cmp_ok time - $start, '<', 40, 'and not waited for very long';

$t->done;

sub count { open my $f, '>>', $asked or die; print $f "x\n" }

sub whole {
    my ($s, $text) = @_;

    print $s "HTTP/1.1 200 OK\r\nContent-Type: application/offload+jwt\r\n"
        . 'Content-Length: ' . length($text) . "\r\n\r\n$text";
}

sub part {
    my ($s, $from, $to) = @_;
    my $size = length $bytes;

    print $s "HTTP/1.1 206 P\r\nContent-Range: bytes $from-$to/$size\r\n"
        . 'Content-Length: ' . ($to + 1 - $from) . "\r\n\r\n";
    for (; $from <= $to; $from += 50_000) {
        my $rest = $to + 1 - $from;

        print $s substr $bytes, $from, $rest < 50_000 ? $rest : 50_000;
        $s->flush;
        sleep 0.12;
    }
}
