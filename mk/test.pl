#!/usr/bin/perl
# Runs tests in parallel: mk/test.pl FILE|FOLDER...
#
# Perl tests (*.t) see t/lib; other files are programs that speak TAP.  The
# last line is "N passed, N failed" and nothing else; a file that crashes,
# hangs or has no plan counts as a failure.

use strict;
use warnings;

use File::Find;
use TAP::Harness;
use Time::HiRes qw(time);

use constant FILE_TIMEOUT => 300;    # seconds

my $cores = `nproc` || 1;
my @tests;
for my $path (@ARGV) {
    if (-d $path) {
        find({ no_chdir => 1, wanted => sub { push @tests, $_ if /\.t$/ } },
            $path);
    }
    else {
        push @tests, $path;
    }
}
die "no tests\n" unless @tests;

my %took;
my $harness = TAP::Harness->new({
    jobs      => $ENV{JOBS} // ($cores < 2 ? 4 : 2 * $cores),
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

my $result = $harness->runtests(sort @tests);

my @slow = sort { $took{$b} <=> $took{$a} } keys %took;
printf "%6.1f s  %s\n", $took{$_}, $_
    for grep { $took{$_} > 5 } @slow[ 0 .. ($#slow < 9 ? $#slow : 9) ];

my $failed = $result->failed;
for my $file ($result->descriptions) {
    my ($parser) = $result->parsers($file);
    $failed++ if $parser->has_problems && !$parser->failed;
}
printf "%d passed, %d failed\n", scalar $result->passed, $failed;
exit($failed ? 1 : 0);
