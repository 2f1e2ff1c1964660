# One coordinator, or a crowd from everywhere, takes no more than its share: of
# the manifests in the zone, of the places for nodes, of the signatures. And a
# full state ends what it leaves out.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my ($key, $other) = map { $t->key($_) } qw(coordinator other);
$t->write("html/$_.bin", $t->bytes(300_000, $_)) for 1, 2;

my $nginx = $t->nginx(<<'CONF',
%%MODULES%%
worker_processes 1;
events {}
http {
    offload_zone  4m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_ttl         10m;
        offload_locality    $http_x_zone;
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

sub status { $t->json($c->get('/.well-known/offload/status')->{content}) }
sub manifest { $c->get($_[0], Accept => 'application/offload+jwt', 'X-Zone' => $_[1] // '') }
sub is_manifest { Offload::Test::Sync::is_manifest($_[0]) }
sub peers {
    my $r = $c->get($_[0], 'Offload-Fetch' => 'manifest');
    return join ' ', sort map { $_->{url} =~ /:(\d+)$/ } @{ $t->claims($r->{content})->{peers} };
}

# A crowd from fourteen zones: once all is signed, everyone gets a manifest.
my @root = map { $c->root("/$_.bin") } 1, 2;
$c->start(nodes => [ map { $c->node($_, zone => "Z$_") } 1 .. 14 ],
    contents => { $root[0] => [ map { [ 1, $_ ] } 1 .. 14 ], $root[1] => [ [ 1, 1 ] ] });
my ($signed, $since) = (0, time);
$t->wait_for(sub {
    manifest('/1.bin', 'Z' . (1 + $_ % 14)) for 1 .. 280;
    my $now = status()->{signatures};
    ($signed, $since) = ($now, time) if $now != $signed;
    return time - $since > 1;
}, 'all is signed', 30);
cmp_ok $signed, '>=', 14 * 4, 'manifests for each zone, and several';
my $before = status();
my $given = grep { is_manifest(manifest('/1.bin', 'Z' . (1 + $_ % 14))) } 1 .. 500;
my $after = status();
is $given, 500, 'everyone gets one';
cmp_ok $after->{signatures} - $before->{signatures}, '<', 20, 'that was there already';

# More signatures than there may be in a second: what suits everyone, not the file.
$c->send(contents => { $root[0] => [ map { [ 1, $_ ] } 1 .. 13 ] });
$given = grep { is_manifest(manifest('/1.bin', 'Z' . (1 + $_ % 14))) } 1 .. 500;
is $given, 500, 'nor does anyone have to wait for a signature';

# A full state ends what it leaves out, at once.
is peers('/2.bin'), '2001', 'a content that is held';
$c->send(full => { part => 1, parts => 1 }, nodes => [ map { $c->node($_) } 1, 2 ],
    contents => { $root[0] => [ [ 1, 1 ] ] });
is peers('/2.bin'), '', 'is not, when a full state says nothing of it';

# Contents that nobody asks for push out no manifest that is in use.
manifest('/1.bin') for 1 .. 40;
$d->start;
my $k = 0;
for (1 .. 60) {
    $d->send(contents => { map { sprintf('%064x', $k++) => [ map { [ 1, $_ ] } 1 .. 24 ] }
        1 .. 180 });
    manifest('/1.bin');
}
cmp_ok status()->{zone}{evictions}, '>', 100, 'a flood of contents fills the zone';
manifest('/1.bin') for 1 .. 20;
$before = status();
$d->send(contents => { map { sprintf('%064x', $k++) => [ [ 1, 1 ] ] } 1 .. 180 });
manifest('/1.bin') for 1 .. 20;
is status()->{signatures} - $before->{signatures}, 1, 'only its own sync is signed';

# Nor does one that names more nodes than there is room for.
$d->send(nodes => [ map { $d->node($_ + 1000) } $_ * 60 + 1 .. $_ * 60 + 60 ]) for 0 .. 19;
my $nodes = status()->{nodes};
$c->send(nodes => [ map { $c->node($_) } 3, 4 ], contents => { $root[1] => [ [ 1, 3 ], [ 1, 4 ] ] });
is status()->{nodes}, $nodes, 'all places for nodes are taken';
is peers('/2.bin'), '2003 2004', 'by one who has to make room for another';

$t->done;
