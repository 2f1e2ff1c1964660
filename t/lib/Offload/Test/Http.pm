# HTTP as a test needs it: one request a connection, nothing hidden.
#
# Owns: sending a request as it is given and reading the answer, chunked ones
# included.  No redirects, no retries, no proxies.  An answer that did not come
# or is cut short has status 0 and says why in "error".

package Offload::Test::Http;

use strict;
use warnings;

use IO::Select;
use IO::Socket::IP;
use Time::HiRes qw(time);

sub request {
    my ($method, $url, %o) = @_;

    my ($host, $port, $target) = $url =~
        m{^http://(\[[^]]*\]|[^:/?]+)(?::(\d+))?(.*)$}s
        or die "$url is not an http: URL\n";
    my %headers = ('Host' => $port ? "$host:$port" : $host,
        'Connection' => 'close', %{ $o{headers} // {} });
    $headers{'Content-Length'} //= length $o{body} if defined $o{body};
    $target = "/$target" unless $target =~ m{^/};

    my $text = "$method $target HTTP/1.1\r\n";
    for my $name (sort keys %headers) {
        $text .= "$name: $_\r\n"
            for ref $headers{$name} ? @{ $headers{$name} }
            : $headers{$name} // ();
    }
    my ($got, $error) = exchange($host, $port // 80,
        "$text\r\n" . ($o{body} // ''), $o{timeout} // 30);
    return { status => 0, headers => {}, content => '', error => $error }
        if defined $error;
    return parse($got, $method);
}

# Sends the bytes and returns all that comes back until the other side closes
# or the time is up; and an error if it could not.
sub exchange {
    my ($host, $port, $bytes, $timeout) = @_;

    my $s = IO::Socket::IP->new(PeerHost => $host =~ s/^\[(.*)\]$/$1/r,
        PeerPort => $port, Timeout => $timeout)
        or return ('', "connect to $host:$port: $@");
    binmode $s;
    $s->blocking(0);
    local $SIG{PIPE} = 'IGNORE';

    my ($got, $end) = ('', time + $timeout);
    my $read = IO::Select->new($s);
    my $write = IO::Select->new($s);
    my $sent = 0;
    while (1) {
        my $left = $end - time;
        return ($got, "no end of the answer after $timeout s") if $left <= 0;
        my ($r, $w) = IO::Select->select($read,
            $sent < length $bytes ? $write : undef, undef, $left);
        if ($w && @$w) {
            my $n = syswrite $s, $bytes, 65536, $sent;
            # A server may refuse before it has read everything.
            $sent = defined $n ? $sent + $n : $!{EAGAIN} ? $sent
                : length $bytes;
        }
        next unless $r && @$r;
        my $n = sysread $s, $got, 1 << 20, length $got;
        next if !defined $n && ($!{EAGAIN} || $!{EINTR});
        last unless $n;
    }
    return ($got);
}

sub parse {
    my ($got, $method) = @_;

    my %answer = (status => 0, headers => {}, content => '');
    my ($head, $body) = $got =~ /^(.*?\r\n)\r\n(.*)$/s
        or return { %answer, error => 'no whole head in the answer' };
    $head =~ s{^HTTP/1\.[01] (\d\d\d)[^\r]*\r\n}{}
        or return { %answer, error => 'the answer is not HTTP' };
    my $status = $1;
    return parse($body, $method) if $status =~ /^1/;

    $answer{head} = $head;
    for (split /\r\n/, $head) {
        my ($name, $value) = /^([^:]+):\s*(.*?)\s*$/
            or return { %answer, error => "bad header line: $_" };
        my $h = \$answer{headers}{ lc $name };
        $$h = defined $$h ? "$$h, $value" : $value;
    }

    my $length = $answer{headers}{'content-length'};
    if ($method eq 'HEAD' || $status =~ /^(?:204|304)$/) {
        return { %answer, status => $status };
    }
    if (($answer{headers}{'transfer-encoding'} // '') =~ /chunked/i) {
        $body = _unchunk($body)
            // return { %answer, error => 'a chunk is missing' };
    }
    elsif (defined $length && $length != length $body) {
        return { %answer, content => $body,
            error => 'got ' . length($body) . " bytes of $length" };
    }
    return { %answer, status => $status, content => $body };
}

sub _unchunk {
    my ($body) = @_;

    my $whole = '';
    while ($body =~ /\G([0-9A-Fa-f]+)[^\r\n]*\r\n/gc) {
        my $size = hex $1;
        return $whole if $size == 0;
        return undef if pos($body) + $size > length $body;
        $whole .= substr $body, pos($body), $size;
        pos($body) += $size + 2;
    }
    return undef;
}

1;
