# One process that a test has started, and its log.
#
# Owns: starting it in a process group of its own, waiting until it is ready,
# ending it, its exit status.  A process that was not killed on purpose has to
# end with status 0 and to leave no child behind; problems() says what was
# wrong.  Knows nothing of what the process does.

package Offload::Test::Process;

use strict;
use warnings;

use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

# name, log, cmd => [...], ready => sub {...} (default: at once), env => {...},
# wait => seconds that it may take to start and to stop.
sub new {
    my ($class, %o) = @_;

    my $self = bless { wait => 20, env => {}, problems => [], %o }, $class;
    return $self->start;
}

sub start {
    my ($self) = @_;

    die "$self->{name} runs already\n" if $self->{pid};
    $self->{log_start} = -s $self->{log} // 0;
    delete $self->{status};

    my $pid = fork // die "fork: $!\n";
    $self->_exec if $pid == 0;
    setpgrp $pid, $pid;
    $self->{pid} = $self->{last_pid} = $pid;

    # One that never gets ready must not outlive the attempt.
    if (!eval { $self->_wait_until_ready; 1 }) {
        my $reason = $@;
        $self->kill;
        die $reason;
    }
    return $self;
}

sub _wait_until_ready {
    my ($self) = @_;

    my $end = time + $self->{wait};
    until (!$self->{ready} || $self->{ready}->($self)) {
        die "$self->{name} ended with status $self->{status} before it was "
            . "ready:\n" . $self->tail . "\n"
            unless $self->running;
        die "$self->{name} is not ready after $self->{wait} s:\n"
            . $self->tail . "\n"
            if time > $end;
        sleep 0.01;
    }
}

sub _exec {
    my ($self) = @_;

    setpgrp 0, 0;
    @ENV{ keys %{ $self->{env} } } = values %{ $self->{env} };
    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', $self->{out} // $self->{log};
    open STDERR, '>>', $self->{log};
    no warnings 'exec';
    exec { $self->{cmd}[0] } @{ $self->{cmd} };
    print STDERR "cannot start $self->{cmd}[0]: $!\n";
    POSIX::_exit(127);
}

sub name { $_[0]{name} }
sub pid  { $_[0]{pid} }

sub running {
    my ($self) = @_;

    return 0 unless $self->{pid};
    return 1 if waitpid($self->{pid}, WNOHANG) == 0;
    $self->_ended($?);
    return 0;
}

# Waits for it to end by itself; its status, which the test judges.
sub wait {
    my ($self, $seconds) = @_;

    my $end = time + ($seconds // $self->{wait});
    while ($self->running) {
        die "$self->{name} still runs, it should have ended\n" if time > $end;
        sleep 0.01;
    }
    $self->{reported} = 1;
    $self->_leave_no_child;
    return $self->{status};
}

# The way an administrator stops it: SIGTERM, and status 0.
sub stop {
    my ($self) = @_;

    return 0 unless $self->{last_pid};
    if ($self->running) {
        kill TERM => $self->{pid};
        my $end = time + $self->{wait};
        while ($self->running) {
            if (time > $end) {
                $self->_problem("did not end within $self->{wait} s of SIGTERM");
                kill ABRT => $self->{pid};
                sleep 0.2;
                kill KILL => -$self->{pid};
                waitpid $self->{pid}, 0;
                $self->_ended($?);
                last;
            }
            sleep 0.01;
        }
    }
    $self->_problem("ended with status $self->{status}")
        if $self->{status} && !$self->{reported}++;
    $self->_leave_no_child;
    return $self->{status};
}

# As a crash would: SIGKILL to it and its children.
sub kill {
    my ($self) = @_;

    return unless $self->running;
    CORE::kill KILL => -$self->{pid};
    waitpid $self->{pid}, 0;
    $self->_ended(0);
    $self->_leave_no_child;
}

sub signal { CORE::kill $_[1] => $_[0]{pid} if $_[0]{pid} }

sub status   { $_[0]{status} }
sub problems { @{ $_[0]{problems} } }

# All that it has logged; with a true argument only since it was last started.
sub log {
    my ($self, $recent) = @_;
    return _slurp($self->{log}, $recent ? $self->{log_start} : 0);
}

# What it has written to its standard output, where that is not the log.
sub output { _slurp($_[0]{out} // $_[0]{log}, 0) }

sub _slurp {
    my ($path, $from) = @_;

    open my $f, '<', $path or return '';
    binmode $f;
    seek $f, $from, 0;
    local $/;
    return <$f> // '';
}

sub tail {
    my ($self, $count) = @_;

    my @lines = split /^/m, $self->log;
    splice @lines, 0, -($count // 30) if @lines > ($count // 30);
    return join '', map { "    $_" } @lines;
}

sub _ended {
    my ($self, $status) = @_;

    $self->{status} = $status & 127 ? 128 + ($status & 127) : $status >> 8;
    delete $self->{reported};
    delete $self->{pid};
}

sub _problem {
    my ($self, $text) = @_;
    push @{ $self->{problems} }, "$self->{name} (pid $self->{last_pid}) $text";
}

sub _leave_no_child {
    my ($self) = @_;

    my $group = delete $self->{last_pid} // return;
    my $end = time + 5;
    while (my @left = group_members($group)) {
        if (time > $end) {
            push @{ $self->{problems} },
                "$self->{name} left processes behind: @left";
            CORE::kill KILL => -$group;
            last;
        }
        sleep 0.01;
    }
}

# The processes of a group; those that have ended and wait for init to notice
# do not count.
sub group_members {
    my ($group) = @_;

    return map { $_->{pid} } grep { $_->{group} == $group } processes();
}

sub processes {
    my @found;

    for my $path (glob '/proc/[0-9]*/stat') {
        open my $f, '<', $path or next;
        my ($pid, $state, $parent, $group) =
            (<$f> // '') =~ /^(\d+) \(.*\) (\S) (\d+) (\d+)/s
            or next;
        next if $state eq 'Z' || $state eq 'X';
        push @found, { pid => $pid, parent => $parent, group => $group };
    }
    return @found;
}

1;
