# A load on an origin: processes that ask for a file and for its manifest in
# turn, a connection each, and note how each request ended.
#
# Owns: those processes and their notes; they end with the test, whatever
# happens to it.  A request is good if its status is 200 and, if it is for the
# file, the content is the one expected.

package Offload::Test::Load;

use strict;
use warnings;

use Offload::Test::Http;
use POSIX ();
use Time::HiRes qw(time);

use constant LIFETIME => 240;    # seconds, should nobody stop it

# clients => count, url, content => the file's
sub new {
    my ($class, $t, %o) = @_;

    my $self = bless { t => $t, %o, forgotten => 0 }, $class;
    my $n = $t->next('load');
    $self->{flag} = $t->path("load-$n.stop");
    for my $i (1 .. $o{clients}) {
        my $notes = $t->write("load-$n.$i", '');
        my $pid = fork // die "fork: $!\n";
        $self->_run($notes) if $pid == 0;
        push @{ $self->{processes} }, { pid => $pid, notes => $notes };
    }
    return $self;
}

sub _run {
    my ($self, $notes) = @_;

    open my $f, '>>', $notes or POSIX::_exit(1);
    my $parent = getppid;
    my $end = time + LIFETIME;
    my $count = 0;
    until (-e $self->{flag} || time > $end || getppid != $parent) {
        my $manifest = $count++ % 2;
        my $r = Offload::Test::Http::request(GET => $self->{url},
            headers => $manifest ? { Accept => 'application/offload+jwt' }
                : { 'Offload-Fetch' => 'direct' });
        my $good = $r->{status} == 200
            && ($manifest || $r->{content} eq $self->{content});
        syswrite $f, $good ? "ok\n"
            : "failed: $r->{status} " . ($r->{error} // '') . "\n";
    }
    POSIX::_exit(0);
}

sub _notes {
    my ($self) = @_;
    return map { split /\n/, $self->{t}->read($_->{notes}) }
        @{ $self->{processes} };
}

# Waits until so many more requests have ended well.
sub more {
    my ($self, $count) = @_;

    my $from = grep { $_ eq 'ok' } $self->_notes;
    $self->{t}->wait_for(
        sub { $from + $count <= grep { $_ eq 'ok' } $self->_notes },
        "$count more requests", 30);
}

# How requests failed, but for those that were forgotten.
sub failed {
    my ($self) = @_;

    my @failed = grep { $_ ne 'ok' } $self->_notes;
    splice @failed, 0, $self->{forgotten};
    return @failed;
}

sub forget {
    my ($self) = @_;
    $self->{forgotten} += $self->failed;
}

# Ends the load; returns how requests failed.
sub stop {
    my ($self) = @_;

    $self->{t}->write($self->{flag}, '');
    waitpid $_->{pid}, 0 for @{ $self->{processes} };
    return $self->failed;
}

sub requests { scalar $_[0]->_notes }

1;
