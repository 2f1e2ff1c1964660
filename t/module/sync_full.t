# Full states in parts, what they leave out, two coordinators at once, and what
# the origin tells: changes in order, demand, what is gone.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my ($key, $other) = map { $t->key($_) } qw(coordinator other);
$t->write("html/$_.bin", $t->bytes(300_000, $_)) for 1 .. 3;

my $nginx = $t->nginx(<<'CONF',
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
        offload_peers       3;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        offload_coordinator http://127.0.0.1:9998 %%Y%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
    SITE => $t->key('site')->{file}, X => $key->{x}, Y => $other->{x});

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $d = Offload::Test::Sync->new($t, $other, $nginx->url);
my @root = map { $c->root("/$_.bin") } 1 .. 3;
my @held = map { [ 1, $_ ] } 0 .. 9;

sub peers {
    my ($i) = @_;
    my $r = $c->get("/$i.bin", 'Offload-Fetch' => 'manifest');
    return join ' ', sort { $a <=> $b } map { $_->{url} =~ /2(\d+)$/ && $1 + 0 }
        @{ $t->claims($r->{content})->{peers} };
}

# Two parts: nothing is dropped before the last.
$c->start(nodes => [ map { $c->node($_) } 1 .. 4 ],
    contents => { $root[0] => [ @held[1, 2] ], $root[1] => [ $held[3] ] });
is peers(1) . ',' . peers(2), '1 2,3', 'a full state in one part';

$c->send(full => { part => 2, parts => 2 });
is $c->claims->{need}, 'full', 'a second part without a first';
$c->send(full => { part => 1, parts => 2 }, nodes => [ $c->node(4) ],
    contents => { $root[2] => [ $held[4] ] });
is peers(1) . ',' . peers(3), '1 2,4', 'the first part: the old still counts';
$c->send(contents => { $root[0] => [ $held[4] ] });
is $c->claims->{need}, 'full', 'no change in between';
$c->send(full => { part => 1, parts => 2 }, nodes => [ $c->node(4) ]);
$c->send(full => { part => 2, parts => 3 });
is $c->claims->{need}, 'full', 'parts of another number';
$c->send(full => { part => 1, parts => 2 }, nodes => [ $c->node(4) ]);
$c->send(full => { part => 2, parts => 2 }, nodes => [ $c->node(5) ],
    contents => { $root[2] => [ $held[4] ], $root[0] => [ @held[5, 1] ] });
is $c->claims->{need}, undef, 'the last part';
is peers(1) . ',' . peers(2) . ',' . peers(3), '5,,4',
    'what it did not name is gone';
is $t->json($c->get('/.well-known/offload/status')->{content})->{nodes}, 2,
    'its nodes too';

# What two coordinators say goes together; the same node counts once.
$d->start(nodes => [ map { $d->node($_) } 5 .. 8 ],
    contents => { $root[0] => [ [ 2, 6 ], $held[5], $held[7], $held[8] ] });
is join(' ', sort split / /, peers(1)), '5 7 8', 'held before assigned, three';
$d->send(contents => { $root[0] => [] });
is peers(1), '5', 'one has nothing to say any more';

# Everything that changed since "ack", oldest change first.
$c->send(ack => 0);
is_deeply [ map { $_->{sub} } sort { $a->{sub} cmp $b->{sub} }
    @{ $c->claims->{contents} } ], [ '/1.bin', '/2.bin', '/3.bin' ], 'all';
$c->send;
is_deeply $c->claims->{contents}, [], 'nothing new';
my $demand = $c->told('/2.bin')->{demand};
peers(2) for 1 .. 5;
peers(1);
$c->send;
is_deeply [ map { $_->{sub} } @{ $c->claims->{contents} } ],
    [ '/2.bin', '/1.bin' ], 'what was asked for, oldest first';
is $c->told('/2.bin')->{demand}, $demand + 5, 'how often';
$c->get('/2.bin');
$c->get('/2.bin', 'Offload-Fetch' => 'direct');
$c->send;
is_deeply $c->claims->{contents}, [], 'the file itself is no demand';
$d->send;
is_deeply [ map { $_->{sub} } @{ $d->claims->{contents} } ],
    [ '/2.bin', '/1.bin' ], 'the other one is told the same';

# A file that is replaced: the old root goes, the new one comes.
$t->write('html/3.bin', $t->bytes(400_000, 4));
my $new = $t->wait_for(sub {
    my $now = $c->root('/3.bin');
    $now ne $root[2] && $now;
}, 'the new version');
$c->send;
my %gone = map { $_->{root} => $_->{gone} } @{ $c->claims->{contents} };
ok $gone{ $root[2] }, 'the old root is gone';
ok exists $gone{$new} && !$gone{$new}, 'the new one is there';
is peers(3), '', 'nobody has it yet';

$t->done;
