# The processes of a demo, so that another command can end them.
#
# Owns: the file "processes" in the demo's folder: name, process id and the
# time of its start, by which a number that has passed to another process is
# told apart.

package Processes;

use strict;
use warnings;

use File::Basename qw(basename);
use File::Path qw(remove_tree);
use Socket qw(inet_aton);
use Time::HiRes qw(sleep time);

sub remember {
    my ($dir, $name, $pid) = @_;

    open my $f, '>>', "$dir/processes" or die "$dir/processes: $!\n";
    print $f join("\t", $pid, started($pid), $name), "\n";
    close $f or die "$dir/processes: $!\n";
}

sub known {
    my ($dir) = @_;

    open my $f, '<', "$dir/processes" or return;
    return map { chomp; my %p; @p{qw(pid started name)} = split /\t/; \%p }
        <$f>;
}

sub name {
    my ($dir, $pid) = @_;

    my ($known) = grep { $_->{pid} == $pid } known($dir);
    return $known ? $known->{name} : 'a process';
}

# In clock ticks since boot; 0 if it has ended, even if nobody has waited.
sub started {
    my ($pid) = @_;

    open my $f, '<', "/proc/$pid/stat" or return 0;
    my ($rest) = <$f> =~ /\) (.*)/s or return 0;
    my @fields = split ' ', $rest;
    return $fields[0] =~ /[ZX]/ ? 0 : $fields[19];
}

sub alive {
    my ($process) = @_;
    my $started = started($process->{pid});
    return $started && $started == $process->{started};
}

# Ends what runs, the last first, and removes the folder unless it is to be
# kept.  The count of processes that it has ended.
sub stop_all {
    my ($dir, $keep) = @_;

    my $count = 0;
    for my $process (reverse known($dir)) {
        next unless alive($process);
        $count++;
        kill TERM => $process->{pid};
        my $end = time + 20;
        while (alive($process)) {
            if (time > $end) {
                print "$process->{name} does not end: killed\n";
                kill KILL => -$process->{pid};
                $end = time + 20;
            }
            sleep 0.02;
        }
    }
    unlink "$dir/processes";
    remove_tree($dir) unless $keep;
    return $count;
}

# Who listens on an address; undef if nobody does.
sub listener {
    my ($address) = @_;

    my ($host, $port) = split /:/, $address;
    my $wanted = sprintf '%08X:%04X', unpack('V', inet_aton($host)), $port;
    my $any = sprintf '00000000:%04X', $port;
    my $any6 = sprintf '%032X:%04X', 0, $port;
    for my $table ('/proc/net/tcp', '/proc/net/tcp6') {
        open my $f, '<', $table or next;
        while (<$f>) {
            my (undef, $local, undef, $state, undef, undef, undef, undef,
                undef, $inode) = split ' ';
            return owner($inode)
                if $state eq '0A' && ($local eq $wanted || $local eq $any
                    || $local eq $any6);
        }
    }
    return undef;
}

sub owner {
    my ($inode) = @_;

    for my $fd (glob '/proc/[0-9]*/fd/*') {
        next unless (readlink $fd // '') eq "socket:[$inode]";
        my ($pid) = $fd =~ m{^/proc/(\d+)/};
        my $name = basename(readlink "/proc/$pid/exe" // '?');
        return "$name (process $pid)";
    }
    return 'a process of another user';
}

1;
