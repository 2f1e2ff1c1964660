# A node by hand, for messages that offload-node would never send: its own key,
# a server that answers call-backs (or does not), and signed messages.
#
# Owns: claims with sensible defaults, each of which a test can replace.

package Stranger;

use strict;
use warnings;

use IO::Socket::INET;
use Offload::Test;

# The coordinator's answer to a JWS of this type, as Offload::Test's http.
sub post {
    my ($self, $path, $typ, %claims) = @_;

    my $header = delete $claims{header} // {};
    return $self->{t}->http(POST => $self->{c}->url . $path,
        headers => { 'Content-Type' => 'application/jwt' },
        body => $self->{t}->sign($self->{key}, $typ,
            { $self->claims, %claims }, %$header));
}

sub claims {
    my ($self) = @_;

    my $now = time;
    return (iss => $self->{key}{id}, aud => $self->{c}->id, iat => $now,
        exp => $now + 60, seq => ++$self->{seq});
}

# test, coordinator, name, and answer => sub { my (\%claims) = @_; … }, which
# may change the call-back's claims; content => sub { my ($socket, $request) =
# @_; … }, which answers requests for bytes; url, if no server is wanted
sub new {
    my ($class, %o) = @_;

    my ($t, $c) = @o{qw(test coordinator)};
    my $self = bless { t => $t, c => $c, key => $o{key} // $t->key($o{name}),
        seq => 0 }, $class;
    my ($host, $port) = ($o{host} // '127.0.0.41', $t->port);
    $self->{url} = $o{url} // "http://$host:$port";
    $t->serve(sub {
        my ($socket, $request) = @_;
        local $SIG{CHLD} = 'DEFAULT';    # openssl signs
        $t->{counts} = { sign => 1000 * $$, run => 1000 * $$ };
        if ($request->{target} =~ m{^/c/}) {
            return $o{content}->($socket, $request) if $o{content};
            # It has no bytes, but says that it is busy: audits learn nothing.
            print $socket "HTTP/1.1 503 X\r\nContent-Length: 0\r\n"
                . "Connection: close\r\n\r\n";
            return;
        }
        my ($nonce, $aud) =
            $request->{target} =~ /^\S+\?nonce=([\w-]{22})&aud=([\w-]{43})$/;
        my $now = time;
        my %claims = (iss => $self->{key}{id}, aud => $aud, iat => $now,
            exp => $now + 60, nonce => $nonce, url => $self->{url});
        $o{answer}->(\%claims, $socket) if $o{answer};
        my $jws = $t->sign($self->{key}, 'offload-callback+jwt', \%claims);
        print $socket "HTTP/1.1 200 OK\r\nContent-Length: " . length($jws)
            . "\r\nConnection: close\r\n\r\n$jws";
    }, host => $host, port => $port) unless $o{url};
    return $self;
}

sub id  { $_[0]{key}{id} }
sub url { $_[0]{url} }

sub register {
    my ($self, %claims) = @_;
    return $self->post('/v1/nodes', 'offload-register+jwt',
        key => $self->{key}{x}, url => $self->{url}, zone => '', cidrs => [],
        capacity => 1e10, rate => 0, %claims);
}

my %beat = (store => '', wait => 0,
    load => { rate => 0, connections => 0, free => 1e10 });

sub heartbeat {
    my ($self, %claims) = @_;
    return $self->post('/v1/nodes/heartbeat', 'offload-heartbeat+jwt', %beat,
        %claims);
}

# Sends one that is held, and waits until it is: a socket to read its answer.
sub held_heartbeat {
    my ($self, $redis, %claims) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => $self->{c}->url =~ s{.*/}{}r)
        or die "connect: $!";
    my $body = $self->{t}->sign($self->{key}, 'offload-heartbeat+jwt',
        { $self->claims, %beat, %claims });
    print $s "POST /v1/nodes/heartbeat HTTP/1.1\r\nHost: x\r\n"
        . "Connection: close\r\nContent-Length: " . length($body)
        . "\r\n\r\n$body";
    $s->flush;
    $self->{t}->wait_for(sub { $redis->cli('HGET', "key:{" . $self->id . '}',
        'seq') == $self->{seq} }, 'the heartbeat to be held');
    return $s;
}

1;
