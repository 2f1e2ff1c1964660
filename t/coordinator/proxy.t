# Behind nginx, which has the TLS: the client is the last address of
# X-Forwarded-For that is no trusted proxy, and limits are the client's. From
# anyone else the header is worth nothing.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use IO::Socket::INET;

my $t = Offload::Test->new;
my $c = $t->coordinator(redis => $t->redis,
    args => [ '--trusted-proxy', '127.0.6.0/24' ]);
my ($host, $port) = $c->url =~ m{//(.*):(\d+)$};
my $nginx = $t->nginx(<<'CONF', UP => $c->url);
events {}
http {
    server {
        listen 127.0.0.1:%%PORT%%;
        location / {
            proxy_pass %%UP%%;
            proxy_bind 127.0.6.1;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }
    }
}
CONF

# Sends a request from an address and returns the status of the answer, or
# "closed"; the connection stays open with `keep`.
my @kept;
sub ask {
    my ($from, $to, $headers, $body, $keep) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => $to, LocalAddr => $from,
        Timeout => 5) or return 'closed';
    my $len = $keep ? 262_144 : length $body;
    local $SIG{PIPE} = 'IGNORE';
    print $s "POST /v1/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: $len\r\n"
        . ($keep ? '' : "Connection: close\r\n") . "$headers\r\n$body";
    $s->flush;
    push @kept, $s if $keep;
    return '' if $keep;
    my ($head) = <$s> // '';
    return $head =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'closed';
}

# What the log calls the client of the next refusal; it has one line a second.
sub client {
    my ($from, $to, $headers) = @_;
    my $log = length $c->log;
    my $seen;
    $t->wait_for(sub {
        ask($from, $to, $headers, 'no JWS');
        ($seen) = substr($c->log, $log) =~ m{/v1/nodes from (\S+): 400};
    }, 'a line of the log');
    return $seen;
}

my $direct = "$host:$port";
my ($front) = $nginx->url =~ m{//(.*)};
is client('127.0.7.7', $front, ''), '127.0.7.7', 'through nginx: the client';
is client('127.0.7.8', $front, "X-Forwarded-For: 192.0.2.1\r\n"), '127.0.7.8',
    'what the client says of itself does not count';
is client('127.0.7.9', $direct, "X-Forwarded-For: 192.0.2.1\r\n"),
    '127.0.7.9', 'nor directly';
is client('127.0.6.9', $direct, "X-Forwarded-For: ::ffff:192.0.2.7\r\n"),
    '192.0.2.7', 'a proxy is believed; addresses are canonical';

# One client fills its share of bodies; others behind the same proxy go on.
# Of those that grow side by side some are ended, and leave room again.
$t->wait_for(sub {
    ask('127.0.6.9', $direct, "X-Forwarded-For: 192.0.2.66\r\n",
        'a' x 262_000, 'keep') for 1 .. 20;
    ask('127.0.6.9', $direct, "X-Forwarded-For: 192.0.2.66\r\n", 'x' x 9_000)
        eq 'closed';
}, 'the client to have no more room');
is ask('127.0.6.9', $direct, "X-Forwarded-For: 192.0.2.$_\r\n", 'x' x 9_000),
    400, "another client of that proxy has (192.0.2.$_)" for 1 .. 3;
is ask('127.0.7.7', $front, '', 'x' x 9_000), 400, 'and one through nginx';

$t->done;
