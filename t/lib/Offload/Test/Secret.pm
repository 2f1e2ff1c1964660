# A file that not everyone may fetch, and every way there is to learn of it:
# what an origin answers to strangers and to those who may, and what it tells
# coordinators.
#
#   my $s = Offload::Test::Secret->new($t, $c, '/basic/one.bin', $bytes,
#       pass => { Authorization => 'Basic …' }, denied => 1);
#   $s->asked;                      # by those who may, in each way
#   $s->kept('basic auth');         # one assertion: no channel has leaked
#   $s->closed('now private');      # likewise, without what was told before
#
# Owns: the list of channels and of all forms in which a content's hashes are
# written.  A resource that does not exist answers 404, which is as well, so
# what comes to the endpoint later is covered when its name stands here.

package Offload::Test::Secret;

use strict;
use warnings;

use Digest::SHA qw(sha1 sha256);
use JSON::PP ();
use MIME::Base64 qw(encode_base64 encode_base64url);
use Test::More ();

use Offload::Test::Site;

my @SUFFIXES = qw(.meta4 .torrent .sha256 .offload .metalink);
my $AT = '/.well-known/offload';

# t; sync: an Offload::Test::Sync; path: as it is asked for, perhaps with a
# query; bytes: of the file behind it.  pass: headers of those who may have it;
# denied: others do not get its bytes; offered: it was offered at some time,
# so that coordinators are told that it went; url: where else to ask.
sub new {
    my ($class, $t, $sync, $path, $bytes, %o) = @_;

    my $piece = Offload::Test::Site::piece_size(length $bytes);
    my @pieces = map { substr $bytes, $_ * $piece, $piece }
        0 .. (length($bytes) - 1) / $piece;
    my $table = join '', map { sha256($_) } @pieces;
    my $sha1 = join '', map { sha1($_) } @pieces;
    my $plain = $path =~ s/\?.*//sr;
    my ($name) = $plain =~ m{([^/]*)$};
    my $info = sprintf 'd6:lengthi%de4:name%d:%s12:piece lengthi%de6:pieces'
        . '%d:%se', length $bytes, length $name, $name, $piece, length $sha1,
        $sha1;

    my $self = bless { t => $t, sync => $sync, path => $path,
        plain => $plain, name => $name, bytes => $bytes,
        root => unpack('H*', sha256($table)), pass => {}, %o }, $class;
    $self->{words} = { root => _forms(sha256($table)),
        sha256 => _forms(sha256($bytes)), sha1 => _forms(sha1($bytes)),
        infohash => _forms(sha1($info)),
        map({ ("piece $_" => _forms(sha256($pieces[$_]))) } 0 .. $#pieces),
        map({ ("sha1 of piece $_" => _forms(sha1($pieces[$_]))) }
            0 .. $#pieces) };
    return $self;
}

sub root { $_[0]{root} }

sub _forms {
    my ($digest) = @_;
    return [ $digest, unpack('H*', $digest), uc unpack('H*', $digest),
        encode_base64($digest, '') =~ s/=+$//r, encode_base64url($digest) ];
}

# Those who may have it ask for it, more than once and in each way.
sub asked {
    my ($self) = @_;

    my $r;
    for my $headers (_ways(), _ways()) {
        $r = $self->_get($self->{path}, %{ $self->{pass} }, %$headers);
    }
    $self->{status} = $r->{status};
    return $self;
}

sub _ways {
    return ({}, { 'Offload-Fetch' => 'manifest' },
        { Accept => 'application/offload+jwt' },
        { 'Offload-Fetch' => 'direct' });
}

sub _get {
    my ($self, $path, %headers) = @_;
    return $self->{t}->http(GET => ($self->{url} // $self->{sync}{url}) . $path,
        headers => { Host => $self->{sync}{iss} =~ s{^https?://}{}r,
            'Accept-Encoding' => 'gzip;q=0', %headers });
}

# No channel says anything.  Lists what did.
sub kept {
    my ($self, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More::is(join("\n", $self->leaks), '',
        "$what: nothing leaks");
}

# What each channel says that it should not, a line each.
sub leaks {
    my ($self) = @_;
    return ($self->_own, $self->_suffixes, $self->_endpoint, $self->_told);
}

# The same, whatever coordinators were told before.
sub closed {
    my ($self, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More::is(
        join("\n", $self->_endpoint, $self->_suffixes, $self->_own), '',
        "$what: nothing leaks");
}

# The file's own URL, asked for by strangers and by those who may.
sub _own {
    my ($self) = @_;

    my @leaks;
    for my $pass ({}, $self->{pass}) {
        my $secret = $self->{denied} && !%$pass;
        for my $headers (_ways(), { Range => 'bytes=0-99' }) {
            for my $method ('GET', 'HEAD') {
                my $r = $self->{t}->http(
                    $method => ($self->{url} // $self->{sync}{url})
                        . $self->{path},
                    headers => { Host => $self->{sync}{iss} =~ s{^.*//}{}r,
                        %$pass, %$headers });
                my $way = "$method $self->{path}"
                    . join '', map { "; $_: $headers->{$_}" } keys %$headers;
                push @leaks, $self->_answer($r, $way, $secret);
                push @leaks, "$way: a redirect to $r->{headers}{location}"
                    if $r->{status} == 302
                    && ($r->{headers}{location} // '') =~ m{/c/[0-9a-f]};
            }
        }
    }
    return @leaks;
}

sub _suffixes {
    my ($self) = @_;

    my @leaks;
    my $query = substr $self->{path}, length $self->{plain};
    for my $suffix (@SUFFIXES) {
        for my $pass ({}, $self->{pass}) {
            for my $headers (_ways()) {
                my $path = "$self->{plain}$suffix$query";
                my $r = $self->_get($path, %$pass, %$headers);
                push @leaks, $self->_answer($r, $path, $self->{denied});
                push @leaks, "$path: "
                    . ($r->{headers}{'content-type'} // 'no type')
                    if $r->{status} == 200
                    && ($r->{headers}{'content-type'} // '')
                        =~ /metalink|bittorrent|offload/;
            }
        }
    }
    return @leaks;
}

# Whoever knows the hash learns nothing more by it.
sub _endpoint {
    my ($self) = @_;

    my @leaks;
    my $root = $self->{root};
    for my $path ("pieces/$root", "sri/$root",
        map { ("f/$root/$self->{name}$_", "f/$root/x$_") } @SUFFIXES)
    {
        my $r = $self->_get("$AT/$path");
        push @leaks, "$AT/$path: $r->{status}"
            if $r->{status} < 400;
        push @leaks, $self->_answer($r, "$AT/$path", 1, 'asked by its root');
    }
    for my $path (qw(status metrics peers key site)) {
        my $r = $self->_get("$AT/$path");
        push @leaks, $self->_answer($r, "$AT/$path", 1);
        push @leaks, "$AT/$path: its name"
            if index($r->{content}, $self->{name}) >= 0;
    }
    for my $from ('127.0.0.1', '192.0.2.1', '2001:db8::1') {
        my $path = "$AT/peers?path=$self->{plain}&from=$from";
        push @leaks, $self->_answer($self->_get($path), $path, 1);
    }
    my $r = $self->{t}->http(
        POST => ($self->{url} // $self->{sync}{url}) . "$AT/report",
        headers => { 'Content-Type' => 'application/json' },
        body => qq({"receipt":"1.x","root":"$root","peers":[]}));
    push @leaks, "$AT/report: $r->{status}" if $r->{status} < 400;
    return @leaks;
}

# What a coordinator is told from the beginning.
sub _told {
    my ($self) = @_;

    my $c = $self->{sync};
    my @leaks;
    my $said = '';
    $c->start unless $c->{epoch};
    $c->{ack} = 0;
    do {
        $c->send($self->{now} ? $self->{now}->() : ());
        return "no sync" unless $c->claims;
        $said .= JSON::PP->new->canonical->encode($c->claims);
        for (@{ $c->claims->{contents} // [] }) {
            push @leaks, "a coordinator is told $_->{sub} as offered"
                if !$_->{gone} && ($_->{sub} eq $self->{plain}
                    || $_->{root} eq $self->{root});
        }
    } while ($c->claims->{more});
    return @leaks if $self->{offered};
    push @leaks, map { "a coordinator is told its $_" } $self->in($said);
    push @leaks, 'a coordinator is told its name'
        if index($said, $self->{name}) >= 0;
    return @leaks;
}

# An answer's head and body: no hash, nothing of ours, and not the bytes if
# they are not for whom it is given.
sub _answer {
    my ($self, $r, $way, $secret, $known) = @_;

    my $head = $r->{head} // '';
    my @leaks = map { "$way: $_ in the head" } $self->in($head);
    push @leaks, "$way: $1" while $head =~ /^((?:Link|Digest|Repr-Digest
        |Offload-\w+):.*?)\r?$/gimx;
    push @leaks, "$way: a manifest"
        if ($r->{headers}{'content-type'} // '') =~ /offload\+jwt/;
    my @found = $self->in($r->{content});
    push @leaks, map { "$way: $_" } grep { !$known || $_ ne 'root' } @found;
    push @leaks, "$way: its bytes" if $secret && length $r->{content} > 63
        && index($self->{bytes}, substr $r->{content}, 0, 64) >= 0;
    return @leaks;
}

# Which of its hashes stand in a text, in any form.
sub in {
    my ($self, $text) = @_;

    my @found;
    for my $what (sort keys %{ $self->{words} }) {
        push @found, $what
            if grep { index($text, $_) >= 0 } @{ $self->{words}{$what} };
    }
    return @found;
}

1;
