# A coordinator that is silent for a minute is not believed any more, until it
# is heard again; manifests that rest on its word are not given either.

use Offload::Test;
use Offload::Test::Clock;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my ($key, $other) = map { $t->key($_) } qw(coordinator other);
$t->write('html/f.bin', $t->bytes(300_000, 1));

my $clock = Offload::Test::Clock->new($t);
my $nginx = $clock->run(sub {
    $t->nginx(<<'CONF',
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
        offload_ttl         600s;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        offload_coordinator http://127.0.0.1:9998 %%Y%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
        SITE => $t->key('site')->{file}, X => $key->{x}, Y => $other->{x});
});
$clock->forward(3);

my @c = map { Offload::Test::Sync->new($t, $_, $nginx->url) } $key, $other;
my $root = $c[0]->root('/f.bin');

sub sync {
    my ($c, %members) = @_;
    $c->send(iat => $clock->time, exp => $clock->time + 60, %members);
    return $c->claims->{need} // '';
}

sub peers {
    my $r = $c[0]->get('/f.bin', 'Offload-Fetch' => 'manifest');
    return join ' ', sort map { $_->{url} =~ /2(\d+)$/ && $1 + 0 }
        @{ $t->claims($r->{content})->{peers} };
}

for my $n (1, 2) {
    sync($c[ $n - 1 ]);
    sync($c[ $n - 1 ], full => { part => 1, parts => 1 },
        nodes => [ $c[0]->node($n) ], contents => { $root => [ [ 1, $n ] ] });
}
is peers(), '1 2', 'both are believed';
$clock->forward(50);
is peers(), '1 2', 'for some time';
is sync($c[0]), '', 'one is heard again';
$clock->forward(20);
is peers(), '1', 'not the one that is silent';
my $r = $c[0]->get('/f.bin', Accept => 'application/offload+jwt');
is_deeply [ map { $_->{id} } @{ $t->claims($r->{content})->{peers} } ],
    [ $c[0]->node(1)->{id} ], 'nor in what was signed before';
$clock->forward(301);
is sync($_), '', 'heard again, when the next one is signed' for @c;
is peers(), '1 2', 'with all that it said';
$clock->forward(61);
is peers(), '', 'nobody is heard any more';
is $c[0]->get('/f.bin', Accept => 'application/offload+jwt')->{headers}
    {'offload-status'}, 'nopeers; retry=1', 'the file';

$t->done;
