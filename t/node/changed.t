# A file that changes at the origin: the node gives up the old version, tells
# the coordinator and those who wait for it, and never serves a mixture.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;
use Time::HiRes qw(sleep);

my $t = Offload::Test->new;
my $old = $t->bytes(3_000_000, 1);
my $new = $t->bytes(3_500_000, 2);

# A real server: the version that the manifest names has just been replaced.
my $s = Scripted->new($t);
my $c = $s->content('/f.bin', $old);
$s->file('/f.bin', $new);
my $node = $t->node(coordinator => $s->coordinator);
$s->assign($c, $node);
$t->wait_for(sub { $s->dropped($node, $c) }, 'the content to be given up');
like $node->log, qr/$c->{root}: dropped: the file has changed at the origin/,
    'a 412 ends it';
is $t->http(GET => $node->url . $c->{path})->{status}, 404, 'it is gone';
is $s->egress('/f.bin'), 0, 'no byte of the new version was taken';
my @left = glob $node->dir . "/c/*/$c->{root}*";
is scalar @left, 0, 'nor is anything of it left on disk';

my $next = $s->content('/f.bin', $new);
$s->assign($next, $node);
$s->wait_complete($next, $node);
ok $t->http(GET => $node->url . $next->{path})->{content} eq $new,
    'the new version is taken as any other';

# An origin that does not know If-Match gives bytes of both.
my $careless = Scripted->new($t, origin => sub {
    my ($s, $socket, $request) = @_;
    my ($first, $last) = $request->{headers}{range} =~ /(\d+)-(\d+)/;

    $s->reply($socket, 206, substr($first < 1_000_000 ? $old : $new, $first,
        $last - $first + 1), undef, "Content-Range: bytes $first-$last/3000000");
});
my $mixed = $careless->content('/f.bin', $old, file => 0, etag => '"old"');
my $node2 = $t->node(coordinator => $careless->coordinator);
$careless->assign($mixed, $node2);
$t->wait_for(sub { $careless->dropped($node2, $mixed) }, 'the mixture to be seen');
like $node2->log, qr/dropped: a piece from the origin is not what the site signed/,
    'a piece that does not match ends it, too';
is $t->http(GET => $node2->url . $mixed->{path})->{status}, 404, 'it is gone';

# Who waits for a piece when the change is found is told.
my $late = Scripted->new($t, origin => sub {
    my ($s, $socket) = @_;
    my $end = time + 20;

    sleep 0.02 while !-e $t->path('go') && time < $end;
    $s->reply($socket, 412, 'changed');
});
my $c3 = $late->content('/f.bin', $old, file => 0, etag => '"old"');
my $node3 = $t->node(coordinator => $late->coordinator);
$late->assign($c3, $node3);
$t->wait_for(sub { $late->origin->log =~ m{(?:GET /f.bin.*){2}}s }, 'a pull');
my $client = $t->spawn('curl', '-sSv', '-m', 20, '-w', '%{http_code}',
    $node3->url . $c3->{path});
$t->wait_for(sub { $client->log =~ m{> GET /c/} }, 'the request to be sent');
$t->write('go', 1);
$client->wait;
like $client->output, qr/"error":"this content has changed.*410$/s,
    'a waiting client gets a 410 that says what to do';

$t->done;
