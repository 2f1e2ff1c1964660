# What receipts say of nodes adds up, one report a day from each network and
# content, and is told to coordinators: in the order of changes, until they have
# acknowledged it, for longer than the nodes are there.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write("html/$_.bin", $t->bytes(300_000, $_)) for 1 .. 4;

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone     512k;
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
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->offer('/1.bin', [ 1, 1 ], [ 1, 2 ]);

sub report {
    my ($from, $path, @peers) = @_;
    my $of = $c->told($path)->{root};
    my $r = $c->report($c->receipt($path), $of, \@peers,
        headers => { 'X-From' => $from });
    is $r->{status}, 204, "a report from $from";
}

# All that is told of nodes from now on: number => "bytes failed".
my %serial; # the last one told
sub told {
    my %nodes;
    do {
        $c->send;
        for (@{ $c->claims->{nodes} }) {
            my $n = unpack 'N', MIME::Base64::decode_base64url($_->{id});
            $nodes{$n} = "$_->{bytes} $_->{failed}";
            $serial{$n} = $_->{serial};
        }
    } while ($c->claims->{more});
    return \%nodes;
}

is_deeply told(), {}, 'nothing yet';
report('192.0.2.1', '/1.bin', [ 1, 200_000 ], [ 2, 0, 1 ]);
is_deeply told(), { 1 => '200000 0', 2 => '0 1' }, 'bytes and failures';
is_deeply told(), {}, 'once, when it is acknowledged';
report('192.0.3.1', '/1.bin', [ 1, 100_000 ]);
is_deeply told(), { 1 => '300000 0' }, 'they add up';

# One network, one content, one day.
report('192.0.2.77', '/1.bin', [ 1, 50_000 ]);
report('2001:db8:1:2::1', '/1.bin', [ 1, 10 ]);
report('2001:db8:1:3::2', '/1.bin', [ 1, 20 ]);
report('2001:db8:2::1', '/1.bin', [ 1, 40 ]);
is_deeply told(), { 1 => '300050 0' }, 'a /24 and a /48 count once';
$c->offer('/2.bin', [ 1, 1 ]);
report('192.0.2.77', '/2.bin', [ 1, 1000 ]);
is_deeply told(), { 1 => '301050 0' }, 'for each content';

# What was not acknowledged is told again; another coordinator hears it all.
report('192.0.4.1', '/1.bin', [ 2, 7 ]);
my $ack = $c->{ack};
is_deeply told(), { 2 => '7 1' }, 'told';
$c->{ack} = $ack;
is_deeply told(), { 2 => '7 1' }, 'and again';
$c->{ack} = 0;
is_deeply told(), { 1 => '301050 0', 2 => '7 1' }, 'everything from the start';

# Twelve characters that are right make no node.
my $id = $c->node(1)->{id};
substr($id, 20, 5) = 'XXXXX';
$c->report($c->receipt('/1.bin'), $root, [ { id => $id, bytes => 5 } ],
    headers => { 'X-From' => '192.0.5.1' });
is_deeply told(), {}, 'nothing is counted for a node that nobody knows';

# A node that is gone is still counted, if it was before.
my $receipt = $c->receipt('/1.bin');
$c->send(gone => [ 1, 2 ]);
$c->report($receipt, $root, [ [ 1, 3 ] ],
    headers => { 'X-From' => '192.0.6.1' });
is_deeply told(), { 1 => '301053 0' }, 'a node that is gone';

# A zone of 512 KiB keeps 128 of them; those that every coordinator knows make
# room for others, and begin anew.
my $crowds = 0;
sub crowd {
    my $first = 100 * ++$crowds;
    my @nodes = map { $first + $_ } 1 .. 24;

    $c->offer('/3.bin', map { [ 1, $_ ] } @nodes);
    report("198.51.$crowds.1", '/3.bin', map { [ $_, 10 ] } @nodes);
    $c->send(gone => [ splice @{ $c->{last} // [] } ]);
    $c->{last} = [ @nodes ];
    return @nodes;
}
my @first = crowd();
crowd() for 1 .. 4;
$c->{ack} = 0;
$c->send;
is scalar @{ $c->claims->{nodes} }, 64, 'at most 64 are told at once';
my ($before) = map { $_->{serial} } grep { $_->{id} eq
    $c->node($first[0])->{id} } @{ $c->claims->{nodes} };
ok $c->claims->{more}, 'and that there are more';
is scalar keys %{ told() }, 58, 'the others follow';
my @last = crowd();
$c->{ack} = 0;
my $all = told();
is scalar keys %$all, 128, 'there is room for so many';
is_deeply [ @$all{@last} ], [ ('10 0') x 24 ], 'the last ones are among them';
ok !exists $all->{ $first[0] }, 'and those that changed least recently are not';
$c->offer('/3.bin', [ 1, $first[0] ]);
report('198.51.90.1', '/3.bin', [ $first[0], 5 ]);
is_deeply told(), { $first[0] => '5 0' }, 'one that comes back begins anew';
cmp_ok $serial{ $first[0] }, '>', $before, 'and says so by its serial';
$before = $serial{ $first[0] };
report('198.51.91.1', '/3.bin', [ $first[0], 50 ]);
is_deeply told(), { $first[0] => '55 0' }, 'where it goes on';
is $serial{ $first[0] }, $before, 'it keeps the serial';
is scalar keys %{ { reverse %serial } }, scalar keys %serial,
    'which no other one has';

# Nothing is given up that was not acknowledged.
my $known = $c->{ack};
my %mine;
for (1 .. 6) {
    $c->{ack} = $known;
    $mine{$_} = 1 for crowd();
}
$c->{ack} = $known;
my $kept = told();
is scalar keys %$kept, 128, 'what is not acknowledged fills all room';
is scalar(grep { $mine{$_} } keys %$kept), 128, 'with what came first';
ok !exists $kept->{ 100 * $crowds + 24 }, 'what came then was not counted';
like $nginx->log, qr/offload zone is full/, 'which the log says';

$t->done;
