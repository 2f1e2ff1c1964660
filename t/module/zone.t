# The zone: kept over a reload, made anew with another size, emptied when a
# writer died in the middle, and never full for good.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write("html/$_.bin", $t->bytes(262_144 + $_, $_)) for 1 .. 3;

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
worker_processes 2;
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
        location /any/ { try_files /1.bin =404; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my %want = (Accept => 'application/offload+jwt');
sub status { $t->json($c->get('/.well-known/offload/status')->{content}) }

my $root = $c->offer('/1.bin', [ 1, 1 ]);
my $manifest = $c->get('/1.bin', %want)->{content};
my $epoch = $c->{epoch};

$nginx->reload;
$c->get('/1.bin');
is $c->get('/1.bin', %want)->{content}, $manifest, 'a reload keeps all';
$c->send;
is $c->claims->{need}, undef, 'the coordinator notices nothing';

# Another size: from the state folder, and from the next full state.
my $conf = $nginx->conf =~ s/offload_zone  1m/offload_zone  300k/r;
$nginx->reload($conf);
is $c->root('/1.bin'), $root, 'another size: known again';
is status()->{hashed}, 0, 'without hashing';
is $c->get('/1.bin', %want)->{headers}{'offload-status'}, 'nopeers; retry=1',
    'but nobody has it';
$c->send;
is $c->claims->{need}, 'full', 'the coordinator is asked';
isnt $c->{epoch}, $epoch, 'the epoch is another';

# A root may be named before the file is asked for again.
my $root2 = $c->root('/2.bin');
$nginx->stop;
$nginx->start;
$c->send;
$c->send(full => { part => 1, parts => 1 }, nodes => [ $c->node(1) ],
    contents => { $root2 => [ [ 1, 1 ] ] });
is $c->root('/2.bin'), $root2, 'known again';
ok Offload::Test::Sync::is_manifest($c->get('/2.bin', %want)), 'with its node';

# More names than there is room for: the oldest go, nothing fails.
for my $n (1 .. 1500) {
    my $r = $t->raw('127.0.0.1', $nginx->port, "HEAD /any/" . 'x' x 200
        . "$n HTTP/1.0\r\nHost: 127.0.0.1:" . $nginx->port . "\r\n\r\n");
    die "not answered: $r" if $r !~ m{^HTTP/1.1 200 };
}
my $n = status();
cmp_ok $n->{files}, '<', 1500, "of 1500 names $n->{files} are kept";
cmp_ok $n->{files}, '>', 100, 'not too few';
is $c->root('/3.bin'), $c->root('/3.bin'), 'new ones are taken up';

# Many nodes and candidates too.
my $id = 10;
for (1 .. 30) {
    $c->send(full => { part => 1, parts => 1 }) unless $c->{base};
    my @nodes = map { $c->node($id++, zone => 'z' x 60) } 1 .. 60;
    $c->send(nodes => \@nodes, contents => { map { sprintf('%064x', $_->{n})
        => [ map { [ 1, $_->{n} ] } @nodes[0 .. 23] ] } @nodes });
    die 'sync failed' if !$c->claims;
    # Some of it was forgotten: the origin says so.
    $c->start if $c->claims->{need};
}
$n = status();
cmp_ok $n->{nodes}, '>', 50, "$n->{nodes} nodes of 1800, $n->{contents} contents";
$c->start;
$c->start(nodes => [ $c->node(1) ], contents => { $c->root('/3.bin') => [ [ 1, 1 ] ] });
ok Offload::Test::Sync::is_manifest($c->get('/3.bin', %want)), 'it still works';
my @full = $nginx->log =~ /the offload zone is full/g;
is scalar(@full), 1, 'a line in the log says so, once a minute';
unlike $nginx->log, qr/temporary file/, 'bodies stay in memory';

$t->done;
