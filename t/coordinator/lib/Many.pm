# Many sites, each on an address of its own, among others that are dead, slow or
# answer garbage; all have joined before the coordinator starts.  A zone has room
# for 64 pairs of site and coordinator, so there are several nginx.

package Many;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use Offload::Test;

use constant SITES => 50;    # of one nginx

my $SERVER = <<'CONF';
    server {
        listen       %%HOST%%:%%PORT%%;
        root         %%DIR%%/html/%%NAME%%;
        offload      on;
        offload_site http://%%HOST%%:%%PORT%%;
        location /.well-known/offload/ { offload_endpoint; }
    }
CONF
my $GARBAGE = <<'CONF';
    server {
        listen       %%HOST%%:%%PORT%%;
        access_log   %%DIR%%/garbage.log garbage;
        location / { return 200 "{garbage"; }
    }
CONF

sub addresses {
    my ($net, $count) = @_;
    return map { "127.$net." . int($_ / 250) . '.' . (1 + $_ % 250) }
        0 .. $count - 1;
}

# sites, bad (of each kind)
sub new {
    my ($class, $t, %o) = @_;

    my $redis = $t->redis;
    my $c = $t->coordinator(redis => $redis, args => [ '--audit-rate', 0 ]);
    my $x = $c->x;
    my $url = $c->url;
    $c->stop;
    my $key = $t->key('site')->{file};
    my $self = bless { t => $t, c => $c, redis => $redis, sites => [] }, $class;
    my @hosts = addresses(1, $o{sites});
    for my $host (@hosts) {
        $t->write("html/$host/f.bin", $host x 200);
        utime time - 60, time - 60, $t->path("html/$host/f.bin");
    }
    my $port;
    while (my @some = splice @hosts, 0, SITES) {
        my $servers = CORE::join '', map {
            $SERVER =~ s/%%HOST%%/$_/gr =~ s/%%NAME%%/$_/r } @some;
        $servers .= $GARBAGE =~ s/%%HOST%%/$_/gr
            for $port ? () : addresses(2, $o{bad});
        my $nginx = $t->nginx(<<"CONF", KEY => $key);
%%MODULES%%
worker_rlimit_nofile 4096;
events { worker_connections 4096; }
http {
    log_format garbage \$server_addr;
    access_log off;
    offload_zone        8m;
    offload_min_length  1k;
    offload_key         %%KEY%%;
    offload_coordinator $url $x;
    server { listen 127.0.0.1:%%PORT%%; }
$servers
}
CONF
        $port //= $nginx->port;
        push @{ $self->{sites} }, map { "http://$_:" . $nginx->port } @some;
    }
    $self->{slow} = [ map { IO::Socket::INET->new(Listen => 64, LocalAddr => $_,
        LocalPort => $port) or die "$_: $!" } addresses(3, $o{bad}) ];
    $self->join(@{ $self->{sites} },
        @{ $self->{bad} = [ map { "http://$_:$port" }
            map { addresses($_, $o{bad}) } 2, 3, 4 ] });
    $c->start;
    return $self;
}

# As POST /v1/sites leaves them: a coordinator lets one source join ten a second.
sub join {
    my ($self, @urls) = @_;

    my $now = time;
    while (my @some = splice @urls, 0, 200) {
        $self->{redis}->cli('EVAL', q{
            for i = 1, #ARGV, 2 do
                redis.call('HSET', 'site:{' .. ARGV[i] .. '}', 'iss',
                    ARGV[i + 1], 'seq', 0, 'seen', KEYS[1], 'joined', KEYS[1])
                redis.call('ZADD', 'sites', KEYS[1], ARGV[i])
            end
            return #ARGV
        }, 1, $now, map { sha256_hex($_), $_ } @some);
    }
}

# How many of these have been synced with, of the good ones without.
sub synced {
    my ($self, @urls) = @_;

    my @ids = map { sha256_hex($_) } @urls ? @urls : @{ $self->{sites} };
    my $count = 0;
    while (my @some = splice @ids, 0, 200) {
        $count += $self->{redis}->cli('EVAL', q{
            local n = 0
            for _, id in ipairs(ARGV) do
                n = n + redis.call('HEXISTS', 'site:{' .. id .. '}', 'synced')
            end
            return n
        }, 0, @some);
    }
    return $count;
}

# How many of those that answer garbage have been asked.
sub garbage {
    my ($self) = @_;

    my %asked = map { $_ => 1 } split /\n/,
        $self->{t}->read('garbage.log') // '';
    return scalar keys %asked;
}

# Seconds until the store knows what a visitor of the site may have.
sub news {
    my ($self, $number) = @_;

    my ($t, $site) = ($self->{t}, $self->{sites}[$number]);
    my $root = $t->wait_for(sub {
        my $r = $t->http(GET => "$site/f.bin",
            headers => { 'Offload-Fetch' => 'manifest' });
        return $r->{headers}{'content-type'} eq 'application/offload+jwt'
            && $t->claims($r->{content})->{content}{root};
    }, "a manifest of $site");
    my $start = Time::HiRes::time();
    $t->wait_for(sub { $self->{redis}->cli('EXISTS', "c:{$root}:meta") },
        "the content of $site");
    return Time::HiRes::time() - $start;
}

# Seconds of CPU that the coordinator has taken.
sub cpu {
    my ($self) = @_;

    my $ticks = 0;
    my $pid = $self->{c}->pid;
    for my $p ($pid, split ' ', $self->{t}->read("/proc/$pid/task/$pid/children")) {
        my @stat = split ' ', $self->{t}->read("/proc/$p/stat") =~ s/.*\) //r;
        $ticks += $stat[11] + $stat[12];
    }
    return $ticks / 100;
}

1;
