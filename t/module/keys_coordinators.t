# What several coordinators say of one content comes together: a node that two
# of them name is named once, whoever has it all comes first, each can take back
# only what it has said, and offload_peers is the limit.

use Offload::Test;
use Offload::Test::Clock;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my %key = map { $_ => $t->key($_) } qw(site a b c stranger);
$t->write("html/$_/f.bin", $t->bytes(300_000, 1)) for qw(all one two most);

my $clock = Offload::Test::Clock->new($t);
my $nginx = $clock->run(sub {
    $t->nginx(<<'CONF', map { uc() => $key{$_}{x} } qw(a b c));
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
        offload_ttl         4s;
        offload_key         %%DIR%%/site.pem;
        offload_coordinator http://127.0.0.1:9999 %%A%%;
        offload_coordinator http://127.0.0.1:9998 %%B%%;
        offload_coordinator http://127.0.0.1:9997 %%C%%;

        location /.well-known/offload/ { offload_endpoint; }
        location /one/  { offload_peers 1; }
        location /two/  { offload_peers 2; }
        location /most/ { offload_peers 32; }
    }
}
CONF
});
$clock->forward(3);

my %c = map { $_ => Offload::Test::Sync->new($t, $key{$_}, $nginx->url) }
    qw(a b c);
my %root = map { $_ => $c{a}->root("/$_/f.bin") } qw(all one two most);
my $root = $root{all};
is scalar(grep { $_ eq $root } values %root), 4, 'one content at four places';

sub sync {
    my ($c, %members) = @_;
    my $r = $c->send(iat => $clock->time, exp => $clock->time + 60, %members);
    return $r->{status} == 200 ? $c->claims->{need} // '' : $r->{status};
}

sub manifest {
    my ($place) = @_;
    return $t->claims($c{a}->get("/$place/f.bin",
        'Offload-Fetch' => 'manifest')->{content});
}

# Numbers of the nodes that are named, as their URLs have them.
sub peers { map { $_->{url} =~ /:(\d+)$/ && $1 - 2000 }
    @{ manifest($_[0] // 'all')->{peers} } }
sub named { join ' ', sort { $a <=> $b } peers(@_) }

sync($_) for values %c;
is sync($c{$_}, full => { part => 1, parts => 1 }), '', "$_ is heard"
    for sort keys %c;
is_deeply manifest('all')->{trackers}, [ map { "http://127.0.0.1:$_" }
    9999, 9998, 9997 ], 'all of them are trackers';

# The same node, under another number with each.
my $node = $c{a}->node(1);
sync($c{a}, nodes => [ $node, $c{a}->node(2) ],
    contents => { $root => [ [ 1, 1 ], [ 2, 2 ] ] });
sync($c{b}, nodes => [ { %$node, n => 7 }, $c{b}->node(3) ],
    contents => { $root => [ [ 2, 7 ], [ 1, 3 ] ] });
is named(), '1 2 3', 'those of both, and who is named twice once';
is_deeply [ sort((peers())[0, 1]) ], [ 1, 3 ], 'those that have it all first';

sync($c{c}, nodes => [ { %{ $c{c}->node(2) }, n => 9 } ],
    contents => { $root => [ [ 1, 9 ] ] });
is named(), '1 2 3', 'one more word for one of them';

# Each takes back what it has said, no more.
sync($c{a}, contents => { $root => '' });
is named(), '1 2 3', 'one takes its word back, the others stand by theirs';
sync($c{c}, gone => [9]);
is named(), '1 3', 'the last one who named it says that it is gone';
sync($c{b}, gone => [7]);
is named(), '3', 'and of the other';
sync($c{a}, contents => { $root => [ [ 1, 1 ] ] });
is named(), '1 3', 'the first one still knows its node';
sync($c{a}, full => { part => 1, parts => 1 }, nodes => [ $c{a}->node(5) ],
    contents => { $root => [ [ 1, 5 ] ] });
is named(), '3 5', 'a full state replaces what that one has said';

# One is silent for a minute, and comes back.
$clock->forward(40);
is sync($c{b}), '', 'one is heard';
$clock->forward(30);
is named(), '3', 'the silent ones are not believed';
is sync($c{a}), '', 'nor is anything forgotten';
$clock->forward(3);
is named(), '3 5', 'when it is heard again';

# Whom this site does not know says nothing.
my $stranger = Offload::Test::Sync->new($t, $key{stranger}, $nginx->url);
is sync($stranger), 401, 'a stranger';

# 24 of each, 48 together: not more than asked for, nor than 32.
for my $name (qw(a b)) {
    my $from = $name eq 'a' ? 100 : 200;
    my @nodes = map { $c{$name}->node($from + $_,
        url => 'http://127.0.0.1:' . (2000 + $from + $_)) } 1 .. 24;
    sync($c{$name}, nodes => \@nodes,
        contents => { $root => [ map { [ 1, $_->{n} ] } @nodes ] });
}
for ([ one => 1 ], [ two => 2 ], [ all => 8 ], [ most => 32 ]) {
    my ($place, $count) = @$_;
    my @peers = peers($place);
    is scalar(@peers), $count, "offload_peers $count";
    my %seen = map { $_ => 1 } @peers;
    is scalar(keys %seen), $count, 'each once';
}
my %from;
$from{ int $_ / 100 }++ for peers('most');
is join(' ', sort keys %from), '1 2', 'those of both coordinators';

$t->done;
