# Answers that cannot be sent at once, to strangers above all: a closed HTTP/2
# window, a limited rate.  They go on when they can, and end with the client.

use Offload::Test;
use Offload::Test::Sync;

use IO::Socket::INET;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
worker_processes 1;
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        listen              127.0.0.1:%%PORT_1%% http2;
        server_name         127.0.0.1;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
        location = /.well-known/offload/sync {
            offload_endpoint;
            limit_rate 200;
        }
    }
}
CONF

my $path = '/.well-known/offload/sync';

sub frame {
    my ($type, $flags, $stream, $bytes) = @_;
    return substr(pack('N', length $bytes), 1) . pack('CCN', $type, $flags,
        $stream) . $bytes;
}

sub literal { join '', "\0", map { chr(length) . $_ } @_ }

# A POST over HTTP/2 by a client that allows not one byte of the answer.
sub closed {
    my ($body) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $nginx->port(1)) or die;
    print $s "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        . frame(4, 0, 0, pack 'nN', 4, 0)
        . frame(1, 4, 1, literal(':method', 'POST') . literal(':scheme', 'http')
            . literal(':path', $path) . literal(':authority', 'x'))
        . frame(0, 1, 1, $body);
    return $s;
}

# The frames up to the first of that type: [type, flags, bytes].
sub frames {
    my ($s, $last) = @_;

    my @frames;
    local $SIG{ALRM} = sub { die "no frame of type $last\n" };
    alarm 10;
    until (@frames && $frames[-1][0] == $last) {
        read($s, my $head, 9) == 9 or die "the connection was closed\n";
        my ($length, $type, $flags) = unpack 'NCC', "\0$head";
        my $bytes = '';
        read $s, $bytes, $length if $length;
        push @frames, [ $type, $flags, $bytes ];
    }
    alarm 0;
    return @frames;
}

my $worker;
$t->wait_for(sub { ($worker) = $nginx->workers }, 'a worker is there');
sub sockets {
    return scalar grep { (readlink // '') =~ /^socket:/ }
        glob "/proc/$worker/fd/*";
}

my $before = sockets();

# The window opens late: the rest of the answer comes then.
my $s = closed('garbage');
my $head = (frames($s, 1))[-1];
is $head->[1] & 1, 0, 'the head comes, and is not the end';
print $s frame(8, 0, 1, pack 'N', 65_535);
like +(frames($s, 0))[-1][2], qr/^\{"error":/, 'the body comes once it may';
close $s;

# It never opens: nothing is left when the clients have gone.
my @clients = map { closed($_) } ('garbage', 'a.b.c', '') x 10;
frames($_, 1) for @clients;
cmp_ok sockets(), '>=', $before + 30, 'thirty clients wait';
close $_ for @clients;
$t->wait_for(sub { sockets() <= $before }, 'they leave nothing behind');
cmp_ok sockets(), '<=', $before, 'no connection is kept';

# As slow as the site has it, over HTTP/1.1.
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
is $c->post('garbage')->{status}, 400, 'a refusal, at a limited rate';
is $c->send->{status}, 200, 'an answer';
is $c->claims->{need}, 'full', 'all of it';

$t->done;
