# offload-coordinator and offload-node as a test runs them.
#
# Owns: their command lines and keys.  Both say "ready: listening on URL" once
# they take requests.

package Offload::Test::Daemon;

use strict;
use warnings;

use parent 'Offload::Test::Process';

use Offload::Test::Garbage ();

sub _new {
    my ($class, $kind, %o) = @_;

    return $class->SUPER::new(
        name  => $o{name},
        log   => $o{test}->dir . "/$o{name}.log",
        url   => $o{url},
        key   => $o{key},
        dir   => $o{dir},
        test  => $o{test},
        env   => $o{env} // {},
        cmd   => [ Offload::Test::build() . "/offload-$kind", @{ $o{cmd} } ],
        ready => sub { $_[0]->log('recent') =~ /ready: listening on/ },
    );
}

sub url { $_[0]{url} }
sub dir { $_[0]{dir} }

# The public key: its x, and its thumbprint.
sub x  { $_[0]{test}->public_key($_[0]{key})->{x} }
sub id { $_[0]{test}->public_key($_[0]{key})->{id} }

# Of a coordinator: the processes that serve.
sub workers {
    my ($self) = @_;

    my $master = $self->pid // return;
    my @pids = sort { $a <=> $b } map { $_->{pid} }
        grep { $_->{parent} == $master } Offload::Test::Process::processes();
    return @pids;
}

# Resident memory of the process and its workers, in KiB.
sub memory {
    my ($self) = @_;
    return Offload::Test::Garbage::memory($self->pid, $self->workers);
}

# test, redis => object or URL, args => [...], host, port, key => file
sub coordinator {
    my ($class, %o) = @_;

    my $t = $o{test};
    my $name = 'coordinator-' . $t->next('coordinator');
    my $address = ($o{host} // '127.0.0.1') . ':' . ($o{port} // $t->port);
    my $key = $o{key} // $t->dir . "/$name.pem";
    my $redis = ref $o{redis} ? $o{redis}->url : $o{redis};

    return $class->_new(
        'coordinator', %o,
        name => $name,
        url  => "http://$address",
        key  => $key,
        cmd  => [
            '--listen', $address, '--redis', $redis, '--key', $key,
            '--allow-net', '127.0.0.0/8', @{ $o{args} // [] },
        ],
    );
}

# test, coordinator => object, URL or a list of them, host, port, url,
# dir => storage, args => [...]
sub node {
    my ($class, %o) = @_;

    my $t = $o{test};
    my $number = $t->next('node');
    my $name = "node-$number";
    my $address = ($o{host} // '127.0.0.' . (10 + $number)) . ':'
        . ($o{port} // $t->port);
    my $url = $o{url} // "http://$address";
    my $dir = $o{dir} // $t->dir . "/$name";
    my @coordinators =
        map { ('--coordinator', ref $_ ? $_->url . ',' . $_->x : $_) }
        ref $o{coordinator} eq 'ARRAY' ? @{ $o{coordinator} }
        : $o{coordinator} // ();

    mkdir $dir;
    return $class->_new(
        'node', %o,
        name => $name,
        url  => $url,
        key  => "$dir/node.pem",
        dir  => $dir,
        cmd  => [
            '--listen', $address, '--url', $url, '--storage', $dir,
            '--rate', 0, '--allow-net', '127.0.0.0/8', @coordinators,
            @{ $o{args} // [] },
        ],
    );
}

1;
