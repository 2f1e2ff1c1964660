# An origin: nginx with the module, one site, files under html/.

package Origin;

use strict;
use warnings;

use Offload::Test;

sub new {
    my ($class, $t, $c) = @_;

    my $key = $t->key('site');
    mkdir $t->path('html');
    my $nginx = $t->nginx(<<'CONF', KEY => $key->{file}, C => $c->url, X => $c->x);
%%MODULES%%
events {}
http {
    offload_zone 8m;
    server {
        listen              127.0.0.1:%%PORT%%;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%KEY%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator %%C%% %%X%%;
        offload_ttl         2s;
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
    return bless { t => $t, c => $c, nginx => $nginx }, $class;
}

sub nginx { $_[0]{nginx} }
sub url   { $_[0]{nginx}->url }

sub join {
    my ($self, $c) = @_;

    my $origin = $self->url;
    my $r = $self->{t}->http(POST => ($c // $self->{c})->url . '/v1/sites',
        body => qq({"origin":"$origin"}));
    die "join: $r->{status} $r->{content}" unless $r->{status} =~ /^20[01]$/;
    return $self->{t}->json($r->{content});
}

# A file that may be offloaded; a version younger than 2 s is not.
sub file {
    my ($self, $name, $bytes) = @_;

    my $path = $self->{t}->write("html/$name", $bytes);
    utime time - 60, time - 60, $path;
    return $path;
}

# The claims of the file's manifest, undef if the file comes instead.
sub manifest {
    my ($self, $name, $fetch) = @_;

    my $r = $self->{t}->http(GET => $self->url . "/$name", headers => {
        $fetch ? ('Offload-Fetch' => 'manifest')
            : (Accept => 'application/offload+jwt') });
    return $r->{headers}{'content-type'} eq 'application/offload+jwt'
        ? $self->{t}->claims($r->{content}) : undef;
}

# Waits until the manifest has just these nodes as peers.
sub wait_peers {
    my ($self, $name, $nodes, $seconds) = @_;

    my $want = CORE::join ' ', sort map { $_->id } @$nodes;
    my $last = '';
    my $found = eval {
        $self->{t}->wait_for(sub {
            my $m = $self->manifest($name);
            $last = $m ? CORE::join ' ', sort map { $_->{id} } @{ $m->{peers} }
                : '';
            return $last eq $want ? $m : undef;
        }, "the peers of $name", $seconds);
    };
    die "peers of $name: [$last], not [$want]\n" unless $found;
    return $found;
}

1;
