# A site by hand, for what no nginx would say: it answers key and site as it
# should, and syncs as the test wants.  Each sync's claims are kept as a file.

package Site;

use strict;
use warnings;

use JSON::PP ();
use Offload::Test;

# test, coordinator, name, host, key => sub { … } that returns the key it has at
# that moment (else it keeps one), sync => sub { my (\%claims, $number) = @_;
# … } that returns (status, body or claims of the answer, headers); get => sub {
# my ($site, $target) = @_; … } that returns the same for whatever else is asked
sub new {
    my ($class, %o) = @_;

    my ($t, $c) = @o{qw(test coordinator)};
    my $key = $t->key($o{name});
    my $port = $t->port;
    my $host = $o{host} // '127.0.0.51';
    my $self = bless { t => $t, c => $c, key => $key, name => $o{name},
        now => $o{key}, url => "http://$host:$port", sync => $o{sync},
        get => $o{get} }, $class;
    mkdir $t->path("syncs-$o{name}");
    $t->serve(sub {
        local $SIG{CHLD} = 'DEFAULT';    # openssl signs
        $t->{counts} = { sign => 1000 * $$, run => 1000 * $$ };
        $self->_serve(@_);
    }, host => $host, port => $port);
    return $self;
}

sub url { $_[0]{url} }

sub _serve {
    my ($self, $s, $r) = @_;

    my $now = time;
    my $key = $self->{now} ? $self->{now}->() : $self->{key};
    my %claims = (iss => $self->{url}, iat => $now, exp => $now + 3600);
    my ($status, $body, @headers) = (200);
    if ($r->{target} =~ m{/key$}) {
        my $x = $key->{x};
        $body = qq({"keys":[{"kty":"OKP","crv":"Ed25519","x":"$x"}]});
    }
    elsif ($r->{target} =~ m{/site$}) {
        $body = $self->{t}->sign($key, 'offload-site+jwt', { %claims,
            names => [ $self->{url} ],
            coordinators => [ { id => $self->{c}->id, url => 'http://x' } ],
            sync => [ "$self->{url}/.well-known/offload/sync" ] });
    }
    elsif ($self->{get} && $r->{target} !~ m{/sync$}) {
        ($status, $body, @headers) = $self->{get}->($self, $r->{target});
    }
    else {
        read $s, my $jws, $r->{headers}{'content-length'};
        my $sync = $self->{t}->claims($jws);
        my $number = $self->syncs + 1;
        $self->{t}->write("syncs-$self->{name}/$number",
            JSON::PP->new->encode($sync));
        ($status, $body, @headers) = $self->{sync}->($sync, $number);
        $body = $self->{t}->sign($key, 'offload-sync-answer+jwt',
            { %claims, aud => $self->{c}->id, seq => $sync->{seq},
                epoch => 'A' x 22, clock => 0, %$body }) if ref $body;
    }
    print $s "HTTP/1.1 $status X\r\nConnection: close\r\nContent-Length: "
        . length($body) . "\r\n" . join('', map { "$_\r\n" } @headers)
        . "\r\n$body";
}

# How many there were; the claims of one.
sub syncs {
    my ($self) = @_;
    my @files = glob $self->{t}->path("syncs-$self->{name}/*");
    return scalar @files;
}

sub sync {
    my ($self, $number) = @_;
    my $path = "syncs-$self->{name}/$number";
    $self->{t}->wait_for(sub { -f $self->{t}->path($path) }, "sync $number");
    return $self->{t}->json($self->{t}->read($path));
}

sub join {
    my ($self) = @_;
    my $r = $self->{t}->http(POST => $self->{c}->url . '/v1/sites',
        body => qq({"origin":"$self->{url}"}));
    die "join: $r->{status} $r->{content}" unless $r->{status} == 201;
}

1;
