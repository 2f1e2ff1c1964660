# What a coordinator may say: who it is, when, in which order; and what is
# refused, with which status and reason.

use Offload::Test;
use Offload::Test::Sync;
use MIME::Base64 qw(encode_base64url);

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write('html/f.bin', $t->bytes(300_000, 1));

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->root('/f.bin');

sub peers {
    my $r = $c->get('/f.bin', 'Offload-Fetch' => 'manifest');
    return join ' ', sort { $a <=> $b } map { $_->{url} =~ /2(\d+)$/ && $1 + 0 }
        @{ $t->claims($r->{content})->{peers} };
}

# Junk does not use up what is there for a coordinator at a new address.
my $stranger = $t->key('stranger');
my %junk;
$junk{ $c->post($_)->{status} }++ for ('junk', $t->sign($stranger,
    'offload-sync+jwt', {})) x 15;
is_deeply \%junk, { 400 => 15, 401 => 15 }, 'junk, before it is known';

# The first word is a question for the whole.
my $r = $c->send(nodes => [ $c->node(1) ], contents => { $root => [ [ 1, 1 ] ] });
is "$r->{status} $c->{claims}{need}", '200 full', 'no epoch: full, please';
is $r->{headers}{'content-type'}, 'application/jwt', 'type';
is $r->{headers}{'cache-control'}, 'no-store', 'not to be kept';
is $c->claims->{iss}, $nginx->url, 'iss';
is $c->claims->{aud}, $key->{id}, 'aud';
is $c->claims->{seq}, $c->{seq}, 'seq is echoed';
is peers(), '', 'nothing was applied';

$c->send(base => 5);
is $c->claims->{need}, 'full', 'base is not what was applied';
$c->send(base => undef);
is $c->claims->{need}, 'full', 'no base';

$c->send(full => { part => 1, parts => 1 }, nodes => [ $c->node(1) ],
    contents => { $root => [ [ 1, 1 ] ] });
is $c->claims->{need}, undef, 'a full state needs no base';
is peers(), '1', 'and is applied';

$c->send(nodes => [ $c->node(2) ], contents => { $root => [ [ 1, 2 ], [ 3, 1 ] ] });
is peers(), '1 2', 'a change on top of it';
$c->send(epoch => 'A' x 22, contents => { $root => [ [ 1, 1 ] ] });
is $c->claims->{need}, 'full', 'of another epoch';
is peers(), '1 2', 'nothing was applied';
$c->{base} = $c->{seq} - 1;
$c->send(nodes => [ { %{ $c->node(2) }, url => 'http://n.example:2002' } ]);
is $c->claims->{need}, undef, 'the base is the last one applied';
is peers(), '1 2', 'a node that moved is still there';
$c->send(contents => { $root => '' });
is peers(), '', 'an empty list';
$c->send(contents => { $root => [ [ 1, 2 ] ], 'f' x 64 => [ [ 1, 1 ] ] });
is peers(), '2', 'a root that is unknown does no harm';

