# From the origin's file to a verified download that costs the origin none of
# its bytes: with the table in the manifest (2 MB), and fetched apart (20 MB).

use Offload::Test;
use Offload::Test::System;

use Digest::SHA qw(sha256_hex);

my $t = Offload::Test->new;
$t->write('html/small.bin', $t->bytes(2_000_000, 1));
$t->write('html/large.bin', $t->bytes(20_000_000, 2));
# Not so fast that one could give everything before the next has answered.
my $s = Offload::Test::System->new($t, nodes => 3,
    node_args => [ map { [ '--rate', '16M' ] } 1 .. 3 ]);

for my $name (qw(small.bin large.bin)) {
    my $root = $s->offloaded("/$name");
    my $bytes = $t->read("html/$name");

    my $r = $t->offload('get', '--json', '-o', $t->path($name),
        $s->url("/$name"));
    is $r->{status}, 0, "$name: offload get succeeds" or diag $r->{err};
    ok $t->read($name) eq $bytes, "$name: the bytes are the origin's";

    my $report = $t->json($r->{out});
    my %got;
    $got{ $_->{kind} } += $_->{bytes} for @{ $report->{sources} };
    is $got{peer}, length $bytes, "$name: every byte came from nodes";
    is $got{origin} // 0, 0, "$name: none from the origin";
    is $report->{root}, $root, "$name: the report names the root";
    is $report->{sha256}, sha256_hex($bytes), "$name: and the checksum";
    cmp_ok scalar(grep { $_->{bytes} } @{ $report->{sources} }), '>', 1,
        "$name: several nodes took part" if $name eq 'large.bin';

    my $whole = $t->http(GET => ($s->nodes)[0]->url . "/c/$root");
    is $whole->{status}, 200, "$name: a node serves the whole content";
    ok $whole->{content} eq $bytes, "$name: and it is the file";
}

my $inspect = $t->offload('inspect', $s->url('/small.bin'));
is $inspect->{status}, 0, 'inspect: the manifest verifies';

my $plain = $t->run('curl', '-sS', $s->url('/small.bin'));
ok $plain->{out} eq $t->read('html/small.bin'),
    'a client that knows nothing of Offload gets the file';

$t->done;
