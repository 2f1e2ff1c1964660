# A site, its coordinator and two nodes, as real download managers meet them;
# and bad nodes, which a second coordinator has the site name before the good
# ones.
#
#   my $m = Mirrors->new($t);
#   $m->first('dead');      # an address that refuses is named first; or
#   $m->first('wrong');     # a server of wrong bytes; or undef: neither
#   $m->place('meta4')      # the URL of /f.bin's .meta4
#   $m->alone('meta4')      # the same at a site that has no nodes
#   $m->sent                # bytes that nodes, wrong and origin have sent since
#
# Owns: the site's configuration, and when everybody knows what it takes.  The
# bad nodes are near the client, as they say, so they come before the others.

package Mirrors;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use MIME::Base64 qw(encode_base64url);

use Offload::Test::Sync;
use Offload::Test::System;

our @ISA = 'Offload::Test::System';

my %BAD = (dead => 1, wrong => 2);

# size => bytes of /f.bin, node_args => as Offload::Test::System has them
sub new {
    my ($class, $t, %o) = @_;

    my $self = bless { t => $t, nodes => [], %o{node_args} }, $class;
    $self->{bytes} = $t->bytes($o{size} // 3_300_000, 1);
    $t->write('html/f.bin', $self->{bytes});
    mkdir $t->path($_), chmod 0777, $t->path($_) for qw(state);
    $self->{redis} = $t->redis;
    $self->{coordinator} = $t->coordinator(redis => $self->{redis});
    $self->add_node for 1, 2;
    $self->{rogue} = $t->key('rogue');
    $self->{origin} = $t->nginx(conf(), SITE => $t->key('site')->{file},
        COORDINATOR => $self->{coordinator}->url,
        X => $self->{coordinator}->x, ROGUE => $self->{rogue}{x},
        TRUST => join ' ', (map { $_->id } $self->nodes),
            map { $self->sync->node($_)->{id} } values %BAD);
    $self->join;
    $self->{root} = $self->offloaded('/f.bin');
    $self->_bad_nodes;
    $self->first(undef);
    return $self;
}

sub conf {
    return <<'CONF';
%%MODULES%%
worker_processes 1;
events { worker_connections 512; }
http {
    types { application/octet-stream bin; }
    log_format          sent '$uri $status $body_bytes_sent $sent_http_content_type';
    access_log          %%DIR%%/origin-sent.log sent;
    root                %%DIR%%/html;
    offload_zone        8m;
    offload_state       %%DIR%%/state;
    offload             on;
    offload_key         %%SITE%%;
    offload_ttl         2s;
    server {
        listen              127.0.0.1:%%PORT%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator %%COORDINATOR%% %%X%%;
        offload_coordinator http://127.0.0.1:9999 %%ROGUE%%;
        offload_redirect    on;
        offload_trust       %%TRUST%%;
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen              127.0.0.1:%%PORT_1%%;
        offload_site        http://127.0.0.1:%%PORT_1%%;
        offload_redirect    on;
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
}

sub bytes { $_[0]{bytes} }
sub root  { $_[0]{root} }
sub liar  { $_[0]{liar} }
sub sync  {
    my ($self) = @_;
    return $self->{sync} //= Offload::Test::Sync->new($self->{t},
        $self->{rogue}, $self->{origin} && $self->{origin}->url);
}

# One that refuses, and one that has other bytes where the file's should be.
sub _bad_nodes {
    my ($self) = @_;

    my $t = $self->{t};
    $self->{dead} = 'http://127.0.0.21:' . $t->port;
    $t->write("wrong/c/$self->{root}/f.bin",
        $t->bytes(length $self->{bytes}, 2));
    my $nginx = $self->{liar} = $t->nginx(<<'CONF');
events {}
http {
    default_type application/octet-stream;
    log_format   sent '$uri $status $body_bytes_sent $sent_http_content_type';
    access_log   %%DIR%%/wrong-sent.log sent;
    server { listen 127.0.0.22:%%PORT%%; listen 127.0.0.1:%%PORT%%;
        root %%DIR%%/wrong; }
}
CONF
    $self->{wrong} = 'http://127.0.0.22:' . $nginx->port;
    $self->sync->{url} = $self->sync->{iss} = $self->{origin}->url;
    $self->sync->start;
}

# Has the site name a bad node before all others, or no bad one.  Returns when
# what it gives out says so.
sub first {
    my ($self, $which) = @_;

    my ($t, $sync) = ($self->{t}, $self->sync);
    my $n = $BAD{ $which // '' };
    $sync->send(nodes => [ $n ? $sync->node($n, url => $self->{$which},
            cidrs => ['127.0.0.0/8'], spare => 1 << 20) : () ],
        contents => { $self->{root} => [ $n ? [ 1, $n ] : () ] });
    my @nodes = map { $_->url } $self->nodes;
    my $first = $n ? $self->{$which} : '';
    $t->wait_for(sub {
        my $meta4 = $t->http(GET => $self->place('meta4'))->{content};
        my @urls = $meta4 =~ m{<url [^>]*>(http://[^/]+)}g;
        pop @urls;
        return join(' ', sort @urls) eq join ' ', sort @nodes unless $n;
        return @urls == 3 && $urls[0] eq $first;
    }, 'those in the .meta4: ' . ($which // 'the good ones'), 30);
    $t->wait_for(sub {
        my $r = $t->http(HEAD => $self->url('/f.bin'));
        my ($to) = ($r->{headers}{location} // '') =~ m{^(http://[^/]+)};
        return $to && ($n ? $to eq $first : grep { $to eq $_ } @nodes);
    }, 'the redirect to ' . ($which // 'a good one'), 30);
    $self->sent;
}

# The canonical place of a format of /f.bin.
sub place {
    my ($self, $format) = @_;
    return $self->url("/.well-known/offload/f/$self->{root}/f.bin.$format");
}

# Once it knows the file: the site without any node.
sub alone {
    my ($self, $format) = @_;

    my $url = $self->{origin}->url(1);
    my $place = "$url/.well-known/offload/f/$self->{root}/f.bin.sha256";
    $self->{t}->wait_for(sub {
        $self->{t}->http(GET => "$url/f.bin");
        return $self->{t}->http(GET => $place)->{status} == 200;
    }, 'the other site knows the file');
    $self->sent;
    return $format ? $place =~ s/sha256$/$format/r : "$url/f.bin";
}

# Bytes of the file's since last asked: from the site, from the wrong node.
# What a client gave up counts as far as it was sent, read or not; manifests,
# which the coordinator gets for its audits, do not.
sub sent {
    my ($self) = @_;

    # Each has one worker, which answers this after it has logged what was before.
    $self->{t}->http(GET => $_->url . '/none') for @$self{qw(origin liar)};
    my %sent;
    for my $who (qw(origin wrong)) {
        my $log = $self->{t}->path("$who-sent.log");
        my @lines = -e $log ? split /\n/, $self->{t}->read($log) : ();
        my $from = $self->{lines}{$who} // 0;
        $self->{lines}{$who} = @lines;
        $sent{$who} = 0;
        for (@lines[ $from .. $#lines ]) {
            my ($uri, $status, $bytes, $type) = split;
            $sent{$who} += $bytes if $uri =~ m{/f\.bin$} && $status =~ /^20/
                && $type eq 'application/octet-stream';
        }
    }
    return \%sent;
}

1;
