# A coordinator with a site, a node and a crowd of others, an honest client that
# is measured, and strangers that throw things at it meanwhile.
#
#   Abuse::enter();       # the test runs itself again, in a network of its own
#   my $a = Abuse->new($t, args => [...], nodes => 20);
#   my $got = $a->attack('name', { kind => 'udp', count => 1000 }, …);
#
# In that network all of 45/8 and 46/8 is this machine, so strangers come from
# as many public addresses as they like.

package Abuse;

use strict;
use warnings;

use Digest::SHA qw(sha1_hex);
use IO::Socket::INET;
use Offload::Test;
use Offload::Test::Crowd;
use Origin;
use Stranger;
use Time::HiRes qw(sleep time);

use constant {
    HASHES  => 200,
    SLOWEST => 2,      # seconds, of an answer to who is honest
    LOG     => 4096,   # bytes a second, and as much for what happens once
};

sub enter {
    if (!$ENV{OFFLOAD_NAMESPACE}) {
        $ENV{OFFLOAD_NAMESPACE} = 1;
        exec 'unshare', '--net', $^X, map({ "-I$_" } 't/lib'), $0;
        die "unshare: $!";
    }
    for (qw(45 46)) {
        system("ip link set lo up && ip route add local $_.0.0.0/8 dev lo") == 0
            or die 'no loopback in the namespace';
    }
}

