# A file whose table is too large for its manifest: it comes from the site, or
# from a peer if the site has none, and a wrong one is not believed.  And a
# site with several names.

use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $bytes = $t->bytes(33 * 262_144 + 5, 14);
my $site = Offload::Test::Site->new($t, bytes => $bytes);
my $peer = $site->peer;
my $out = $t->path('out.bin');
my $pieces = 'site/.well-known/offload/pieces/' . $site->root;
my $table = $t->read($pieces);
is length $table, 34 * 32, 'the table is above 1 KiB';

$site->publish(peers => [$peer]);
my $r = $t->offload('get', '-q', '-o', $out, $site->url);
is $r->{status}, 0, 'the table comes from the site' or diag $r->{err};
ok $t->read($out) eq $bytes, 'and the file from the peer';

unlink $t->path($pieces);
$r = $t->offload('get', '-q', '-o', $out, $site->url);
is $r->{status}, 0, 'else from a peer' or diag $r->{err};
like $t->read('peer-1.log'), qr{/c/[0-9a-f]+/pieces\?e=\d+&s=\S+ .* 200},
    'with the ticket';

$t->write($pieces, $table ^ "\1");
my $other = $site->peer;
$t->write('peer-2/t/' . $site->root, $table ^ "\2");
$site->publish(peers => [$other]);
$r = $t->offload('get', '-q', '-o', $out, $site->url);
is $r->{status}, 91, 'a table that is not the root\'s is refused';
like $r->{err}, qr/pieces/, 'by name';
$site->publish(peers => [ $other, $peer ]);
$r = $t->offload('get', '-q', '-o', $out, $site->url);
is $r->{status}, 0, 'a right one from another peer is taken';
$t->write($pieces, $table);

# The manifest's iss is another of the site's names.
sub site_document {
    my (@names) = @_;
    $t->write('site/.well-known/offload/site', $t->sign($site->key,
        'offload-site+jwt', { iss => $names[0], iat => time,
            exp => time + 3600, names => \@names, coordinators => [],
            sync => [] }));
}
$site->publish(peers => [$peer], iss => 'https://example.org');
site_document('https://example.org', $site->origin->url);
$r = $t->offload('get', '-q', '-o', $out, $site->url);
is $r->{status}, 0, 'a site that goes by another name' or diag $r->{err};
site_document('https://example.org');
$r = $t->offload('get', '-q', '-o', $out, $site->url);
is $r->{status}, 91, 'not unless its document names the one asked';
site_document($site->origin->url);
$r = $t->offload('get', '-q', '-o', $out, $site->url);
is $r->{status}, 91, 'nor unless it names the iss';
like $r->{err}, qr/none of the site's names/, 'with the reason';

$t->done;
