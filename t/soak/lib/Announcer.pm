# Announces that go on all the time, in a process of their own.

package Announcer;

use strict;
use warnings;

# The coordinators, and raw infohashes.
sub new {
    my ($class, $t, $coordinators, @hashes) = @_;

    my $process = $t->spawn($^X, 't/soak/lib/announce.pl',
        map({ $_->url } @$coordinators), '--',
        map { unpack 'H*', $_ } @hashes);
    return bless { t => $t, process => $process }, $class;
}

# Ends them: {answers, failed, unreachable, slowest (seconds)}.
sub end {
    my ($self) = @_;

    $self->{process}->stop;
    return $self->{t}->json($self->{t}->read($self->{process}{out}));
}

1;
