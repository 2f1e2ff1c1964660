# A site and a coordinator that say exactly what a test wants said: which
# content is assigned to which nodes, by which manifest, and what an origin
# answers that misbehaves.  Everything is signed with openssl.
#
#   my $s = Scripted->new($t);                     # the site is a plain nginx
#   my $s = Scripted->new($t, origin => sub {
#       my ($s, $socket, $request) = @_; ... }); # or this handler
#   my $c = $s->content('/f.bin', $bytes);         # {root, path, table, ...}
#   my $n = $t->node(coordinator => $s->coordinator);
#   $s->assign($c, $n, ...);
#   $s->wait_complete($c, $n);
#
# Owns: the documents of site and coordinator.  What nodes tell lies in files
# below told/, since each request is served by a process of its own.

package Scripted;

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url);
use Time::HiRes qw(sleep time);

my $JSON = JSON::PP->new->utf8->canonical;

sub new {
    my ($class, $t, %o) = @_;

    my $dir = $t->path('site-' . $t->next('site'));
    mkdir $dir;
    mkdir "$dir/told";
    my $self = bless { t => $t, dir => $dir, assigned => [],
        key => $t->key("$dir/site"),
        coordinator_key => $t->key("$dir/coordinator") }, $class;
    $t->write("$dir/assign", '[]');
    $t->write("$dir/well/.well-known/offload/key", $JSON->encode({ keys => [
        { kty => 'OKP', crv => 'Ed25519', x => $self->{key}{x} } ] }));
    $self->{origin} = $o{origin} ? $self->_scripted_origin($o{origin})
        : $self->_nginx;
    $self->{coordinator} = $t->serve(sub { $self->_coordinate(@_) });
    return $self;
}

sub origin      { $_[0]{origin} }
sub key         { $_[0]{key} }
sub url         { $_[0]{origin}->url }
sub coordinator { $_[0]{coordinator}->url }
sub coordinator_id { $_[0]{coordinator_key}{id} }

sub _nginx {
    my ($self) = @_;

    return $self->{t}->nginx(<<'CONF', SITE => $self->{dir});
events {}
http {
    map $http_offload_fetch $kind { default html; manifest manifests; }
    types { application/offload+jwt jwt; }
    log_format sizes '$uri $status $body_bytes_sent';
    access_log %%SITE%%/access.log sizes;
    server {
        listen 127.0.0.1:%%PORT%%;
        location /.well-known/ { root %%SITE%%/well; }
        location / { root %%SITE%%/html; try_files /../$kind$uri.jwt $uri =404; }
    }
}
CONF
}

