# A coordinator as an origin sees it: signs syncs and sends them.
#
#   my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
#   $c->start;                               # learns the epoch
#   $c->send(nodes => [ $c->node(1) ], contents => { $root => [ [ 1, 1 ] ] });
#   $c->claims                               # of the last answer
#   my $root = $c->offer('/f.bin', [ 1, 1 ]);   # all of that, for a file
#
# Owns: seq, base, epoch and ack, as doc/protocol.md has them.  Not a mock: the
# origin gets what a coordinator would send, byte for byte.

package Offload::Test::Sync;

use strict;
use warnings;

use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

# key: {file, x, id}; url: where the origin is asked; iss: what it is called.
# {scheme} may be changed: of the nodes' URLs.
sub new {
    my ($class, $t, $key, $url, $iss) = @_;

    return bless { t => $t, key => $key, url => $url, iss => $iss // $url,
        seq => time * 1000, base => 0, ack => 0, scheme => 'http' }, $class;
}

sub node {
    my ($self, $n, %o) = @_;

    my $id = encode_base64url(pack 'N8', ($n) x 8);
    my $scheme = ref $self ? $self->{scheme} : 'http';
    return { n => $n, id => $id, url => "$scheme://127.0.0.1:" . (2000 + $n),
        %o };
}

# Lists of [flags, n], best first, as the wire has them.
sub candidates {
    my ($self, @list) = @_;
    return encode_base64url(join '', map { pack 'N', $_->[0] << 24 | $_->[1] }
        @list);
}

# Members replace those that follow from what was said before; undef leaves
# one out.  Lists of candidates are encoded.  Returns the HTTP answer.
sub send {
    my ($self, %members) = @_;

    my $contents = $members{contents};
    for my $root (ref $contents eq 'HASH' ? keys %$contents : ()) {
        $contents->{$root} = $self->candidates(@{ $contents->{$root} })
            if ref $contents->{$root};
    }
    my %claims = (iss => $self->{key}{id}, aud => $self->{iss},
        iat => time, exp => time + 60, seq => ++$self->{seq},
        base => $self->{base}, epoch => $self->{epoch},
        ack => $self->{ack}, wait => 0, %members);
    delete @claims{ grep { !defined $claims{$_} } keys %claims };
    return $self->post($self->{t}->sign($self->{key}, 'offload-sync+jwt',
        \%claims), $claims{seq});
}

sub post {
    my ($self, $body, $seq) = @_;

    my $r = $self->{t}->http(
        POST => "$self->{url}/.well-known/offload/sync",
        headers => { 'Content-Type' => 'application/jwt' }, body => $body);
    $self->{claims} = undef;
    if ($r->{status} == 200) {
        my $c = $self->{claims} = $self->{t}->claims($r->{content});
        $self->{epoch} = $c->{epoch};
        $self->{ack} = $c->{clock};
        $self->{base} = $seq unless $c->{need};
        $self->{told}{ $_->{sub} } = $_ for @{ $c->{contents} };
    }
    return $r;
}

sub claims { $_[0]{claims} }

# What the origin has last said of a subject.
sub told { $_[0]{told}{ $_[1] } }

# The first contact: an empty full state.
sub start {
    my ($self, %members) = @_;

    $self->send unless $self->{epoch};
    return $self->send(full => { part => 1, parts => 1 }, %members);
}

# Has a path indexed, then says who has it: lists of [flags, n].  Its root.
sub offer {
    my ($self, $path, @list) = @_;

    my $root = $self->root($path);
    $self->start unless $self->{epoch};
    $self->send(nodes => [ map { $self->node($_->[1]) } @list ],
        contents => { $root => \@list });
    return $root;
}

# Asks for a manifest until there is one.
sub root {
    my ($self, $path) = @_;

    my $claims = $self->{t}->wait_for(sub {
        my $r = $self->get($path, 'Offload-Fetch' => 'manifest');
        is_manifest($r) && $self->{t}->claims($r->{content});
    }, "$path is indexed");
    return $claims->{content}{root};
}

# As the site is called, wherever it is asked.
sub get {
    my ($self, $path, %headers) = @_;
    return $self->{t}->http(GET => $self->{url} . $path, headers =>
        { Host => $self->{iss} =~ s{^https?://}{}r, %headers });
}

# The receipt that comes with a manifest, or undef.
sub receipt {
    my ($self, $path, %headers) = @_;
    return $self->get($path, Accept => 'application/offload+jwt', %headers)
        ->{headers}{'offload-receipt'};
}

# Spends one; peers are {id, bytes, failed}, or [n, bytes, failed] for a node of
# this number; members replace those that follow from it.
sub report {
    my ($self, $receipt, $root, $peers, %o) = @_;

    my $headers = delete $o{headers} // {};
    my %report = (receipt => $receipt, root => $root, peers => [ map {
        ref $_ eq 'ARRAY' ? { id => $self->node($_->[0])->{id},
            bytes => $_->[1], $_->[2] ? (failed => JSON::PP::true) : () } : $_
    } @$peers ], %o);
    delete @report{ grep { !defined $report{$_} } keys %report };
    return $self->{t}->http(
        POST => "$self->{url}/.well-known/offload/report",
        headers => { Host => $self->{iss} =~ s{^https?://}{}r,
            'Content-Type' => 'application/json', %$headers },
        body => JSON::PP->new->canonical->encode(\%report));
}

sub is_manifest {
    my ($r) = @_;
    return $r->{status} == 200
        && $r->{headers}{'content-type'} eq 'application/offload+jwt';
}

1;
