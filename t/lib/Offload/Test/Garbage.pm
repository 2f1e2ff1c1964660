# What strangers send: requests that are wrong in every way, in numbers.
#
# Owns: making them from a list of bodies and targets, sending them one
# connection each, counting what comes back; and measuring what it did to a
# process.  Deterministic: the same seed throws the same bytes.

package Offload::Test::Garbage;

use strict;
use warnings;

use IO::Socket::INET;
use MIME::Base64 qw(encode_base64url);
use Socket qw(SHUT_WR);

# Bodies that no signed message can be.
sub bodies {
    my $b64 = encode_base64url('{"alg":"EdDSA","typ":"x","kid":"y"}');
    my $none = encode_base64url('{"alg":"none"}');

    return (
        '', '.', '..', 'a.b.c', '{}', '[]', 'null', "\0" x 100, "\xff" x 100,
        join('', map { chr } 0 .. 255),
        '{"a":' x 5000, '[' x 20000,
        '{"origin":' . '[' x 1000 . ']' x 1000 . '}',
        '{"origin":"file:///etc/passwd"}', '{"origin":1e999}',
        '{"origin":"http://a","origin":"http://b"}',
        "$b64.e30.", "$b64.e30.AA", "$b64.e30.!!!!", "$none.e30.",
        "$b64=.e30=.AA=", "$b64.e31.AA", ('A' x 43) . '.' . ('B' x 2000) . '.C',
        "$b64." . encode_base64url('{"a":' x 200) . '.' . 'A' x 86,
        'x' x 70_000,
    );
}

# Whole requests: each body to each [method, target], heads that are wrong.
sub requests {
    my ($targets, @bodies) = @_;

    my @requests;
    for my $target (@$targets) {
        my ($method, $path) = @$target;
        push @requests, map { request($method, $path, $_) } @bodies;
    }
    push @requests,
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\x5a" x 500,
        "\0" x 2000, "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "G" x 20000, "GET /" . 'a' x 40000 . " HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nHost: x\r\n" . "A: b\r\n" x 5000 . "\r\n",
        "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n"
        . "\r\nabc",
        "POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        . "\r\nzz\r\n",
        "\r\n" x 5000;
    return @requests;
}

sub request {
    my ($method, $path, $body) = @_;

    return "$method $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        . "\r\n" if $method eq 'GET';
    return "$method $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        . "Content-Type: application/jwt\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
}

# Sends `count` of them in turn, every second one cut off.  Returns {status =>
# count}, where "closed" is an end without an answer; a client that sends two
# thirds and leaves does not wait for either.
sub throw {
    my ($host, $port, $count, @requests) = @_;

    local $SIG{PIPE} = 'IGNORE';
    my %got;
    for my $i (0 .. $count - 1) {
        my $request = $requests[ ($i >> 1) % @requests ];
        my $cut = $i & 1;
        my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port,
            Timeout => 10)
            or die "connect to $host:$port, request $i: $@\n";
        print $s $cut ? substr $request, 0, length($request) * 2 / 3 : $request;
        $s->flush;
        my $answer = '';
        if (!$cut) {
            shutdown $s, SHUT_WR;
            while (sysread $s, $answer, 65536, length $answer) { }
        }
        $got{ $cut ? 'cut off' : $answer =~ m{^HTTP/1\.[01] (\d\d\d)} ? $1
            : 'closed' }++;
    }
    return \%got;
}

# Resident memory of processes, in KiB.
sub memory {
    my $sum = 0;
    for my $pid (@_) {
        open my $f, '<', "/proc/$pid/status" or next;
        $sum += $1 for join('', <$f>) =~ /^VmRSS:\s+(\d+)/m;
    }
    return $sum;
}

# By how much it has grown since it was `before`, KiB; connections that were cut
# off have some seconds to go.
sub grown {
    my ($before, $most, @pids) = @_;

    my $grown;
    for (1 .. 100) {
        $grown = memory(@pids) - $before;
        last if $grown <= $most;
        select undef, undef, undef, 0.05;
    }
    return $grown;
}

# The most lines that one second of a log has; those for which `skip` is true
# do not count.
sub lines_a_second {
    my ($log, $skip) = @_;

    my %count;
    for (split /\n/, $log) {
        next if $skip && $skip->($_);
        $count{$1}++ if m{^(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d)};
    }
    my ($most) = sort { $b <=> $a } values %count;
    return $most // 0;
}

1;
