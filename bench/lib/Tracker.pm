# Trackers to compare: this one with its Redis, opentracker, and the server of
# npm's bittorrent-tracker, each on a port of 127.0.0.1, HTTP and UDP alike.
#
# Owns: how each is started and told which swarms it may serve, and what CPU
# time its processes took.

package Tracker;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use IO::Socket::INET;
use Offload::Test;
use Offload::Test::Process;
use POSIX ();

use constant NPM =>
    "$FindBin::Bin/../build/npm/node_modules/bittorrent-tracker/bin/cmd.js";

# test, hashes => [in hex]
sub opentracker {
    my ($class, $t, $hashes) = @_;

    # It leaves root, and may then not leave its folder.
    $t->write('opentracker/whitelist.txt', join '', map { "$_\n" } @$hashes);
    my $port = $t->port;
    my $process = $t->add(sub {
        Offload::Test::Process->new(
            name  => 'opentracker',
            log   => $t->dir . '/opentracker.log',
            cmd   => [ 'opentracker', '-i', '127.0.0.1', '-p', $port, '-P',
                $port, '-d', $t->dir . '/opentracker', '-w',
                'whitelist.txt' ],
            ready => sub { _answers($port) },
        );
    });
    return bless { name => 'opentracker', port => $port, test => $t,
        processes => [$process] }, $class;
}

# test, hashes => [in hex], args => [...] of the coordinator
sub offload {
    my ($class, $t, $hashes, @args) = @_;

    # What lasts has to last: Redis is used with its append-only file.
    # Redis writes its append-only file, but does not begin it anew: that goes
    # on beside it once in many minutes, which are not measured.
    my $redis = $t->redis(args => [ '--slowlog-log-slower-than', 1000,
        '--auto-aof-rewrite-percentage', 0,
        '--slowlog-max-len', 128 ]);
    my $port = $t->port;
    my $coordinator = $t->coordinator(redis => $redis, port => $port,
        args => \@args);
    my $self = bless { name => 'offload', port => $port, test => $t,
        redis => $redis, processes => [ $coordinator, $redis ] }, $class;
    $self->_register($hashes);
    return $self;
}

# As a coordinator does with what a site tells it.
sub _register {
    my ($self, $hashes) = @_;

    my $now = time;
    my $site = sha256_hex('https://example.org');
    my $commands = join '', map {
        sprintf "FCALL ol_swarm_register 2 t:{%s}:m t:{%s}:o %s %s %s %d %d "
            . "%d %d\r\n", $_, $_, $site, sha256_hex($_), 'name.iso', 1 << 30,
            $now, $now + 7200, 7200
    } @$hashes;
    my $r = $self->{test}->run({ stdin => $commands }, 'redis-cli', '-s',
        $self->{redis}->socket, '--pipe');
    die "redis-cli --pipe: $r->{out}$r->{err}\n"
        unless $r->{out} =~ /errors: 0/;
}

sub npm {
    my ($class, $t) = @_;

    my $port = $t->port;
    my $process = $t->add(sub {
        Offload::Test::Process->new(
            name  => 'bittorrent-tracker',
            log   => $t->dir . '/npm.log',
            cmd   => [ 'node', NPM, '--http', '--udp', '--http-hostname',
                '127.0.0.1', '--udp-hostname', '127.0.0.1', '--port', $port,
                '--silent' ],
            ready => sub { _answers($port) },
        );
    });
    return bless { name => 'npm', port => $port, test => $t,
        processes => [$process] }, $class;
}

sub _answers {
    my ($port) = @_;
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
}

sub stop { $_->stop for @{ $_[0]{processes} } }

sub name  { $_[0]{name} }
sub redis { $_[0]{redis} }

# So many peers for each of the swarms.  Swarms that it has not met yet may be
# refused, when there are too many at a time.
sub fill {
    my ($self, $first, $swarms, $each, @args) = @_;

    my @which = ('--first', $first, '--hashes', $swarms, @args);
    my $got;
    do { $got = $self->_announce('udp', @which, '--count', $swarms) }
        while $got->{failed};
    return $self->run('udp', @which, '--count', $swarms * $each);
}

# Announces to it: what bench/announce printed, and the CPU seconds of each of
# its processes.
sub run {
    my $got = _announce(@_);

    die "$_[0]{name}: refused $got->{failed} announces\n" if $got->{failed};
    return $got;
}

sub _announce {
    my ($self, $protocol, @args) = @_;

    my @before = $self->_cpu;
    my $r = $self->{test}->run({ timeout => 600 },
        Offload::Test::build() . '/announce', $protocol, $self->{port}, @args);
    my @cpu = $self->_cpu;
    die "$self->{name}: $r->{err}" if $r->{status};
    my %got = $r->{out} =~ /(\w+)=([\d.]+)/g;
    $got{cpu} = [ map { $cpu[$_] - $before[$_] } 0 .. $#cpu ];
    return \%got;
}

# Of each, with those that it has started.
sub _cpu {
    my ($self) = @_;

    return map {
        my $sum = 0;
        $sum += _seconds($_)
            for Offload::Test::Process::group_members($_->pid);
        $sum;
    } @{ $self->{processes} };
}

sub _seconds {
    my ($pid) = @_;

    open my $f, '<', "/proc/$pid/stat" or die "stat: $!\n";
    my @stat = split / /, <$f> =~ s/^.*\) //r;
    return ($stat[11] + $stat[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

# KiB in memory, of its worker.
sub rss {
    my ($self) = @_;

    my ($worker) = sort { $b <=> $a }
        Offload::Test::Process::group_members($self->{processes}[0]->pid);
    my $status = $self->{test}->read("/proc/$worker/status");
    return $status =~ /^VmRSS:\s+(\d+)/m ? $1 : 0;
}

1;
