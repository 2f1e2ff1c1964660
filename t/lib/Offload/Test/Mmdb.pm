# A small MaxMind database, as the geoip2 module reads them: which country an
# IPv4 network is in.
#
#   Offload::Test::Mmdb::write($t, 'geo.mmdb', '203.0.113.0/24' => 'DE', ...);
#
# Owns: that file's format (MaxMind DB 2.0): a binary tree of 24-bit records,
# the data they lead to, and the metadata behind both.

package Offload::Test::Mmdb;

use strict;
use warnings;

use Socket qw(inet_aton);

# The path of the database.
sub write {
    my ($t, $path, @networks) = @_;

    my (@tree, @leaves);
    my $data = '';
    while (my ($network, $country) = splice @networks, 0, 2) {
        my ($address, $bits) = split m{/}, $network;
        _insert(\@tree, [ split //, substr(unpack('B32', inet_aton($address)),
            0, $bits) ], -1 - length $data);
        $data .= _map(country => _map(iso_code => _text($country)));
    }

    my $count = @tree;
    my $nodes = join '', map {
        substr pack('N', $_ // $count), 1
    } map {
        map { defined && $_ < 0 ? $count + 16 - 1 - $_ : $_ } @$_[ 0, 1 ]
    } @tree;
    return $t->write($path, $nodes . "\0" x 16 . $data
        . "\xab\xcd\xefMaxMind.com" . _map(
            node_count                  => _number(6, $count),
            record_size                 => _number(5, 24),
            ip_version                  => _number(5, 4),
            database_type               => _text('Test'),
            languages                   => "\0\4",
            binary_format_major_version => _number(5, 2),
            binary_format_minor_version => _number(5, 0),
            build_epoch                 => _number(9, 1_700_000_000),
            description                 => _map(),
        ));
}

# A node is a pair: the index of another one, undef, or below 0 where in the
# data it leads to.
sub _insert {
    my ($tree, $bits, $leaf) = @_;

    my $at = 0;
    $tree->[0] //= [];
    while (@$bits > 1) {
        my $bit = shift @$bits;
        if (!defined $tree->[$at][$bit]) {
            push @$tree, [];
            $tree->[$at][$bit] = $#$tree;
        }
        $at = $tree->[$at][$bit];
    }
    $tree->[$at][ $bits->[0] ] = $leaf;
}

# Values of less than 29 bytes or members: the type and the size in one byte,
# two for the types above 7.
sub _text { chr(2 << 5 | length $_[0]) . $_[0] }

sub _map {
    my @members = @_;
    my $out = chr(7 << 5 | @members / 2);
    while (my ($name, $value) = splice @members, 0, 2) {
        # A name is longer than that at times.
        my $len = length $name;
        $out .= ($len < 29 ? chr(2 << 5 | $len)
            : chr(2 << 5 | 29) . chr($len - 29)) . $name . $value;
    }
    return $out;
}

sub _number {
    my ($type, $value) = @_;
    my $bytes = pack('N', $value) =~ s/^\0+//r;
    return $type > 7 ? chr(length $bytes) . chr($type - 7) . $bytes
        : chr($type << 5 | length $bytes) . $bytes;
}

1;