sub _scripted_origin {
    my ($self, $handler) = @_;

    return $self->{t}->serve(sub {
        my ($socket, $request) = @_;
        my ($path) = $request->{target} =~ /^([^?]*)/;
        my $wanted = ($request->{headers}{'offload-fetch'} // '') eq 'manifest'
            ? "$self->{dir}/manifests$path.jwt" : "$self->{dir}/well$path";

        return $self->reply($socket, 200, $self->{t}->read($wanted),
            'application/offload+jwt') if -f $wanted;
        $handler->($self, $socket, $request);
    });
}

# The file of a path changes.
sub file {
    my ($self, $sub, $bytes) = @_;
    $self->{t}->write("$self->{dir}/html$sub", $bytes);
}

# Bytes that the origin has sent of a path.
sub egress {
    my ($self, $path) = @_;

    my $sum = 0;
    for (split /\n/, $self->{t}->read("$self->{dir}/access.log")) {
        $sum += $1 if m{^\Q$path\E 20\d (\d+)};
    }
    return $sum;
}

# ------------------------------------------------------------ documents

sub _signature {
    my ($self, $key, $text) = @_;

    my $file = "$self->{dir}/sign." . join '.', $$, time, rand;
    open my $f, '>', $file or die "$file: $!\n";
    print $f $text;
    close $f;
    my $bytes = `openssl pkeyutl -sign -rawin -inkey $key->{file} -in $file`;
    unlink $file;
    return encode_base64url($bytes);
}

sub jws {
    my ($self, $key, $typ, $claims, %header) = @_;

    my $head = { alg => 'EdDSA', typ => $typ, kid => $key->{id}, %header };
    my $text = encode_base64url($JSON->encode($head)) . '.'
        . encode_base64url($JSON->encode($claims));
    return "$text." . $self->_signature($key, $text);
}

sub ticket {
    my ($self, $root, $e, $key) = @_;

    $e //= (int(time / 600) + 2) * 600;
    return "e=$e&s=" . $self->_signature($key // $self->{key},
        "offload-ticket\n$root\n$e");
}

sub _piece_size {
    my ($size) = @_;

    my $piece = 262144;
    $piece *= 2 while $piece < 16777216 && $size / $piece > 400;
    return $piece;
}

# Puts file, manifest and table in their places.  %o: type, etag, content (more
# members of it), claims (that replace), header (of the JWS), key, file => 0 (do
# not write the file).
sub content {
    my ($self, $sub, $bytes, %o) = @_;

    my $t = $self->{t};
    my $size = length $bytes;
    my $piece = _piece_size($size);
    my $table = join '', map { sha256(substr $bytes, $_ * $piece, $piece) }
        0 .. int(($size - 1) / $piece);
    my $root = sha256_hex($table);
    my $path = "/c/$root?" . $self->ticket($root);

    $self->file($sub, $bytes) unless defined $o{file};
    my $etag = $o{etag} // ($t->http(HEAD => $self->url . $sub)->{headers}{etag}
        // '"none"');
    my $claims = { iss => $self->url, sub => $sub, iat => int(time),
        exp => int(time) + 3600, path => $path, peers => [], trackers => [],
        content => { root => $root, size => $size, piece_size => $piece,
            sha256 => sha256_hex($bytes), etag => $etag,
            type => $o{type} // 'application/octet-stream',
            length $table <= 1024 ? (table => encode_base64url($table)) : (),
            %{ $o{content} // {} } },
        %{ $o{claims} // {} } };
    $t->write("$self->{dir}/manifests$sub.jwt", $o{token} // $self->jws($o{key}
        // $self->{key}, 'offload+jwt', $claims, %{ $o{header} // {} }));
    $t->write("$self->{dir}/well/.well-known/offload/pieces/$root", $table);
    return { sub => $sub, root => $root, size => $size, path => $path,
        table => $table, piece => $piece, bytes => $bytes };
}

# ------------------------------------------------------------ coordinator

sub assign {
    my ($self, $content, @nodes) = @_;
    $self->relay($self, $content, @nodes);
}

# From now on: how much it is asked for, told to all that are assigned it.
sub heat {
    my ($self, $content, $heat) = @_;

    for (grep { $_->{root} eq $content->{root} } @{ $self->{assigned} }) {
        $_->{heat} = $heat;
        unlink "$self->{dir}/told/held.$_->{id}.$content->{root}"
            for @{ $_->{nodes} };
    }
    $self->{t}->write("$self->{dir}/assign", $JSON->encode($self->{assigned}));
}

# Its coordinator assigns what another site offers.
sub relay {
    my ($self, $site, $content, @nodes) = @_;

    push @{ $self->{assigned} }, { heat => $content->{heat} // 0,
        iss => $site->url, sub => $content->{sub},
        root => $content->{root}, size => $content->{size},
        salt => 'AAAAAAAAAAAAAAAAAAAAAA',
        nodes => [ map { { id => $_->id, url => $_->url } } @nodes ] };
    $self->{t}->write("$self->{dir}/assign", $JSON->encode($self->{assigned}));
    unlink "$self->{dir}/told/held." . $_->id . ".$content->{root}" for @nodes;
}

sub _told {
    my ($self, $what, $node, $content) = @_;

    my $file = "$self->{dir}/told/$what." . $node->id . ".$content->{root}";
    return -s $file ? $JSON->decode($self->{t}->read($file)) : undef;
}

sub held    { shift->_told('held', @_) }
sub dropped { shift->_told('dropped', @_) }

# What it said of itself.
sub registered {
    my ($self, $node) = @_;
    my $file = "$self->{dir}/told/node." . $node->id;
    return -s $file ? $JSON->decode($self->{t}->read($file)) : undef;
}

# Its heartbeats that were not refused, oldest first.
sub beats {
    my ($self, $node) = @_;
    my $name = "$self->{dir}/told/beat." . $node->id;
    return map { $JSON->decode($self->{t}->read($_->[1])) }
        sort { $a->[0] <=> $b->[0] }
        map { /(\d+)$/ ? [ $1, $_ ] : () } glob "$name.*";
}

# What it has said in all of a member that lists things.
sub said {
    my ($self, $node, $member) = @_;
    return map { @{ $_->{$member} // [] } } $self->beats($node);
}

sub wait_complete {
    my ($self, $content, @nodes) = @_;

    for my $node (@nodes) {
        $self->{t}->wait_for(sub {
            my $held = $self->held($node, $content);
            $held && !$held->{bitmap};
        }, "a node to hold all of $content->{sub}", 40);
    }
}

sub reply {
    my ($self, $socket, $status, $body, $type, @headers) = @_;

    print $socket join "\r\n", "HTTP/1.1 $status Scripted",
        'Content-Type: ' . ($type // 'application/octet-stream'),
        'Content-Length: ' . length $body, 'Connection: close', @headers,
        '', $body;
}

# From now on the coordinator says this: store => 'two', release => [root]; holds
# heartbeats so long: hold => seconds (2); and refuses that:
# refuse => [target, claim, bound that it must reach, status, body, type, ...].
sub say_from_now {
    my ($self, %o) = @_;
    $self->{t}->write("$self->{dir}/knob.$_", $JSON->encode([$o{$_}])) for keys %o;
}

sub _knob {
    my ($self, $name) = @_;
    my $file = "$self->{dir}/knob.$name";
    return -e $file ? $JSON->decode($self->{t}->read($file))->[0] : undef;
}

# Refused while the member is below the bound: [target, member, bound, reply].
sub _refusal {
    my ($self, $target, $claims) = @_;

    my $rule = $self->_knob('refuse') or return;
    my ($where, $member, $bound, @reply) = @$rule;
    return $target eq $where && $claims->{$member} < $bound ? \@reply : undef;
}

sub _coordinate {
    my ($self, $socket, $request) = @_;

    my ($t, $key) = @$self{qw(t coordinator_key)};
    return $self->reply($socket, 200, $JSON->encode({ keys => [
        { kty => 'OKP', crv => 'Ed25519', x => $key->{x} } ] }))
        if $request->{target} eq '/v1/key';

    read $socket, my $body, $request->{headers}{'content-length'};
    my $claims = $t->claims($body);
    $t->write("$self->{dir}/told/seq.$claims->{seq}", $request->{target});
    my $refusal = $self->_refusal($request->{target}, $claims);
    return $self->reply($socket, @$refusal) if $refusal;
    if ($request->{target} eq '/v1/nodes') {
        $t->write("$self->{dir}/told/node.$claims->{iss}", $JSON->encode($claims));
        return $self->reply($socket, 200, $JSON->encode({ n => 1,
            id => $claims->{iss}, address => '127.0.0.1', heartbeat => 10,
            store => $self->_knob('store') // 'one' }));
    }
    $self->_beat($socket, $claims);
}

sub _beat {
    my ($self, $socket, $claims) = @_;

    my ($t, $key, $id) = (@$self{qw(t coordinator_key)}, $claims->{iss});
    my $told = "$self->{dir}/told";
    $t->write("$told/beat.$id.$claims->{seq}", $JSON->encode($claims));
    $t->write("$told/held.$id.$_->{root}", $JSON->encode($_))
        for @{ $claims->{holdings} };
    for my $root (@{ $claims->{dropped} }) {
        $t->write("$told/dropped.$id.$root", $JSON->encode({ at => time }));
        unlink "$told/held.$id.$root"; # last: a held beat assigns what is neither
    }

    my $end = time + ($self->_knob('hold') // 2);
    my @new;
    do {
        @new = grep {
            my $what = "$id.$_->{root}";
            !-e "$told/held.$what" && !-e "$told/dropped.$what"
                && grep { $_->{id} eq $id } @{ $_->{nodes} };
        } @{ $JSON->decode($t->read("$self->{dir}/assign")) };
        sleep 0.05 unless @new;
    } until @new || time > $end;
    $self->reply($socket, 200, $self->jws($key, 'offload-assign+jwt', {
        iss => $key->{id}, aud => $id, iat => int(time), exp => int(time) + 60,
        seq => $claims->{seq}, store => $self->_knob('store') // 'one', next => 10000,
        assign => \@new, release => $self->_knob('release') // [] }));
}

1;
