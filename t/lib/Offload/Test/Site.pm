# A site and its peers made of plain nginx and static files, signed here: what
# `offload` meets can be put together freely, the wrong included.
#
#   my $site = Offload::Test::Site->new($t, bytes => $t->bytes(3_000_000));
#   my $peer = $site->peer;                   # a plain nginx with /c/<root>
#   $site->publish(peers => [$peer]);         # signs and serves the manifest
#   $t->offload('get', $site->url, ...);
#
# Owns: pieces and roots computed in Perl (so that the library is checked by
# another implementation), the configuration of origin and peers, and what a
# manifest says by default.

package Offload::Test::Site;

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use MIME::Base64 qw(encode_base64url);

# t, bytes => content, path => "/f.bin"
sub new {
    my ($class, $t, %o) = @_;

    my $self = bless { t => $t, path => $o{path} // '/f.bin' }, $class;
    $self->{key} = $t->key('site');
    $self->content($o{bytes});
    $self->keys($self->{key});
    $self->{origin} = $t->nginx(<<'CONF');
events {}
http {
    default_type application/octet-stream;
    log_format seen '$request_method $uri "$http_range" "$http_offload_fetch" '
                    '"$http_if_match" $status';
    map $http_accept $by_accept { default 0; ~application/offload 1; }
    map $http_offload_fetch $wanted {
        default $by_accept; manifest 1; direct 0;
    }
    server {
        listen     127.0.0.1:%%PORT%%;
        root       %%DIR%%/site;
        access_log %%DIR%%/origin-seen.log seen;
        if ($wanted) { rewrite ^(/[^.].*)$ /.manifest$1; }
        location /.manifest/ {
            default_type application/offload+jwt;
            add_header   Cache-Control "private, no-store";
            try_files    $uri @file;
        }
        location @file { rewrite ^/[.]manifest(/.*)$ $1 break; }
        location = /.well-known/offload/key {
            default_type application/jwk-set+json;
        }
    }
}
CONF
    return $self;
}

sub t      { $_[0]{t} }
sub key    { $_[0]{key} }
sub origin { $_[0]{origin} }
sub root   { $_[0]{root} }
sub url    { $_[0]{origin}->url . $_[0]{path} }

# What the origin was asked, a line each.
sub seen { -e $_[0]{t}->path('origin-seen.log')
        ? $_[0]{t}->read('origin-seen.log') : '' }

sub piece_size {
    my ($size) = @_;

    my $piece = 256 << 10;
    $piece *= 2 while $piece < 16 << 20 && $size > 400 * $piece;
    return $piece;
}

# The file at the origin, now this one.
sub content {
    my ($self, $bytes) = @_;

    my $piece = piece_size(length $bytes);
    $self->{bytes} = $bytes;
    $self->{table} = join '',
        map { sha256(substr $bytes, $_ * $piece, $piece) }
        0 .. (length($bytes) - 1) / $piece;
    $self->{root} = sha256_hex($self->{table});
    my $file = $self->{t}->write("site$self->{path}", $bytes);
    $self->{t}->write("site/.well-known/offload/pieces/$self->{root}",
        $self->{table});
    $self->{etag} = sprintf '"%x-%x"', (stat $file)[9], length $bytes;
}

# The site's key set.
sub keys {
    my ($self, @keys) = @_;

    my @jwk = map {
        qq({"kty":"OKP","crv":"Ed25519","x":"$_->{x}","kid":"$_->{id}"})
    } @keys;
    $self->{t}->write('site/.well-known/offload/key',
        '{"keys":[' . join(',', @jwk) . ']}');
}

# Another nginx that has the content; bytes => what it serves instead,
# rate => bytes per second, host, more => directives for its location.
sub peer {
    my ($self, %o) = @_;

    my $t = $self->{t};
    my $name = 'peer-' . $t->next('peer');
    my $rate = $o{rate} ? "limit_rate $o{rate};" : '';

    $t->write("$name/c/$self->{root}", $o{bytes} // $self->{bytes});
    $t->write("$name/t/$self->{root}", $self->{table});
    my $nginx = $t->nginx(<<'CONF', NAME => $name, RATE => $rate,
events {}
http {
    default_type application/octet-stream;
    sendfile_max_chunk 64k;
    server {
        listen 127.0.0.1:%%PORT%%;
        root   %%DIR%%/%%NAME%%;
        access_log %%DIR%%/%%NAME%%.log;
        location ~ ^/c/(?<root>[0-9a-f]+)/pieces$ {
            alias %%DIR%%/%%NAME%%/t/$root;
        }
        location /c/ { %%RATE%% %%MORE%% }
    }
}
CONF
        MORE => $o{more} // '');
    $nginx->{peer_id} = encode_base64url(sha256($name));
    return $nginx;
}

sub claims {
    my ($self, %o) = @_;

    my $now = time;
    my $size = length $self->{bytes};
    my $table = length $self->{table} <= 1024
        ? { table => encode_base64url($self->{table}) } : {};
    my @peers = map {
        { id => $_->{peer_id} // encode_base64url(sha256($_->url)),
            url => $_->url }
    } @{ delete $o{peers} // [] };
    my $content = delete $o{content} // {};

    return {
        iss => $self->{origin}->url, sub => $self->{path},
        iat => $now, exp => $now + 60,
        content => {
            root => $self->{root}, size => $size,
            piece_size => piece_size($size),
            sha256 => sha256_hex($self->{bytes}),
            type => 'application/octet-stream', etag => $self->{etag},
            %$table, %$content,
        },
        path => "/c/$self->{root}?" . $self->ticket, peers => \@peers, trackers => [],
        %o,
    };
}

sub ticket {
    my ($self) = @_;

    my $t = $self->{t};
    my $e = (int(time / 600) + 2) * 600;
    my $file = $t->write('run/ticket-' . $t->next('ticket'),
        "offload-ticket\n$self->{root}\n$e");
    my $r = $t->run('openssl', 'pkeyutl', '-sign', '-rawin', '-inkey',
        $self->{key}{file}, '-in', $file);
    die "openssl pkeyutl: $r->{err}" if $r->{status};
    return "e=$e&s=" . encode_base64url($r->{out});
}

# Signs the manifest and serves it: peers => [...], and members to replace.
sub publish {
    my ($self, %o) = @_;

    my $key = delete $o{key} // $self->{key};
    my $typ = delete $o{typ} // 'offload+jwt';
    my $header = delete $o{header} // {};
    my $token = $self->{t}->sign($key, $typ, $self->claims(%o), %$header);
    $self->serve($token);
    return $token;
}

# Any text in the manifest's place; undef: none, the file is given instead.
sub serve {
    my ($self, $token) = @_;

    my $path = "site/.manifest$self->{path}";
    if (defined $token) { $self->{t}->write($path, $token) }
    else                { unlink $self->{t}->path($path) }
}

1;
