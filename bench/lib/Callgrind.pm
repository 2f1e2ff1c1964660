# Instructions for a request, as callgrind counts them: the process's own, none
# of the kernel's.
#
# Owns: nginx under valgrind, as one process, and what it had counted before and
# after so many requests on one connection; the median of a few times, since
# now and then something is signed.

package Callgrind;

use strict;
use warnings;

use IO::Socket::INET;
use Offload::Test;

use constant { WARM => 1000, COUNT => 500, ROUNDS => 3 };

# What the code starts runs under callgrind.
sub wrap {
    my ($t, $code) = @_;

    my $script = $t->write('callgrind-nginx', sprintf <<'SH',
#!/bin/sh
exec valgrind -q --tool=callgrind --callgrind-out-file=%s/callgrind.%%p \
    %s "$@" -g 'master_process off;'
SH
        $t->dir, Offload::Test::Nginx::binary());
    chmod 0755, $script;
    local $Offload::Test::Nginx::BINARY = $script;
    return $code->();
}

# nginx, which of its ports, paths; headers => {...}
sub run {
    my ($t, $nginx, $port, $paths, %o) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $nginx->port($port)) or die "connect: $!\n";
    my $head = join '', "Host: 127.0.0.1:", $nginx->port($port), "\r\n",
        map { "$_: $o{headers}{$_}\r\n" } sort keys %{ $o{headers} };
    my $n = 0;
    my $ask = sub {
        for (1 .. $_[0]) {
            my $path = $paths->[ $n++ % @$paths ];
            print $s "GET $path HTTP/1.1\r\n$head\r\n";
            local $/ = "\r\n\r\n";
            my ($length) = <$s> =~ /^Content-Length: (\d+)/m;
            read $s, my ($body), $length;
        }
    };
    $ask->(WARM);
    my @counts = _count($t, $nginx);
    for (1 .. ROUNDS) {
        $ask->(COUNT);
        push @counts, _count($t, $nginx);
    }
    my @each = sort { $a <=> $b } map { $counts[$_] - $counts[ $_ - 1 ] }
        1 .. ROUNDS;
    return $each[ ROUNDS / 2 ] / COUNT;
}

# Instructions of the thread that answers, so far.
sub _count {
    my ($t, $nginx) = @_;

    my $pid = $nginx->pid;
    my $r = $t->run('callgrind_control', '-e', $pid);
    my ($count) = $r->{out} =~ /^\s*Th\s*1\s+([\d,]+)/m
        or die "callgrind_control: $r->{out}$r->{err}\n";
    return $count =~ tr/,//dr;
}

1;
