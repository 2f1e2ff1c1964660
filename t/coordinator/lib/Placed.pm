# Many contents of one site on a crowd of nodes, and where they are placed.

package Placed;

use strict;
use warnings;

use Exporter 'import';
use Offload::Test;
use Site;

our @EXPORT = qw(site_of places moved);

# A site that offers that many contents of a thousand bytes each.
sub site_of {
    my ($t, $c, $count) = @_;

    my $site = Site->new(test => $t, coordinator => $c, name => 'site',
        sync => sub { (200, { contents => [ map { { root =>
            sprintf('%016x', $_ * 7919) x 4, sub => "/$_", size => 1000,
            demand => 0 } } 1 .. $count ] }) });
    $site->join;
    return $site;
}

# The keys that say which node each content is wanted of, sorted.
sub places {
    my ($redis) = @_;

    my @list = sort split /\n/, $redis->cli('EVAL', q{
        local found, list, cursor = {}, {}, '0'
        repeat
            local page = redis.call('SCAN', cursor, 'MATCH', 'c:*:w:*',
                'COUNT', 1000)
            cursor = page[1]
            for _, key in ipairs(page[2]) do found[key] = true end
        until cursor == '0'
        for key in pairs(found) do list[#list + 1] = key end
        return list
    }, 0);
    return @list;
}

# How many of the second list are not in the first one.
sub moved {
    my ($before, $now) = @_;
    my %old = map { $_ => 1 } @$before;
    return scalar grep { !$old{$_} } @$now;
}

1;
