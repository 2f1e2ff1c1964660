# Whose word counts, and how often: one network of clients cannot ruin a node
# with as many reports as it likes, nor make the origin forget that it has
# reported, nor take all the room there is for that.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write("html/$_.bin", $t->bytes(300_000, $_)) for 1 .. 40;

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
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my %root = map { $_ => $c->offer("/$_.bin", [ 1, 1 ], [ 1, 2 ]) } 1 .. 40;

sub report {
    my ($from, $file, @peers) = @_;
    return $c->report($c->receipt("/$file.bin"), $root{$file}, \@peers,
        headers => { 'X-From' => $from })->{status};
}

# What has been told of the first node so far: (bytes, failed).
sub told {
    my %told;
    $c->send(ack => 0);
    $told{ $_->{id} } = $_ for @{ $c->claims->{nodes} };
    return @{ $told{ $c->node(1)->{id} } // {} }{qw(bytes failed)};
}

# As selection has it: a number that halves every five minutes.
sub failures {
    my $r = $t->http(GET => $nginx->url
        . '/.well-known/offload/peers?path=/1.bin');
    my ($one) = grep { $_->{n} == 1 } @{ $t->json($r->{content})->{candidates} };
    return $one->{failures};
}

# One failure a day and node.
is report('192.0.2.1', $_, [ 1, 0, 1 ], [ 2, 0, 1 ]), 204, "failed, file $_"
    for 1 .. 6;
is_deeply [ told() ], [ 0, 1 ], 'one network\'s word on one node counts once';
cmp_ok failures(), '<=', 1, 'also for who is named';
is report('192.0.3.1', 1, [ 1, 0, 1 ]), 204, 'another network';
is_deeply [ told() ], [ 0, 2 ], 'is heard';
is report('192.0.2.1', 7, [ 1, 10, 1 ]), 204, 'bytes, and a failure again';
is_deeply [ told() ], [ 10, 2 ], 'only the bytes count';

# Others, each once.
my @first = map { "198.51.$_.1" } 1 .. 8;
is report($_, 1, [ 1, 100_000 ]), 204, "$_ reports" for @first;
my ($bytes) = told();
is $bytes, 800_010, 'which counts';

# One network on many contents: no more than a sixteenth of 512 places.
report('203.0.113.1', $_, [ 1, 1000 ]) for 1 .. 40;
my ($more) = told();
cmp_ok $more - $bytes, '<=', 32 * 1000, 'a network has so much room, no more';
cmp_ok $more - $bytes, '>=', 16 * 1000, 'which is enough for most';

# So many other networks that there is no room for all.
report(sprintf('10.%d.%d.1', $_ >> 8, $_ & 255), 1, [ 2, 1 ]) for 1 .. 900;
is report($_, 1, [ 1, 100_000 ]), 204, "$_ reports again" for @first;
is +(told())[0], $more, 'which does not count, whoever came meanwhile';

$t->done;
