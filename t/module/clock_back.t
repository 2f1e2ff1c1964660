# A clock that is set back by an hour: what was heard, made and told before does
# not count for that hour longer, and with the next sync all is as it was.

use Offload::Test;
use Offload::Test::Clock;
use Offload::Test::Sync;
use Time::Piece ();

my $t = Offload::Test->new;
my $clock = Offload::Test::Clock->new($t);
my $key = $t->key('coordinator');
$t->write('html/f.bin', $t->bytes(300_000, 1));

my $nginx = $clock->run(sub { $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x}) });
%%MODULES%%
env LD_PRELOAD;
env OFFLOAD_TEST_CLOCK;
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

sub heard { $c->send(iat => $clock->time, exp => $clock->time + 60, @_) }
sub manifest {
    my $r = $c->get('/f.bin', 'Offload-Fetch' => 'manifest');
    return $t->claims($r->{content});
}
sub age { $t->json($c->get('/.well-known/offload/status')->{content})
    ->{coordinators}[0]{age} }

# Until the worker has looked at it.
sub set {
    $clock->forward($_[0]);
    $t->wait_for(sub { abs(Time::Piece->strptime($c->get('/f.bin')->{headers}{date},
        '%a, %d %b %Y %H:%M:%S GMT')->epoch - $clock->time) < 3 }, 'its clock');
}

set(3600);
heard();
heard(full => { part => 1, parts => 1 }, nodes => [ $c->node(1) ],
    contents => { $root => [ [ 1, 1 ] ] });
is scalar @{ manifest()->{peers} }, 1, 'a coordinator was heard';
cmp_ok manifest()->{iat}, '>', time + 3000, 'an hour ahead';

set(-3600);
cmp_ok manifest()->{iat}, '<=', time + 60, 'nothing signed in the future is given';
is scalar @{ manifest()->{peers} }, 0, 'and nothing that was heard there';
is age(), 0, 'status: its age is no negative one';
like $c->get('/.well-known/offload/metrics')->{content},
    qr/^offload_coordinator_sync_age_seconds\{.*\} 0$/m, 'metrics: neither';

heard();
is scalar @{ manifest()->{peers} }, 1, 'heard again: as before';

$t->done;
