# What a node does not take: assignments whose manifest does not verify, or
# says something else than the coordinator.  Each refusal names its reason.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my $other = $t->key('other');
my $bytes = $t->bytes(300_000, 1);

# One flipped bit in each part (t/unit/manifest.c: every bit of a manifest).
my $good = $s->content('/good.bin', $bytes);
my $token = $t->read("$s->{dir}/manifests/good.bin.jwt");
sub flipped {
    my @parts = split /\./, $token;
    substr($parts[ $_[0] ], length($parts[ $_[0] ]) / 2, 1) ^= "\x01";
    return { token => join '.', @parts };
}

# A node of its own for each case, since it logs one refusal a second.
sub refused {
    my ($name, $c, $reason) = @_;
    my $node = $t->node(coordinator => $s->coordinator);
    my $line;

    $s->assign($c, $node);
    $t->wait_for(sub {
        ($line) = $node->log =~ m{assignment of \S+/$name\.bin: not taken: (.*)};
        $line;
    }, "a word on $name");
    like $line, $reason, "$name: $line";
    ok !$s->held($node, $c), 'it is not acknowledged';
    is $t->http(GET => $node->url . $c->{path})->{status}, 404, 'nor served';
    $node->stop;
}

my @cases = (
    [ 'flip-head', flipped(0), qr/JWS header/ ],
    [ 'flip-body', flipped(1), qr/signature|JSON|base64url/ ],
    [ 'flip-sig', flipped(2), qr/signature|base64url/ ],
    [ 'key', { key => { %$other, id => $s->key->{id} } }, qr/signature/ ],
    [ 'kid', { key => $other }, qr/kid \S+ is none of the 1 keys/ ],
    [ 'typ', { header => { typ => 'offload-site+jwt' } }, qr/typ/ ],
    [ 'alg', { header => { alg => 'none' } }, qr/alg/ ],
    [ 'old', { claims => { iat => time - 7200, exp => time - 3600 } },
        qr/expired/ ],
    [ 'future', { claims => { iat => time + 3600, exp => time + 7200 } },
        qr/future/ ],
    [ 'iss', { claims => { iss => 'http://other.example' } }, qr/iss is/ ],
    [ 'sub', { claims => { sub => '/good.bin' } }, qr/sub is/ ],
    [ 'none', { token => '' }, qr/JWS/ ],
);
for my $case (@cases) {
    my ($name, $options, $reason) = @$case;
    my $c = $s->content("/$name.bin", $bytes . $name, %$options);
    refused($name, $c, $reason);
}

# The coordinator says another version, or something that the site has not.
my $new = $s->content('/two.bin', "$bytes.new");
refused('two', { %$new, root => $good->{root} }, qr/another version/);
$s->file('/plain.bin', $bytes);
refused('plain', { %$new, sub => '/plain.bin' }, qr/no manifest/);

my $node = $t->node(coordinator => $s->coordinator);
my $last = $s->content('/last.bin', $bytes);
$s->assign($last, $node);
$s->wait_complete($last, $node);
pass 'a good one is taken';

$t->done;
