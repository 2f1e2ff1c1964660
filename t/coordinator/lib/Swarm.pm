# A BitTorrent client's side of the HTTP tracker: announces and scrapes as raw
# queries, and their answers taken apart by another implementation.
#
#   my $s = Swarm->new($t, $c, hash => 'x' x 20);
#   my $r = $s->announce(from => '203.0.113.1', port => 6881, left => 0);
#   $r->{complete}; $r->{peers}       # [ "203.0.113.2 6881", … ]
#
# `from` is told as a proxy does, so the coordinator has to trust this one.

package Swarm;

use strict;
use warnings;

use Offload::Test;
use Socket qw(AF_INET6 inet_ntoa inet_ntop);

sub new {
    my ($class, $t, $c, %o) = @_;
    return bless { t => $t, c => $c, url => $c->url, %o }, $class;
}

sub hex { unpack 'H*', $_[0]{hash} }
sub escaped { $_[1] =~ s/(.)/sprintf '%%%02x', ord $1/gers }

# As a site's sync does.
sub register {
    my ($self, $redis) = @_;

    my $h = $self->hex;
    $self->{t}->wait_for(sub {
        $redis->cli('FUNCTION', 'LIST') =~ /ol_swarm_register/;
    }, 'the functions');
    $redis->cli('FCALL', 'ol_swarm_register', 6, map({ "t:{$h}:$_" }
        qw(m o s4 l4 s6 l6)),
        'a' x 64, 'b' x 64, 'f.iso', 1 << 20, time, time + 1800, 7200);
}

# query => raw, or its parts; undef leaves one out
sub announce {
    my ($self, %o) = @_;

    my $from = delete $o{from};
    my $query = delete $o{query} // join '&', 'info_hash='
        . $self->escaped($self->{hash}), map { defined $o{$_} ? "$_=$o{$_}" : ()
        } sort keys %o;
    return $self->get("/announce?$query", $from);
}

sub scrape {
    my ($self, @hashes) = @_;

    my $r = $self->get('/scrape?' . join '&',
        map { 'info_hash=' . $self->escaped($_) } @hashes ? @hashes
        : $self->{hash});
    return @hashes ? $r->{files} : $r->{files}{ $self->{hash} };
}

# The answer, and its bytes as `raw`.
sub get {
    my ($self, $target, $from) = @_;

    my $r = $self->{t}->http(GET => $self->{url} . $target,
        headers => $from ? { 'X-Forwarded-For' => $from } : {});
    die "$target: $r->{status} $r->{content} " . ($r->{error} // '')
        unless $r->{status} == 200;
    my $answer = decode($r->{content});
    $answer->{raw} = $r->{content};
    $answer->{type} = $r->{headers}{'content-type'};
    for my $list ([ peers => 6 ], [ peers6 => 18 ]) {
        my ($name, $bytes) = @$list;
        next unless defined $answer->{$name};
        die "$name: no multiple of $bytes" if length($answer->{$name}) % $bytes;
        $answer->{$name} = [ map {
            my ($address, $port) = unpack 'a' . ($bytes - 2) . 'n', $_;
            ($bytes == 6 ? inet_ntoa($address)
                : inet_ntop(AF_INET6, $address)) . " $port";
        } unpack "(a$bytes)*", $answer->{$name} ];
    }
    return $answer;
}

# Strict: keys sorted, each once, nothing behind the value.
sub decode {
    my ($text) = @_;

    my $value = _decode(\$text);
    die "bencode: more behind it\n" if pos($text) != length $text;
    return $value;
}

sub _decode {
    my ($text) = @_;

    return $1 if $$text =~ /\G i (0|-?[1-9]\d*) e/gcx;
    if ($$text =~ /\G(0|[1-9]\d*):/gc) {
        my $len = $1;
        my $at = pos $$text;
        die "bencode: cut\n" if $at + $len > length $$text;
        pos($$text) = $at + $len;
        return substr $$text, $at, $len;
    }
    $$text =~ /\Gd/gc or die "bencode: " . substr($$text, pos $$text // 0, 20);
    my (%dict, $last);
    until ($$text =~ /\Ge/gc) {
        my $key = _decode($text);
        die "bencode: $key behind $last\n" if defined $last && $key le $last;
        $dict{ $last = $key } = _decode($text);
    }
    return \%dict;
}

1;
