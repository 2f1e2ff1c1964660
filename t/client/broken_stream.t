# A plain file whose transfer breaks off while its reader is slow, or ends where
# it should not: what comes out is the file, or a failure; never a part of it
# that passes for the whole, never two versions.

use Offload::Test;

my $t = Offload::Test->new;
my $bytes = $t->bytes(7_000_000, 21);
my $other = $t->bytes(7_000_000, 22);
my $out = $t->path('out.bin');
my $program = $t->build . '/offload';
my $requests = $t->path('requests');

# Announces all and closes after 2 MB.  /short: the rest is announced in
# Content-Range only, as if less were all; /swap: nothing comes of the rest, then
# another version.
my $server = $t->serve(sub {
    my ($s, $request) = @_;
    my $path = $request->{target};
    my ($from) = ($request->{headers}{range} // '') =~ /^bytes=(\d+)-$/;
    my $last = length($bytes) - 1;

    open my $log, '>>', $requests or die;
    print $log "$path ", $from // '-', "\n";
    close $log;
    my $count = grep { index($_, "$path ") == 0 } split /\n/,
        $t->read($requests);
    if (!defined $from || ($path eq '/swap' && $count > 2)) {
        my ($whole, $etag) = $path eq '/swap' && $count > 2
            ? ($other, '"v2"') : ($bytes, '"v1"');
        print $s "HTTP/1.1 200 OK\r\nETag: $etag\r\nContent-Length: "
            . length($whole) . "\r\n\r\n" . substr $whole, 0, 1_000_000;
        $s->flush;
        select undef, undef, undef, 0.1;    # a pause in what it sends
        print $s substr $whole, 1_000_000, 1_000_000;
        return;
    }
    if ($from > $last) {
        print $s "HTTP/1.1 416 R\r\nContent-Range: bytes */", $last + 1,
            "\r\nContent-Length: 0\r\n\r\n";
        return;
    }
    my $length = $path eq '/short' ? 1_000_000 : $last + 1 - $from;
    print $s "HTTP/1.1 206 P\r\nETag: \"v1\"\r\nContent-Range: bytes "
        . "$from-$last/" . length($bytes)
        . "\r\nContent-Length: $length\r\n\r\n";
    print $s substr $bytes, $from, $length < 2_000_000 ? $length : 2_000_000
        unless $path eq '/swap';
});

sub slow_reader {
    my ($path, $count) = @_;

    my $pid = open my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>/dev/null', 'sh',
        $program, 'get', '-q', '-o', '-', $server->url . $path or die;
    read $pipe, my $got, 4096;
    $t->wait_for(sub { $count <= (() = $t->read($requests) =~ m{^$path }mg) },
        "request $count for $path");
    while (read $pipe, my $more, 1 << 20) { $got .= $more }
    close $pipe;
    return ($? >> 8, $got);
}

my ($status, $got) = slow_reader('/f', 2);
is $status, 0, 'broken off while the reader is slow, it is gone on with';
is length $got, length $bytes, 'without a gap';
ok $got eq $bytes, 'byte for byte';

($status, $got) = slow_reader('/swap', 3);
is $status, 18, 'if it cannot be gone on with, it fails';
ok $got eq substr($bytes, 0, length $got), 'with nothing of another version';

my $r = $t->offload('get', '-q', '-o', $out, $server->url . '/short');
is $r->{status}, 0, 'parts that are shorter than announced' or diag $r->{err};
ok $t->read($out) eq $bytes, 'are no end of the file';

# All was there already when an earlier run was killed.
$t->write('out.bin.part', $bytes);
$t->write('out.bin.part.etag', $server->url . qq(/all\n"v1"));
unlink $out;
$r = $t->offload('get', '-q', '-o', $out, $server->url . '/all');
is $r->{status}, 0, 'a FILE.part that lacks nothing' or diag $r->{err};
ok $t->read($out) eq $bytes, 'is no dead end';

$t->done;