# Refused: how it is changed, the status, and a word of the reason.
my $last = $c->{seq};
my $now = time;
my @refused = (
    [ { seq => $last }, 409, 'seq' ],
    [ { seq => 1 }, 409, 'seq' ],
    [ { aud => 'http://x' }, 400, 'aud' ],
    [ { iss => $stranger->{id} }, 400, 'iss' ],
    [ { iat => $now - 200, exp => $now - 100 }, 401, 'exp' ],
    [ { iat => $now + 100, exp => $now + 200 }, 401, 'iat' ],
    [ { iat => undef }, 400, 'iat' ],
    [ { seq => undef }, 400, 'seq' ],
    [ { seq => -1 }, 400, 'seq' ],
    [ { epoch => 'short' }, 400, 'epoch' ],
    [ { wait => 10_001 }, 400, 'wait' ],
    [ { ack => 'x' }, 400, 'ack' ],
    [ { full => { part => 2, parts => 1 } }, 400, 'part' ],
    [ { nodes => {} }, 400, 'nodes' ],
    [ { nodes => [1] }, 400, 'nodes' ],
    [ { nodes => [ $c->node(1, n => 0) ] }, 400, 'n is 0' ],
    [ { nodes => [ $c->node(1, n => 1 << 24) ] }, 400, 'n: not within' ],
    [ { nodes => [ $c->node(1, id => 'x') ] }, 400, 'id' ],
    [ { nodes => [ $c->node(1, url => 'ftp://x') ] }, 400, 'http' ],
    [ { nodes => [ $c->node(1, url => 'http://x/y') ] }, 400, '' ],
    [ { nodes => [ $c->node(1, zone => 'z' x 65) ] }, 400, 'zone' ],
    [ { nodes => [ $c->node(1, zone => "a\nb") ] }, 400, 'printable' ],
    [ { nodes => [ $c->node(1, url => 'http://x:25') ] }, 400, 'port' ],
    [ { gone => ['1'] }, 400, 'gone' ],
    [ { contents => { x => '' } }, 400, 'root' ],
    [ { contents => { $root => 'AAA' } }, 400, 'four' ],
    [ { contents => { $root => 'AQAAAQ==' } }, 400, 'base64url' ],
    [ { contents => { $root => $c->candidates([ 4, 1 ]) } }, 400, 'neither' ],
    [ { contents => { $root => $c->candidates([ 1, 0 ]) } }, 400, 'no node' ],
    [ { contents => { $root => $c->candidates(([ 1, 1 ]) x 25) } }, 400, '24' ],
    [ { contents => { $root => 5 } }, 400, 'base64url' ],
);
for (@refused) {
    my ($change, $status, $word) = @$_;
    my $r = $c->send(%$change);
    my $json = JSON::PP->new->canonical->encode($change);
    is $r->{status}, $status, substr "$status: $json", 0, 70;
    like $t->json($r->{content})->{error}, qr/\Q$word\E/, "says $word";
}
$r = $c->send(seq => 1);
is $t->json($r->{content})->{seq}, $last, '409 says from where to go on';

my %claims = (iss => $key->{id}, aud => $nginx->url, seq => $last + 1000,
    iat => $now, exp => $now + 60);
my $good = $t->sign($key, 'offload-sync+jwt', \%claims);
for ([ 401, 'kid', $t->sign($stranger, 'offload-sync+jwt', \%claims) ],
    [ 401, 'signature', $t->sign($stranger, 'offload-sync+jwt', \%claims,
        kid => $key->{id}) ],
    [ 400, 'typ', $t->sign($key, 'offload-heartbeat+jwt', \%claims) ],
    [ 400, 'alg', $t->sign($key, 'offload-sync+jwt', \%claims, alg => 'none') ],
    [ 400, '', '{}' ], [ 400, '', '' ], [ 400, '', "\0" x 100 ],
    [ 413, '64 KiB', 'x' x 65_537 ])
{
    my ($status, $word, $body) = @$_;
    my $r = $c->post($body);
    is $r->{status}, $status, "$status for " . (substr($body, 0, 30) =~ s/\0/./gr);
    like $t->json($r->{content})->{error}, qr/$word/, "says $word";
}
is peers(), '2', 'nothing of that was applied';
is $c->post($good, $last + 1000)->{status}, 200, 'the good one passes';
is $c->post($good)->{status}, 409, 'once';

# What a stranger says is not read: neither an unknown one's nor one's who takes
# a coordinator's name.
sub unread {
    my ($kid) = @_;
    my $head = encode_base64url(sprintf
        '{"alg":"EdDSA","typ":"offload-sync+jwt","kid":"%s"}', $kid);
    return $c->post("$head." . encode_base64url('no JSON') . '.' . 'A' x 86)->{status};
}
is unread($stranger->{id}), 401, 'an unknown one is told so, whatever he says';
is unread($key->{id}), 401, 'a wrong signature, too';

# A body of unknown length.
my $body = $t->sign($key, 'offload-sync+jwt', { %claims, seq => $last + 2000 });
my $got = $t->raw('127.0.0.1', $nginx->port, "POST /.well-known/offload/sync "
    . "HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked"
    . sprintf("\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", length $body, $body));
like $got, qr/^HTTP\/1.1 411 .*Content-Length"/s, 'chunked';

$t->done;
