# Files of a real site that BitTorrent clients give to each other, with no other
# way to find each other than the site's tracker.
#
#   my $x = Exchange->new($t);
#   my @pairs = ([ aria2 => 'rtorrent' ], [ 'aria2', 'qbittorrent' ]);
#   my @all = map { $x->pair($_, 'udp', 'v6') } @pairs;   # seed => leech
#   $x->run(@all);                          # all at once
#
# Owns: the site, a coordinator on 127.0.0.1 and one on [::1] that share one
# Redis, a file and so a swarm for each pair, and who of a pair is there first.

package Exchange;

use strict;
use warnings;

use Test::More ();

use Offload::Test::System;
use Torrents;

our @ISA = 'Offload::Test::System';

my %TRACKER = (v4 => '127.0.0.1', v6 => '[::1]');
# Of the seed and of the leech.  There is one IPv6 address only.
my %ADDRESSES = (v4 => [qw(127.0.0.31 127.0.0.32)], v6 => [qw(::1 ::1)]);
# These do not connect to loopback addresses that a tracker tells, but accept
# what comes from there: they have to be there before the other.
my %WAITS = (transmission => 1);
# These tell no tracker that they go, rtorrent no UDP one.
my $IMPOLITE = qr/transmission|rtorrent.*udp/;

sub new {
    my ($class, $t) = @_;

    my $self = $class->SUPER::new($t, nodes => 0);
    $self->{v4} = $self->coordinator;
    $self->{v6} = $t->coordinator(redis => $self->redis,
        key => $self->coordinator->{key}, host => '[::1]');
    return $self;
}

# A pair of clients: first => 'seed' or 'leech' if who it is matters.
sub pair {
    my ($self, $clients, $protocol, $family, %o) = @_;

    my ($seed, $leech) = @$clients;
    my $number = $self->{t}->next('pair');
    my $bytes = $self->{t}->bytes(400_000, $number);
    $self->{t}->write("html/f$number.bin", $bytes);
    my $first = $o{first} // ($WAITS{$leech} ? 'leech' : 'seed');
    my %who = (
        seed => { client => $seed, address => $ADDRESSES{$family}[0],
            file => $bytes },
        leech => { client => $leech, address => $ADDRESSES{$family}[1] });
    my $name = "$seed to $leech, $protocol, $family";
    return { name => $name, polite => $name !~ $IMPOLITE, running => [],
        file => "f$number.bin", bytes => $bytes, protocol => $protocol,
        family => $family,
        order => [ @who{ $first, $first eq 'seed' ? 'leech' : 'seed' } ] };
}

# A content that the tracker knows, and where to ask: {tracker, infohash}.
sub content {
    my ($self, $protocol, $family) = @_;

    my $pair = $self->pair([qw(none none)], $protocol, $family);
    $self->_torrent($pair);
    $self->{t}->wait_for(sub { $self->_registered($pair) },
        'the tracker knows the content');
    return $pair;
}

# The site's .torrent, which a client gets with the tracker alone.
sub _torrent {
    my ($self, $pair) = @_;

    my $t = $self->{t};
    my $root = $self->root_of("/$pair->{file}");
    my $torrent = $t->http(GET => $self->url(
            "/.well-known/offload/f/$root/$pair->{file}.torrent"))->{content};
    $pair->{tracker} = $self->{ $pair->{family} }->url
        =~ s/^http/$pair->{protocol}/r . '/announce';
    $pair->{torrent} = Torrents::with_tracker($torrent, $pair->{tracker});
    $pair->{infohash} = Torrents::infohash($torrent);
}

# Whether the tracker of this address takes the content's announces.
sub _registered {
    my ($self, $pair) = @_;

    my $r = $self->{t}->http(GET => $self->{ $pair->{family} }->url
        . '/announce?port=0&left=0&peer_id=' . '-' x 20 . '&info_hash='
        . $pair->{infohash} =~ s/(..)/%$1/gr);
    return $r->{status} == 200 && $r->{content} !~ /failure reason/;
}

# "seeds leeches completed", as the tracker counts them.
sub counts {
    my ($self, $pair) = @_;

    my $r = $self->{t}->http(GET => $self->{ $pair->{family} }->url
        . '/scrape?info_hash=' . $pair->{infohash} =~ s/(..)/%$1/gr);
    my ($seeds, $completed, $leeches) = $r->{content} =~
        /8:completei(\d+)e10:downloadedi(\d+)e10:incompletei(\d+)e/;
    return join ' ', $seeds // '-', $leeches // '-', $completed // '-';
}

# The next step of a pair that can be taken; true after the last.
sub _step {
    my ($self, $pair) = @_;

    my $running = $pair->{running};
    if (my $next = $pair->{order}[@$running]) {
        return 0 unless @$running ? $self->counts($pair) =~ /1/
            : $self->_registered($pair);
        my $p = Torrents::start($self->{t}, $next->{client}, %$next,
            name => $pair->{file}, torrent => $pair->{torrent},
            protocol => $pair->{protocol});
        push @$running, $p;
        $pair->{leech} = $p unless defined $next->{file};
        return 0;
    }
    $pair->{has} ||= Torrents::has($self->{t}, $pair->{leech}, $pair->{bytes});
    return 0 unless $pair->{has};
    return $self->counts($pair) eq '0 0 1' if $pair->{ended};
    return 0 if $self->counts($pair) ne '2 0 1';
    $pair->{ended} = 1;
    return 1 unless $pair->{polite};
    Torrents::quit($_) for @$running;
    return 0;
}

# Has each pair exchange its file, and go.
sub run {
    my ($self, @pairs) = @_;

    # The site hashes what is asked for.
    $self->{t}->http(GET => $self->url("/$_->{file}")) for @pairs;
    $self->_torrent($_) for @pairs;
    my @open = @pairs;
    eval {
        $self->{t}->wait_for(sub { !(@open = grep { !$self->_step($_) } @open) },
            'all pairs', 40);
    };
    for (@pairs) {
        Test::More::ok($_->{has}, "$_->{name}: the file");
        Test::More::ok($_->{ended}, 'there are two seeds, one fetched it')
            or Test::More::diag($self->counts($_));
        Test::More::is($self->counts($_), '0 0 1', 'nobody, when they have gone')
            if $_->{polite};
        $_->kill for @{ $_->{running} };
    }
}

1;
