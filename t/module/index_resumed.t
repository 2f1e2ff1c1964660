# A hash that was interrupted is taken up again without anyone asking for the
# file: after a reload, and after a worker was killed; and a clock that was set
# back does not keep any from being begun.

use Offload::Test;
use Offload::Test::Clock;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $clock = Offload::Test::Clock->new($t);
my $key = $t->key('coordinator');
$t->allow(qr/exited on signal 9/);

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
sub states { $t->json($c->get("/.well-known/offload/status")->{content})->{states} }

# Large and empty: it takes some seconds.
sub begin {
    my ($name) = @_;
    $t->write("html/$name", '');
    truncate $t->path("html/$name"), 3 << 29 or die;
    utime time - 100, time - 100, $t->path("html/$name");
    $t->wait_for(sub { (stat $t->path("html/$name"))[10] + 2 < $clock->time }, 'age');
    $c->get("/$name", Range => 'bytes=0-0');
    $t->wait_for(sub { states()->{hashing} == 1 }, "$name is begun");
}

begin('reloaded.bin');
$nginx->reload;
is states()->{ready}, 0, 'reloaded before it was done';
$t->wait_for(sub { states()->{ready} == 1 }, 'the new worker to do it', 30);
pass 'it was taken up';

begin('killed.bin');
my ($worker) = $nginx->workers;
kill KILL => $worker;
$t->wait_for(sub { my @w = $nginx->workers; @w == 1 && $w[0] != $worker }, 'a new worker');
is states()->{hashing}, 1, 'killed before it was done';
$clock->forward(61);
$t->wait_for(sub { states()->{ready} == 2 }, 'the next worker to do it', 30);
pass 'it was taken up';

# Two that are too young to be hashed; before they are not, it is an hour ago.
$clock->forward(3600);
for my $name (qw(young.bin other.bin)) {
    $t->write("html/$name", $t->bytes(300_000, $name));
    utime $clock->time, $clock->time, $t->path("html/$name");
    $c->get("/$name");
}
$t->wait_for(sub { states()->{queued} == 2 && !states()->{hashing} }, 'two to wait');
$clock->forward(-3600);
$t->wait_for(sub { states()->{ready} == 4 }, 'both', 20);
pass 'a clock that is set back';

$t->done;