# args => of the coordinator, nodes => in the crowd, seconds => of an attack at
# least, nice => of the floods
sub new {
    my ($class, $t, %o) = @_;

    my $redis = $t->redis;
    my $c = $t->coordinator(redis => $redis,
        args => [ '--audit-rate', 0, @{ $o{args} // [] } ]);
    my $self = bless { t => $t, redis => $redis, c => $c,
        to => $c->url =~ s{.*/}{}r, seconds => $o{seconds} // 10,
        nice => $o{nice} // 0 }, $class;
    my $node = $t->node(coordinator => $c);
    $self->{node} = $node;
    my $origin = $self->{origin} = Origin->new($t, $c);
    $origin->join;
    $origin->file('f.bin', $t->bytes(300_000, 1));
    $self->{root} = $t->wait_for(sub { $origin->manifest('f.bin', 'manifest') },
        'the site to know it')->{content}{root};
    $t->wait_for(sub {
        my $r = $t->http(GET => $c->url . "/v1/content/$self->{root}/peers");
        $r->{content} =~ /"complete":true/;
    }, 'the node to have it', 60);
    $self->{crowd} = Offload::Test::Crowd->new(test => $t,
        coordinators => [$c], nodes => $o{nodes} // 20,
        args => [ '--wait', 1000, '--beat', 200 ]);
    $t->wait_for(sub { ($self->{crowd}->last->{registered} // 0)
        == ($o{nodes} // 20) }, 'the crowd');
    return $self;
}

# Infohashes that sites offer, but nobody has asked for yet.
sub _register {
    my ($self, $name) = @_;

    my @hashes = map { sha1_hex("$name $_") } 1 .. HASHES;
    my ($now, $site, $root) = (int time, 'a' x 64, 'b' x 64);
    my $until = $now + 3600;
    my $r = $self->{t}->run({ stdin => join '', map { my $h = $_;
        'FCALL ol_swarm_register 6 '
        . join(' ', map { "t:{$h}:$_" } qw(m o s4 l4 s6 l6))
        . " $site $root f.iso 1000000 $now $until 7200\n" } @hashes },
        'redis-cli', '-s', $self->{redis}->socket);
    die "register: $r->{out}" if $r->{out} =~ /ERR/;
    return @hashes;
}

sub stop {
    my ($self) = @_;
    $_->stop for @$self{qw(crowd node)}, $self->{origin}->nginx, $self->{c};
}

sub memory { $_[0]{c}->memory }

# Strangers' requests as a file of flood.pl.
sub _file {
    my ($self, $name, @texts) = @_;
    return $self->{t}->write($name, join '', map { length($_) . "\n$_" } @texts);
}

sub post {
    my ($path, $body, @headers) = @_;
    return "POST $path HTTP/1.1\r\nHost: x\r\n" . join('', map { "$_\r\n" }
        @headers) . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}

# Files of requests: forged, registrations, joins, spoofed, announces.
sub messages {
    my ($self) = @_;

    my $t = $self->{t};
    my $honest = Stranger->new(test => $t, coordinator => $self->{c},
        name => 'honest');
    my @strange = map { Stranger->new(test => $t, coordinator => $self->{c},
        name => "strange$_", url => $self->{node}->url) } 1 .. 3;
    $honest->register;
    $honest->heartbeat;
    my %load = (store => '', wait => 0, holdings => [],
        load => { rate => 0, connections => 0, free => 0 });
    my %about = (url => $honest->url, zone => '', cidrs => [], capacity => 1e10,
        rate => 0);

    # A port that takes connections on every address, and says nothing.
    my $port = $t->port;
    $self->{silent} = IO::Socket::INET->new(LocalAddr => '0.0.0.0',
        LocalPort => $port, Listen => 4096, ReuseAddr => 1) or die "listen: $!";
    my @urls = map({ "http://45.9.1.$_:$port" } 1 .. 40),
        map { "http://$_:$port" } qw(127.0.0.1 10.0.0.1 192.168.1.1
            169.254.169.254 [::1] [fe80::1] [::ffff:127.0.0.1] [::ffff:10.0.0.1]
            0.0.0.0 [::] 100.64.0.1);

    my $heartbeat = sub {
        my ($key, $kid, %claims) = @_;
        post('/v1/nodes/heartbeat', $t->sign($key, 'offload-heartbeat+jwt',
            { $honest->claims, %load, iss => $kid, %claims }, kid => $kid));
    };
    my $register = sub {
        my ($s, %claims) = @_;
        post('/v1/nodes', $t->sign($s->{key}, 'offload-register+jwt',
            { $s->claims, %about, key => $s->{key}{x}, %claims }));
    };
    my @forged = (
        map({ $heartbeat->($_->{key}, $honest->id) } @strange),
        map({ $heartbeat->($_->{key}, $self->{node}->id) } @strange),
        map({ $heartbeat->($_->{key}, $_->id) } @strange),
        $heartbeat->($honest->{key}, $honest->id, seq => 1),
        $heartbeat->($honest->{key}, $honest->id, exp => time - 900,
            iat => time - 960),
        $register->($honest, seq => 1),
        map { $register->($_, url => $self->{node}->url) } @strange);
    return (
        forged => $self->_file('forged', @forged),
        registrations => $self->_file('registrations', map {
            $register->($strange[ rand @strange ], url => $_) } @urls),
        joins => $self->_file('joins', map {
            post('/v1/sites', qq({"origin":"$_"})) } @urls),
        spoofed => $self->_file('spoofed', map {
            my $to = 'X-Forwarded-For: ' . $_;
            (post('/v1/nodes', 'no JWS', $to), "GET /announce?info_hash="
                . 'x' x 20 . "&port=@@&left=1 HTTP/1.1\r\nHost: x\r\n$to\r\n\r\n")
        } '8.8.8.8, 2a00:@@::1', '2a00:1:@@::1', '127.0.0.1', '::ffff:9.9.9.9',
            'nonsense', ',' x 200),
        announces => $self->_announces,
    );
}

# Of one infohash, from as many addresses, as it says; IPv4 where nobody believes
# it.
sub _announces {
    my ($self) = @_;

    my ($hash) = $self->_register('announces');
    $self->{announced} = $hash;
    $hash =~ s/(..)/%$1/g;
    return $self->_file('announces', "GET /announce?info_hash=$hash&port=7000"
        . "&left=1 HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 2a00:\@\@::1\r\n\r\n");
}

# How many peers there are of it: IPv4, IPv6.
sub peers {
    my ($self) = @_;
    return map { $self->{redis}->cli('ZCARD', "t:{$self->{announced}}:$_") }
        qw(l4 l6);
}

# Runs floods until all with a count have done it, and for `seconds` at least;
# asserts what holds under each: who is honest is served, in time, and the log
# does not fill.  A sub among the floods is run meanwhile.  Returns what came back
# to each flood.
sub attack {
    my ($self, $name, @what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $t = $self->{t};
    my $start = time;
    my $log = length $self->{c}->log;
    my $crowd = $self->{crowd}->last;
    my $node = length $self->{node}->log;
    my $honest = $t->spawn($^X, 't/coordinator/lib/honest.pl', $self->{to},
        $self->{root}, $self->_register($name));
    my @running = map { $self->_flood(%$_) } grep { ref eq 'HASH' } @what;
    $_->() for grep { ref eq 'CODE' } @what;
    $t->wait_for(sub {
        time > $start + $self->{seconds} && !grep { !-e $_->[1] } @running
    }, "$name: to be done", 300);
    $honest->stop;
    $_->[0]->stop for @running;
    my $took = time - $start;
    my @got = map { $t->json($t->read($_->[0]{out})) } @running;
    diag "$name: ", join '; ', map { my $g = $_;
        join ', ', map { "$_ $g->{$_}" } sort keys %$g } @got;
    $self->_judge($name, $t->json($t->read($honest->{out})));
    my $now = $self->{crowd}->last;
    diag sprintf '  nodes: %d heartbeats, slowest so far %d ms',
        $now->{beats} - $crowd->{beats}, $now->{slowest_ms};
    is join(' ', map { $now->{$_} - $crowd->{$_} }
        qw(slow refused broken busy)), '0 0 0 0', "$name: so are nodes";
    unlike substr($self->{node}->log, $node), qr/(?:warn|error): /,
        "$name: and a real one";
    my $lines = length($self->{c}->log) - $log;
    cmp_ok $lines, '<', LOG * (1 + $took),
        sprintf '%s: %d bytes of log in %.0f s', $name, $lines, $took;
    return @got;
}

# Others who come meanwhile get in: three nodes, and the site once more.
sub newcomers {
    my ($self) = @_;

    my $t = $self->{t};
    my $start = time;
    my $crowd = Offload::Test::Crowd->new(test => $t,
        coordinators => [ $self->{c} ], nodes => 3);
    my $url = $self->{origin}->url;
    $t->wait_for(sub {
        my $r = $t->http(POST => $self->{c}->url . '/v1/sites',
            body => qq({"origin":"$url"}));
        sleep $r->{headers}{'retry-after'} if $r->{status} == 503;
        $r->{status} == 200;
    }, 'the site to join', 60);
    my $site = time - $start;
    $t->wait_for(sub { ($crowd->last->{registered} // 0) == 3 },
        'three nodes to register', 60);
    diag sprintf '  a site joins after %.1f s, nodes register after %.1f s',
        $site, time - $start;
    $crowd->stop;
}

sub _flood {
    my ($self, %o) = @_;

    my $flag = $self->{t}->path('flood-' . $self->{t}->next('flood'));
    $self->{t}->write($flag, '')
        if delete $o{endless} || !$o{count} && $o{kind} ne 'open';
    # Strangers would have machines of their own.
    return [ $self->{t}->spawn('nice', '-n', $self->{nice}, $^X,
        't/coordinator/lib/flood.pl', "to=$self->{to}", "flag=$flag",
        map { "$_=$o{$_}" } sort keys %o), $flag ];
}

sub _judge {
    my ($self, $name, $report) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($slowest, $count, @failed) = (0, 0);
    for my $kind (sort keys %$report) {
        my $r = $report->{$kind};
        diag sprintf '  %-7s %5d answers, median %.1f ms, slowest %.0f ms',
            $kind, $r->{count}, 1000 * $r->{median}, 1000 * $r->{slowest};
        $slowest = $r->{slowest} if $r->{slowest} > $slowest;
        $count += $r->{count};
        push @failed, map { "$kind: $_" } @{ $r->{failed} };
    }
    splice @failed, 5, @failed - 5, '…' if @failed > 6;
    is join("\n", @failed), '', "$name: the honest are served";
    cmp_ok $count, '>=', 4 * $self->{seconds}, "$name: often";
    cmp_ok $slowest, '<', SLOWEST, "$name: in time";
}

1;
