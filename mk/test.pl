#!/usr/bin/perl
# Runs tests in parallel: mk/test.pl FILE|FOLDER...
#
# Perl tests (*.t) see t/lib; other files are programs that speak TAP.  The
# last line is "N passed, N failed" and nothing else; a file that crashes,
# hangs or has no plan counts as a failure.
#
# Each file starts several daemons and waits for what they do, and many files
# run at once: a few that fail in the crowd are run again, alone, and then that
# counts.  They are named, since a test should not need it.

use strict;
use warnings;

use File::Find;
use TAP::Harness;
use Time::HiRes qw(time);

use constant FILE_TIMEOUT => $ENV{FILE_TIMEOUT} || 300;    # seconds
use constant AGAIN_MAX    => 4;      # files; more are no accident

my $cores = `nproc` || 1;
my @tests;
for my $path (@ARGV) {
    if (-d $path) {
        find({ no_chdir => 1, wanted => sub {
            # What takes minutes is run when it is asked for.
            $File::Find::prune = 1 if m{/soak$} && $_ ne $path;
            push @tests, $_ if /\.t$/;
        } }, $path);
    }
    else {
        push @tests, $path;
    }
}
die "no tests\n" unless @tests;

my %took;
my %result = run($ENV{JOBS} // ($cores < 2 ? 4 : 2 * $cores), @tests);
my @bad = grep { $result{$_}{failed} } sort keys %result;
if (@bad && @bad <= AGAIN_MAX) {
    print "\nagain, each alone: @bad\n";
    %result = (%result, run(1, @bad));
    print "failed only in the crowd: $_\n"
        for grep { !$result{$_}{failed} } @bad;
}

my @slow = sort { $took{$b} <=> $took{$a} } keys %took;
printf "%6.1f s  %s\n", $took{$_}, $_
    for grep { $took{$_} > 5 } @slow[ 0 .. ($#slow < 9 ? $#slow : 9) ];

my ($passed, $failed) = (0, 0);
for (values %result) {
    $passed += $_->{passed};
    $failed += $_->{failed};
}
printf "%d passed, %d failed\n", $passed, $failed;
exit($failed ? 1 : 0);

# {file => {passed => count, failed => count}}
sub run {
    my ($jobs, @files) = @_;

    my $harness = TAP::Harness->new({
        jobs      => $jobs,
        verbosity => $ENV{VERBOSE} ? 1 : 0,
        color     => -t STDOUT ? 1 : 0,
        exec      => sub {
            my ($h, $file) = @_;
            return [ 'timeout', '-k', '20', FILE_TIMEOUT,
                $file =~ /\.t$/ ? ($^X, '-It/lib', $file) : $file ];
        },
    });
    $harness->callback(made_parser => sub {
        my ($parser, $job) = @_;
        my $start = time;
        $parser->callback(EOF => sub { $took{ $job->[0] } = time - $start });
    });
    my $result = $harness->runtests(sort @files);

    return map {
        my ($parser) = $result->parsers($_);
        my $failed = $parser->failed;
        $failed = 1 if !$failed && $parser->has_problems;
        ($_ => { passed => scalar $parser->passed, failed => $failed });
    } $result->descriptions;
}
