# Clients that ask a coordinator for its key over and over, some with a new
# connection each, some with one that they keep; each failure is noted.

package Steady;

use strict;
use warnings;

use IO::Socket::INET;
use Offload::Test::Http;
use POSIX ();
use Time::HiRes qw(sleep time);

use constant LIFETIME => 60;    # seconds, should nobody stop it

sub new {
    my ($class, $t, $c, %o) = @_;

    my $self = bless { t => $t, c => $c,
        flag => $t->path('steady-' . $t->next('steady') . '.stop') }, $class;
    my @kinds = (('fresh') x ($o{fresh} // 2), ('kept') x ($o{kept} // 2));
    for my $i (0 .. $#kinds) {
        my $notes = $t->write("$self->{flag}.$i", '');
        my $pid = fork // die "fork: $!\n";
        $self->_run($kinds[$i], $notes) if $pid == 0;
        push @{ $self->{processes} }, { pid => $pid, notes => $notes };
    }
    return $self;
}

sub _run {
    my ($self, $kind, $notes) = @_;

    local $SIG{PIPE} = 'IGNORE';
    open my $f, '>>', $notes or POSIX::_exit(1);
    my $parent = getppid;
    my $end = time + LIFETIME;
    until (-e $self->{flag} || time > $end || getppid != $parent) {
        my $why = $kind eq 'fresh' ? $self->_fresh : $self->_kept;
        syswrite $f, $why ? "failed: $kind: $why\n" : "ok\n";
        sleep 0.002;
    }
    POSIX::_exit(0);
}

sub _fresh {
    my ($self) = @_;

    my $r = Offload::Test::Http::request(GET => $self->{c}->url . '/v1/key',
        timeout => 5);
    return $r->{status} == 200 ? '' : "$r->{status} " . ($r->{error} // '');
}

# A connection is given up when the server says so, as HTTP wants it.
sub _kept {
    my ($self) = @_;

    my ($address) = $self->{c}->url =~ m{//(.*)};
    my $s = $self->{socket} // IO::Socket::INET->new(PeerAddr => $address,
        Timeout => 5) // return "connect: $!";
    delete $self->{socket};
    print $s "GET /v1/key HTTP/1.1\r\nHost: x\r\n\r\n";
    $s->flush;
    my ($head, $len, $body) = ('');
    while (defined(my $line = <$s>)) {
        last if $line eq "\r\n";
        $head .= $line;
    }
    ($len) = $head =~ /^Content-Length: (\d+)/mi;
    return "no answer: $!" unless $len && $head =~ m{^HTTP/1.1 200};
    return 'cut off' unless read($s, $body, $len) == $len;
    $self->{socket} = $s unless $head =~ /^Connection: close/mi;
    return '';
}

sub _notes {
    my ($self) = @_;
    return map { split /\n/, $self->{t}->read($_->{notes}) }
        @{ $self->{processes} };
}

# Waits for so many more requests of each client.
sub more {
    my ($self, $count) = @_;

    my @goal = map { $count + (() = $self->{t}->read($_->{notes}) =~ /\n/g) }
        @{ $self->{processes} };
    $self->{t}->wait_for(sub {
        !grep { (() = $self->{t}->read($self->{processes}[$_]{notes})
            =~ /\n/g) < $goal[$_] } 0 .. $#goal;
    }, 'more requests', 40);
}

sub failed { grep { /^failed/ } $_[0]->_notes }

# Ends them; what has failed.
sub stop {
    my ($self) = @_;

    $self->{t}->write($self->{flag}, '');
    waitpid $_->{pid}, 0 for @{ $self->{processes} };
    return $self->failed;
}

1;
