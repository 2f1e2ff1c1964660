# Two sites in one zone: what one site's coordinator does not acknowledge is
# kept, and takes room from no other site's accounts that are told.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write('html/f.bin', $t->bytes(300_000, 1));

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone     256k;
    offload_state    %%DIR%%/state;
    set_real_ip_from 127.0.0.0/8;
    real_ip_header   X-From;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_peers       32;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen              127.0.0.1:%%PORT_1%%;
        server_name         other.example;
        root                %%DIR%%/html;
        offload             on;
        offload_peers       32;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $one = Offload::Test::Sync->new($t, $key, $nginx->url);
my $other = Offload::Test::Sync->new($t, $key, $nginx->url(1),
    'http://other.example:' . $nginx->port(1));

# From a network of its own each time: ten bytes of each of these nodes.
my $networks = 0;
sub crowd {
    my ($c, @nodes) = @_;
    my $root = $c->offer('/f.bin', map { [ 1, $_ ] } @nodes);
    my $r = $c->report($c->receipt('/f.bin'), $root, [ map { [ $_, 10 ] }
        @nodes ], headers => { 'X-From' => '198.51.' . ++$networks . '.1' });
    is $r->{status}, 204, "nodes $nodes[0] to $nodes[-1]";
    $c->send(gone => [ @nodes ]);
}

# All that a site's coordinator is told: number => bytes.
sub told {
    my ($c) = @_;
    my %nodes;
    $c->{ack} = 0;
    do {
        $c->send;
        $nodes{ unpack 'N', MIME::Base64::decode_base64url($_->{id}) }
            = $_->{bytes} for @{ $c->claims->{nodes} };
    } while ($c->claims->{more});
    return \%nodes;
}

# The zone has room for 64 accounts.  Twelve of the other site come first, and
# its coordinator stays with what it acknowledged before.
$other->start;
my $ack = $other->{ack};
crowd($other, 1 .. 12);
$other->send(ack => $ack);
crowd($one, 101 .. 120);
crowd($one, 121 .. 140);
crowd($one, 141 .. 152);
is scalar keys %{ told($one) }, 52, 'with the first site\'s there is no room';
$one->send;

crowd($one, 201 .. 210);
my $all = told($one);
is_deeply [ grep { !$all->{$_} } 201 .. 210 ], [], 'new ones are counted';
is scalar keys %$all, 52, 'in the place of older ones';
is_deeply told($other), { map { $_ => 10 } 1 .. 12 },
    'what the other site\'s was not told is there';

# Told at last, they make room.
$other->send;
crowd($one, 301 .. 320);
crowd($one, 321 .. 340);
$one->send(ack => told($one) && $one->{ack});
crowd($one, 341 .. 360);
$all = told($one);
is_deeply [ grep { !$all->{$_} } 341 .. 360 ], [], 'new ones again';

$t->done;
