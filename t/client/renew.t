# A long download outlives its manifest: with all peers lost it asks for others,
# before its ticket ends it gets a new one, and neither lets it start over.

use MIME::Base64 qw(encode_base64url);
use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $bytes = $t->bytes(6_000_000, 15);
my $site = Offload::Test::Site->new($t, bytes => $bytes);
my $first = $site->peer(rate => '700k');
my $second = $site->peer;
my $out = $t->path('out.bin');

# The file itself is not to be had at the origin, so only peers are left.
sub start {
    my $get = $t->spawn($t->build . '/offload', 'get', '--json', '-o', $out,
        $site->url);
    $t->wait_for(sub { ((stat "$out.part")[12] // 0) * 512 > 800_000 },
        'some pieces');
    return $get;
}

$site->publish(peers => [$first]);
my $get = start();
unlink $t->path('site/f.bin');
$site->publish(peers => [$second]);
$first->stop;
is $get->wait(60), 0, 'its peer gone, it finds the new one'
    or diag $get->log;
ok $t->read($out) eq $bytes, 'the file is intact';
my $report = $t->json($get->output);
is $report->{restarts}, 0, 'nothing was started over';
my %bytes = map { $_->{url} => $_->{bytes} } @{ $report->{sources} };
cmp_ok $bytes{ $first->url }, '>', 0, 'what the first gave was kept';
is $bytes{ $first->url } + $bytes{ $second->url }, length $bytes,
    'the second gave the rest';

# Nobody left, not even in a new manifest: an end.
$first->start;
$site->publish(peers => [$first]);
unlink $out;
$get = start();
$first->stop;
is $get->wait(60), 18, 'if that does not help it ends with 18';

# A ticket that soon has less than two minutes left.
$first->start;
my $e = time + 124;
my $old = "e=$e&s=" . encode_base64url('x' x 64);
$site->publish(peers => [$first], path => '/c/' . $site->root . "?$old");
unlink $out, "$out.part";
$get = start();
$site->publish(peers => [$first]);
is $get->wait(60), 0, 'a ticket about to end' or diag $get->log;
my @tickets = $t->read('peer-1.log') =~ m{/c/[0-9a-f]+\?(\S+)}g;
ok +(grep { $_ eq $old } @tickets), 'is used at first';
isnt $tickets[-1], $old, 'and then replaced';
ok $t->read($out) eq $bytes, 'the file is intact';
is $t->json($get->output)->{restarts}, 0, 'nothing was started over';

$t->done;
