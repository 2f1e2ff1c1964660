# What a full zone had to forget of a coordinator's word is asked for again, at
# most once a minute; a file that comes back has its nodes again.

use Offload::Test;
use Offload::Test::Clock;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write("html/$_.bin", $t->bytes(300_000, $_)) for 1 .. 2;

my $clock = Offload::Test::Clock->new($t);
my $nginx = $clock->run(sub {
    $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  256k;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
        location /any/ { try_files /2.bin =404; }
    }
}
CONF
});

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);

# An ordinary sync; what the origin needs.
sub need {
    my $r = $c->send(iat => $clock->time, exp => $clock->time + 60, @_);
    die "sync: $r->{status}" if $r->{status} != 200;
    return $c->claims->{need} // '';
}

# More names than the zone has room for.
my $names = 0;
sub flood {
    for (1 .. 600) {
        my $r = $t->http(HEAD => $nginx->url . '/any/' . 'x' x 200 . $names++);
        die "not answered: $r->{status}" if $r->{status} != 200;
    }
}

sub peers {
    my $r = $c->get('/1.bin', 'Offload-Fetch' => 'manifest');
    return 'none' unless Offload::Test::Sync::is_manifest($r);
    return join ' ', map { $_->{id} } @{ $t->claims($r->{content})->{peers} };
}

$clock->forward(3);
my $root = $c->root('/1.bin');
my %state = (nodes => [ $c->node(1) ], contents => { $root => [ [ 1, 1 ] ] });
my %full = (full => { part => 1, parts => 1 });
need();
is need(%full, %state), '', 'a full state';
is peers(), $c->node(1)->{id}, 'a node';
is need(), '', 'nothing is needed';

flood();
is need(), 'full', 'after the flood: all of it again';
is need(), '', 'once';
is $c->root('/1.bin'), $root, 'the file is back';
is need(%full, %state), '', 'said again';
is peers(), $c->node(1)->{id}, 'so is its node';
is need(), '', 'nothing is needed';

# Lost again at once: a minute has to pass.
flood();
is need(), '', 'not twice within a minute';
is need(), '', 'however often it is asked';
$clock->forward(61);
is need(), 'full', 'a minute later';
is need(%full, %state), '', 'said again';

# Candidates that there is no room for in the first place.
my $id = 10;
my $asked = 0;
for (1 .. 40) {
    my @nodes = map { $c->node($id++, zone => 'z' x 60) } 1 .. 60;
    $asked++ if need(nodes => \@nodes, contents => { map {
        sprintf('%064x', $_->{n}) => [ map { [ 1, $_->{n} ] } @nodes[0 .. 23] ]
    } @nodes });
    last if $asked;
    $clock->forward(2);
}
is $asked, 1, 'more than there is room for: said to be lost';

$t->done;
