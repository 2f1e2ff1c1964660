# wrk on one core, an nginx with one worker on another.
#
# Owns: wrk's command line and its script, and reading what a run came to: the
# worker's CPU time for a request, requests a second, the 99th percentile.

package Wrk;

use strict;
use warnings;

use constant CONNECTIONS => 16;

# The last core is wrk's, the first one the worker's.
sub worker_mask { '01' }

sub _wrk_core {
    my $cores = qx(nproc);
    die "a benchmark takes two cores\n" if $cores < 2;
    return $cores - 1;
}

# nginx, which of its ports, paths; headers => {...}, seconds, in_order => 1 (else at random,
# except that a single one needs no script).  Dies if any request fails.
sub run {
    my ($nginx, $port, $paths, %o) = @_;

    my $worker = ($nginx->workers)[0] // $nginx->pid;
    my @command = ('taskset', '-c', _wrk_core(), 'wrk', '-t1',
        '-c' . CONNECTIONS, "-d$o{seconds}s", '--latency', '--timeout', '10s',
        map({ ('-H', "$_: $o{headers}{$_}") } sort keys %{ $o{headers} }),
        @$paths > 1 ? ('-s', _script($nginx, $paths, %o)) : (),
        $nginx->url($port) . $paths->[0]);
    my $before = _cpu($worker);
    open my $wrk, '-|', @command or die "wrk: $!\n";
    my $text = join '', <$wrk>;
    close $wrk;
    my $cpu = _cpu($worker) - $before;

    my ($requests) = $text =~ /(\d+) requests in/ or die "wrk: $text\n";
    my ($p99, $unit) = $text =~ /^\s+99%\s+([\d.]+)(us|ms|s)/m
        or die "wrk: $text\n";
    my ($rate) = $text =~ m{^Requests/sec:\s+([\d.]+)}m;
    die "requests failed: $text\n" if $text =~ /Non-2xx|Socket errors/;
    return { cpu => $cpu / $requests, rate => $rate,
        p99 => $p99 * { us => 1e-6, ms => 1e-3, s => 1 }->{$unit} };
}

# Requests are put together once, before the run.
sub _script {
    my ($nginx, $paths, %o) = @_;

    my $list = $nginx->{folder} . '/paths';
    open my $f, '>', $list or die "$list: $!\n";
    print $f "$_\n" for @$paths;
    close $f;
    my $next = $o{in_order} ? 'n = n % #all + 1' : 'n = math.random(#all)';
    my $script = "$list.lua";
    open $f, '>', $script or die "$script: $!\n";
    print $f <<"LUA";
local all, n = {}, 0
function init(args)
    for path in io.lines("$list") do
        all[#all + 1] = wrk.format(nil, path)
    end
end
function request()
    $next
    return all[n]
end
LUA
    close $f;
    return $script;
}

# Seconds that a process has been on a CPU.
sub _cpu {
    my ($pid) = @_;

    open my $f, '<', "/proc/$pid/schedstat" or die "schedstat: $!\n";
    my ($ns) = split / /, <$f>;
    return $ns / 1e9;
}

1;
