# Receipts without end: report.pl ORIGIN FILE:SIZE...
#
# Ten downloads a second, each by a client of a network of its own, that say
# they got the file from one of the nodes that the manifest names.  After
# SIGTERM it prints, as one line of JSON, what the site took: bytes by node.

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;
use MIME::Base64 qw(decode_base64url);
use Time::HiRes qw(sleep);

my ($origin, @files) = @ARGV;
my $ended;
$SIG{TERM} = sub { $ended = 1 };

my (%bytes, %count);
for (my $i = 0; !$ended; $i++) {
    my ($name, $size) = split /:/, $files[ $i % @files ];
    my $http = HTTP::Tiny->new(timeout => 10, local_address =>
        sprintf '127.%d.%d.9', 1 + $i / 250, $i % 250);
    my $r = $http->get("$origin/$name",
        { headers => { Accept => 'application/offload+jwt' } });
    my $receipt = $r->{headers}{'offload-receipt'};
    if ($receipt) {
        my $m = decode_json(decode_base64url((split /\./, $r->{content})[1]));
        my $id = $m->{peers}[ $i % @{ $m->{peers} } ]{id};
        my $said = 1 + $i * 7919 % $size;
        $r = $http->post("$origin/.well-known/offload/report", {
            headers => { 'Content-Type' => 'application/json' },
            content => encode_json({ receipt => $receipt,
                root => $m->{content}{root},
                peers => [ { id => $id, bytes => $said, failed => \0 } ] }) });
        $count{ $r->{status} }++;
        $bytes{$id} += $said if $r->{status} == 204;
    }
    else {
        $count{'no peers'}++;
    }
    sleep 0.1;
}
print encode_json({ bytes => \%bytes, count => \%count }), "\n";
