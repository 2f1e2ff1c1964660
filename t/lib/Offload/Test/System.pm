# The whole of Offload as a test runs it: an origin, a coordinator with its
# Redis, and nodes.
#
#   my $t = Offload::Test->new;
#   my $file = $t->write('html/f.bin', $t->bytes(3_000_000, 1));
#   my $s = Offload::Test::System->new($t, nodes => 3);
#   my $root = $s->offloaded('/f.bin');     # its root, once all nodes have it
#
# Owns: the origin's configuration, the order of starting, and the waiting for
# what the parts do on their own.  Every part is the real program.

package Offload::Test::System;

use strict;
use warnings;

# nodes => count, node_args => [[...], ...] one list per node,
# coordinator_args => [...], nodes => 0: start nodes later with add_node, server =>
# more directives for the origin's.
sub new {
    my ($class, $t, %o) = @_;

    my $self = bless { t => $t, nodes => [], %o{node_args} }, $class;
    $t->write('html/index.html', '<h1>A site</h1>');
    mkdir $t->path('state');
    chmod 0777, $t->path('state');
    $self->{key} = $t->key('site');
    $self->{redis} = $t->redis;
    $self->{coordinator} = $t->coordinator(redis => $self->{redis},
        args => $o{coordinator_args} // []);
    $self->{origin} = $t->nginx(conf(), KEY => $self->{key}{file},
        COORDINATOR => $self->{coordinator}->url,
        X => $self->{coordinator}->x, SERVER => $o{server} // '');
    $self->add_node for 1 .. $o{nodes} // 3;
    $self->join;
    return $self;
}

sub conf {
    return <<'CONF';
%%MODULES%%
worker_processes 2;
events { worker_connections 512; }
http {
    types { application/octet-stream bin; text/html html; text/javascript js; text/css css; }
    offload_zone  8m;
    offload_state %%DIR%%/state;
    server {
        listen              127.0.0.1:%%PORT%%;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%KEY%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator %%COORDINATOR%% %%X%%;
        %%SERVER%%
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
}

sub origin      { $_[0]{origin} }
sub coordinator { $_[0]{coordinator} }
sub redis       { $_[0]{redis} }
sub nodes       { @{ $_[0]{nodes} } }
sub url         { $_[0]{origin}->url . $_[1] }

sub add_node {
    my ($self) = @_;

    my $args = $self->{node_args}[ @{ $self->{nodes} } ] // [];
    push @{ $self->{nodes} }, $self->{t}->node(
        coordinator => $self->{coordinator}, args => $args);
    return $self->{nodes}[-1];
}

sub join {
    my ($self) = @_;

    my $r = $self->{t}->http(POST => $self->{coordinator}->url . '/v1/sites',
        headers => { 'Content-Type' => 'application/json' },
        body => sprintf '{"origin":"%s"}', $self->{origin}->url);
    die "the site could not join: $r->{status} $r->{content}\n"
        unless $r->{status} =~ /^20[01]$/;
}

# The root of a path, once the origin has indexed it.
sub root_of {
    my ($self, $path) = @_;

    my $t = $self->{t};
    return $t->wait_for(sub {
        my $r = $t->http(GET => $self->url($path),
            headers => { 'Offload-Fetch' => 'manifest' });
        return unless $r->{status} == 200
            && $r->{headers}{'content-type'} eq 'application/offload+jwt';
        return $t->claims($r->{content})->{content}{root};
    }, "a manifest of $path", 60);
}

sub peers {
    my ($self, $root) = @_;

    my $r = $self->{t}->http(
        GET => $self->{coordinator}->url . "/v1/content/$root/peers");
    return $r->{status} == 200
        ? @{ $self->{t}->json($r->{content})->{peers} } : ();
}

# The peers in a manifest that the origin gives out now.
sub manifest_peers {
    my ($self, $path) = @_;

    my $r = $self->{t}->http(GET => $self->url($path),
        headers => { Accept => 'application/offload+jwt' });
    my $peers = [];
    $peers = $self->{t}->claims($r->{content})->{peers}
        if ($r->{headers}{'content-type'} // '') eq 'application/offload+jwt';
    return @$peers;
}

# Waits until `count` nodes (default: all) hold the whole file and the origin
# names them; returns its root.
sub offloaded {
    my ($self, $path, $count) = @_;

    $count //= @{ $self->{nodes} };
    my $root = $self->root_of($path);
    $self->{t}->wait_for(
        sub { $count <= grep { $_->{complete} } $self->peers($root) },
        "$count nodes that hold $path", 60);
    $self->{t}->wait_for(sub { $count <= $self->manifest_peers($path) },
        "$count nodes in the manifest of $path", 30);
    return $root;
}

# The file in which a node keeps a content's bytes.
sub stored {
    my ($self, $node, $root) = @_;

    my ($found) = grep { -f } glob $node->dir . "/c/*/$root/data";
    return $found // die $node->name . " does not store $root\n";
}

1;
