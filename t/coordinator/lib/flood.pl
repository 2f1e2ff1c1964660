# What strangers throw at a coordinator: flood.pl name=value...
#
#   to=HOST:PORT  net=45.1  addresses=N   from that many addresses of that /16
#   kind=http     file=PATH connections=N: requests of the file in turn (each
#                 behind a line with its length, and @@ in it is a number), as
#                 fast as answers come; count=N: so many, then no more
#   kind=unknown  connections=N count=N: announces by HTTP, each of another hash
#   kind=udp      count=N: the same by UDP, 32 under way at each address
#   kind=garbage  rate=N: packets a second that mean nothing, or nearly so
#   kind=open     connections=N text=BYTES drip=1: connections that stay, are
#                 opened again when they are closed; a byte a second with drip
#
# It goes on until SIGTERM, then prints what came back as a line of JSON; "done"
# is written to `flag` when a count is reached or all connections are open.

use strict;
use warnings;

use Fcntl;
use IO::Socket::INET;
use JSON::PP ();
use POSIX qw(EINPROGRESS);
use Socket;
use Time::HiRes qw(sleep time);

my %o = (addresses => 1, net => '45.1', connections => 32, count => 0,
    rate => 1000, text => '', map { /^(\w+)=(.*)/s ? ($1, $2) : die $_ } @ARGV);
my ($host, $port) = $o{to} =~ /^(.*):(\d+)$/;
my $server = pack_sockaddr_in($port, inet_aton($host));
my %got;
my $ended;
$SIG{TERM} = sub { $ended = 1 };
$SIG{PIPE} = 'IGNORE';

sub address {
    my ($n) = @_;
    $n %= $o{addresses};
    return "$o{net}." . int($n / 250) . '.' . (1 + $n % 250);
}

sub done {
    $got{took} //= time - $^T;
    open my $f, '>', $o{flag} or die "$o{flag}: $!";
}

# A socket of the n-th address that is being connected.
sub opened {
    my ($n, $type) = @_;
    socket(my $s, PF_INET, $type, 0) or return;
    setsockopt $s, 0, 24, pack 'i', 1;    # IP_BIND_ADDRESS_NO_PORT
    bind $s, pack_sockaddr_in(0, inet_aton(address($n))) or die "bind: $!";
    fcntl $s, F_SETFL, O_NONBLOCK;
    connect $s, $server or $! == EINPROGRESS or return;
    return $s;
}

my @texts;
if ($o{file}) {
    open my $f, '<', $o{file} or die "$o{file}: $!";
    while (defined(my $len = <$f>)) {
        read $f, my $text, $len;
        push @texts, $text;
    }
}
my $sent = 0;

sub hash { pack 'N a16', $_[0] * 2654435761 % 2**32, "flood $$ $_[0]" }

sub request {
    return if $o{count} && $sent >= $o{count};
    my $n = $sent++;
    return $texts[ $n % @texts ] =~ s/\@\@/$n % 10_000/ger if @texts;
    my $hash = hash($n) =~ s/(.)/sprintf '%%%02x', ord $1/gers;
    return "GET /announce?info_hash=$hash&port=7000&left=1&compact=1"
        . " HTTP/1.1\r\nHost: x\r\n\r\n";
}

# One request under way on each connection.
sub http {
    my (@c, $idle);

    until ($ended) {
        my ($in, $out) = ('', '');
        my $waiting = 0;
        for my $i (0 .. $o{connections} - 1) {
            my $c = $c[$i] //= { };
            unless ($c->{asked}) {
                $c->{text} = request() // next;
                $c->{asked} = 1;
            }
            unless ($c->{s}) {
                $c->{s} = opened($i, SOCK_STREAM) or next;
                @$c{qw(sent got)} = (0, '');
            }
            $waiting++;
            vec($c->{sent} ? $in : $out, fileno $c->{s}, 1) = 1;
        }
        if (!$waiting) {
            done() unless $idle++;
            sleep 0.05;
            next;
        }
        next if select($in, $out, undef, 0.2) < 1;
        for my $c (grep { $_->{s} } @c) {
            my $fd = fileno $c->{s};
            if (vec $out, $fd, 1) {
                $c->{sent} = syswrite($c->{s}, $c->{text}) or gone($c);
            }
            elsif (vec $in, $fd, 1) {
                sysread($c->{s}, $c->{got}, 65536, length $c->{got})
                    ? answer($c) : gone($c);
            }
        }
    }
}

# It was closed before there was an answer.
sub gone {
    my ($c) = @_;
    $got{closed}++;
    %$c = ();
}

