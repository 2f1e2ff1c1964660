# An origin that gives the file itself, with or without --direct: it is
# streamed, said to be unverified, resumed by Range and If-Range, and redirects
# are followed.

use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $bytes = $t->bytes(3_000_000, 11);
my $site = Offload::Test::Site->new($t, bytes => $bytes);
my $out = $t->path('out.bin');

my $r = $t->offload('get', '--json', '-o', $out, $site->url);
is $r->{status}, 0, 'without a manifest the file comes' or diag $r->{err};
ok $t->read($out) eq $bytes, 'as it is';
my $report = $t->json($r->{out});
ok !$report->{verified}, 'the report says that it was not verified';
is $report->{root}, undef, 'and has no root';
is_deeply [ map { [ @$_{qw(kind bytes)} ] } @{ $report->{sources} } ],
    [ [ 'origin', length $bytes ] ], 'the origin gave it all';
$r = $t->offload('get', '-o', $out, $site->url);
like $r->{err}, qr/^not verified/m, 'so do the words';
$r = $t->offload('get', '-o', '-', $site->url);
ok $r->{out} eq $bytes, 'it goes to standard output as well';

$site->publish(peers => [ $site->peer ]);
$r = $t->offload('get', '--direct', '--json', '-o', $out, $site->url);
is $r->{status}, 0, '--direct';
ok !$t->json($r->{out})->{verified}, 'takes the file although it could have '
    . 'a manifest';
like $site->seen, qr{GET /f.bin "-" "direct"}, 'and asks for it';
$site->serve(undef);

# Other servers, which break off.
my $cut = 1_000_000;
my $count = $t->path('count');
my $server = $t->serve(sub {
    my ($s, $request) = @_;
    my ($from) = ($request->{headers}{range} // '') =~ /^bytes=(\d+)-$/;
    my $whole = $request->{target} eq '/weak' ? 'W/"v1"' : '"v1"';

    if ($request->{target} eq '/moved') {
        print $s "HTTP/1.1 302 F\r\nLocation: /f?x=1\r\n"
            . "Content-Length: 0\r\n\r\n";
        return;
    }
    if (defined $from && $request->{headers}{'if-range'} eq '"v1"') {
        print $s sprintf "HTTP/1.1 206 P\r\nETag: \"v1\"\r\nContent-Range: "
            . "bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n", $from,
            length($bytes) - 1, length $bytes, length($bytes) - $from;
    }
    else {
        $from = 0;
        print $s "HTTP/1.1 200 OK\r\nETag: $whole\r\nContent-Length: "
            . length($bytes) . "\r\n\r\n";
    }
    print $s substr $bytes, $from, $cut;
});

$r = $t->offload('get', '--json', '-o', $out, $server->url . '/f');
is $r->{status}, 0, 'a server that breaks off again and again'
    or diag $r->{err};
ok $t->read($out) eq $bytes, 'is asked for the rest each time';
is $t->json($r->{out})->{sources}[0]{bytes}, length $bytes,
    'no byte comes twice';
$r = $t->offload('get', '-q', '-o', '-', $server->url . '/f');
is $r->{status}, 0, 'to standard output too' or diag $r->{err};
ok $r->{out} eq $bytes, 'in one piece';
$r = $t->offload('get', '-q', '-o', $out, $server->url . '/weak');
is $r->{status}, 18, 'with a weak ETag that cannot be: status 18';

# Interrupted, then another run.
unlink "$out.part";
my $slow = $site->peer(rate => '1m');
my $url = $slow->url . '/c/' . $site->root;
my $get = $t->spawn($t->build . '/offload', 'get', '-o', $out, $url);
$t->wait_for(sub { ((-s "$out.part") // 0) > 500_000 }, 'some bytes');
$get->signal('TERM');
is $get->wait, 130, 'interrupted';
$r = $t->offload('get', '--json', '-o', $out, $url);
is $r->{status}, 0, 'the next run goes on' or diag $r->{err};
ok $t->read($out) eq $bytes, 'to the whole file';
cmp_ok $t->json($r->{out})->{resumed}, '>', 400_000, 'from where it was';
is_deeply [ glob "$out.*" ], [], 'nothing is left beside it';

$r = $t->offload({ dir => $t->dir }, 'get', '-q', $server->url . '/-');
is $r->{status} . $r->{out}, '0', 'a URL that ends in "-" is no pipe';
ok $t->read('-') eq $bytes, 'but a file of that name';

$r = $t->offload('get', '-o', $out, $server->url . '/moved');
is $r->{status}, 0, 'a redirect is followed' or diag $r->{err};
ok $t->read($out) eq $bytes, 'to the file';

$t->done;
