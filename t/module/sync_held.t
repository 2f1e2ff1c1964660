# An answer is held until there is something to say, at most as long as the
# coordinator waits; never beyond the worker's time.

use Offload::Test;
use Offload::Test::Sync;
use Time::HiRes qw(time);

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write('html/f.bin', $t->bytes(300_000, 1));

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

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
$c->root('/f.bin');
$c->start;

# Runs code while a sync is held; how long that took, its answer in $c.
sub held {
    my ($wait, $code) = @_;

    pipe my $read, my $write or die;
    my $started = time;
    my $pid = fork // die;
    if ($pid == 0) {
        my $r = $c->send(wait => $wait);
        print $write "$r->{status} "
            . join ' ', map { $_->{sub} } @{ $c->claims->{contents} // [] };
        close $write;
        POSIX::_exit(0);
    }
    close $write;
    $c->{seq}++;
    # The origin has it once its seq is taken.
    $t->wait_for(sub {
        my $s = $t->json($c->get('/.well-known/offload/status')->{content});
        $s->{coordinators}[0]{applied} == $c->{seq};
    }, 'the sync has arrived');
    $code->();
    my $answer = join '', <$read>;
    waitpid $pid, 0;
    $c->{base} = $c->{seq};
    return ($answer, time - $started);
}

my ($answer, $took) = held(700, sub { });
is $answer, '200 ', 'nothing to say';
cmp_ok $took, '>=', 0.69, 'as long as it waits';
cmp_ok $took, '<', 5, 'no longer';

($answer, $took) = held(10_000, sub {
    $c->get('/f.bin', Accept => 'application/offload+jwt');
});
is $answer, '200 /f.bin', 'demand, from whichever worker';
cmp_ok $took, '<', 5, 'is told at once';

$c->send;
($answer, $took) = held(10_000, sub { $nginx->reload });
is $answer, '200 ', 'a worker that leaves answers';
cmp_ok $took, '<', 5, 'at once';

$c->send;

# A coordinator that hangs up while it waits leaves nothing behind.
my $body = $t->sign($key, 'offload-sync+jwt', { iss => $key->{id},
    aud => $nginx->url, iat => int time, exp => time + 60 | 0, wait => 10_000,
    seq => ++$c->{seq}, base => $c->{base}, epoch => $c->{epoch},
    ack => $c->{ack} });
$t->raw('127.0.0.1', $nginx->port, "POST /.well-known/offload/sync HTTP/1.1\r\n"
    . "Host: x\r\nContent-Length: " . length($body) . "\r\n\r\n$body", 0.3);
$c->{base} = $c->{seq};
$t->wait_for(sub { $t->read("nginx-1/access.log") =~ / 499 / }, '499');
$c->send;
is $c->claims->{need}, undef, 'and the next one goes on from there';

$t->done;