sub answer {
    my ($c) = @_;
    my ($head) = $c->{got} =~ /^(.*?\r\n\r\n)/s or return;
    my ($len) = $head =~ /^Content-Length: (\d+)/mi;
    return if length $c->{got} < length($head) + ($len // 0);
    $got{ substr $head, 9, 3 }++;
    $got{$1}++ if $c->{got} =~ /(not registered|is busy)/;
    $got{later}++ if $head =~ /^Retry-After/m;
    $c->{asked} = $c->{sent} = 0;
    $c->{got} = '';
    close delete $c->{s} if $head =~ /^Connection: close/mi;
}

sub announcement {
    my ($id, $n) = @_;
    return pack 'a8 N N a20 a20 Q> Q> Q> N N N l> n', $id, 1, $n, hash($n),
        'p' x 20, 0, 1, 0, 0, 0, 0, -1, 7000;
}

sub udp {
    my @s = map +{ s => opened($_, SOCK_DGRAM), busy => 0, id => '' },
        0 .. $o{addresses} - 1;
    my $connect = pack "N4", 0x417, 0x27101980, 0, 1;
    my ($bits, $idle) = ('');
    vec($bits, fileno $_->{s}, 1) = 1 for @s;
    until ($ended) {
        for my $s (@s) {
            send $s->{s}, $connect, 0 unless $s->{id};
            while ($s->{id} && $s->{busy} < 32 && $sent < $o{count}) {
                send $s->{s}, announcement($s->{id}, $sent++), 0;
                $s->{busy}++;
            }
        }
        my $n = select my $in = $bits, undef, undef, 0.5;
        if ($n < 1) {    # what was lost stays lost
            $got{lost} += $_->{busy} for @s;
            $_->{busy} = 0 for @s;
            done() if $sent == $o{count} && !$idle++;
            next;
        }
        for my $s (grep { vec $in, fileno $_->{s}, 1 } @s) {
            while (defined recv($s->{s}, my $p, 2048, MSG_DONTWAIT)) {
                my $action = unpack 'N', $p;
                $s->{id} = substr $p, 8 if $action == 0;
                next unless $action;
                $s->{busy}-- if $s->{busy};
                $got{ $action == 3 && $p =~ /(not registered|is busy)/ ? $1
                    : "action $action" }++;
            }
        }
    }
}

sub garbage {
    my @s = map { opened($_, SOCK_DGRAM) } 0 .. $o{addresses} - 1;
    my $start = time;
    srand 1;
    until ($ended) {
        for (; !$ended && $sent < (time - $start) * $o{rate}; $sent++) {
            my $kind = $sent % 4;
            my $text = $kind == 0 ? pack 'N*', map { rand 2**32 } 1 .. rand 300
                : $kind == 1 ? announcement(pack('NN', rand 2**32, $sent), $sent)
                : $kind == 2 ? pack "N4", 0x417, 0x27101980, $sent % 9, 7
                : substr announcement('x' x 8, $sent), 0, rand 98;
            my $s = $s[ rand @s ];
            send $s, $text, MSG_DONTWAIT;
            $got{answers}++ while defined recv $s, $text, 2048, MSG_DONTWAIT;
        }
        $got{sent} = $sent;
        sleep 0.002;
    }
}

# Which of these the server has closed.
sub closed {
    my (@c) = @_;
    my $in = '';
    vec($in, fileno $_->{s}, 1) = 1 for @c;
    return if select($in, undef, undef, 0) < 1;
    return grep { vec $in, fileno $_->{s}, 1 } @c;
}

sub keep {
    my @c = map +{ n => $_ }, 0 .. $o{connections} - 1;
    my $text = $o{text} =~ s/\\r\\n/\r\n/gr;
    my $all;
    until ($ended) {
        for my $c (closed(grep { $_->{s} } @c)) {
            close delete $c->{s};
            $got{closed}++;
        }
        my @new = grep { !$_->{s} } @c;
        splice @new, 500 if @new > 500;
        for my $c (@new) {
            $c->{s} = opened($c->{n}, SOCK_STREAM) // next;
            $got{opened}++;
            $c->{told} = 0;
        }
        for my $c (grep { $_->{s} && $text ne '' } @c) {
            if (!$c->{told}) {
                $c->{told} = 1 if syswrite $c->{s}, $text;
            }
            elsif ($o{drip} && !@new) {
                syswrite $c->{s}, 'a';
            }
        }
        done() if !@new && !$all++;
        sleep(@new ? 0.02 : 1);
    }
}

my %kinds = (http => \&http, unknown => \&http, udp => \&udp,
    garbage => \&garbage, open => \&keep);
$kinds{ $o{kind} }->();
print JSON::PP->new->canonical->encode(\%got), "\n";
