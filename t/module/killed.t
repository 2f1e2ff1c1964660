# Workers that are killed, at any time or in the middle of a write to the zone:
# the others go on, and the zone is never left half written.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write("html/$_.bin", $t->bytes(300_000, $_)) for 1 .. 4;

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
    }
}
CONF

$t->allow(qr/exited on signal 9|was locked by/);
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my %want = ('Offload-Fetch' => 'manifest');
my @root = map { $c->offer("/$_.bin", [ 1, $_ ]) } 1 .. 4;

# Any time: each killed worker may take requests with it, no more.
my ($failed, $asked) = (0, 0);
for my $round (1 .. 20) {
    my @pids = map {
        my $pid = fork // die;
        if ($pid == 0) {
            my $bad = 0;
            for (1 .. 20) {
                my $r = $c->get('/' . (1 + int rand 4) . '.bin', %want);
                $bad++ if $r->{status} != 200;
            }
            POSIX::_exit($bad);
        }
        $pid;
    } 1 .. 2;
    kill KILL => ($nginx->workers)[0];
    for (@pids) {
        waitpid $_, 0;
        $failed += $? >> 8;
        $asked += 20;
    }
    $t->wait_for(sub { $nginx->workers == 2 }, 'two workers');
}
cmp_ok $failed, '<=', 40, "$failed of $asked requests failed, 20 workers killed";
is $c->root("/$_.bin"), $root[ $_ - 1 ], "/$_.bin" for 1 .. 4;

# In the middle of a write, with the lock held.
$nginx->reload($nginx->conf =~ s/worker_processes 2/worker_processes 1/r);
$c->send;
my $epoch = $c->{epoch};
my ($worker) = $nginx->workers;
my $gdb = $t->spawn('gdb', '-q', '-batch', '-p', $worker,
    '-ex', 'break ngx_http_offload_file_used', '-ex', 'shell touch '
    . $t->path('armed'), '-ex', 'continue', '-ex', 'kill');
$t->wait_for(sub { -e $t->path('armed') }, 'gdb is attached', 60);
$t->wait_for(sub { $c->get('/1.bin', %want)->{status} != 200 },
    'the worker dies', 60);
$t->wait_for(sub { my @w = $nginx->workers; @w == 1 && $w[0] != $worker },
    'a new worker', 60);
is $c->root('/1.bin'), $root[0], 'the zone fills again';
like $nginx->log, qr/a worker died while it wrote to the offload zone/,
    'after it was emptied';
$c->send;
is $c->claims->{need}, 'full', 'the coordinator starts over';
isnt $c->{epoch}, $epoch, 'in another epoch';

$t->done;
