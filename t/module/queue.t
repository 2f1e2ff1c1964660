# A queue that is full: a file that does not fit is served, and hashed when it
# is asked for later on.

use Offload::Test;
use Offload::Test::Sync;

use constant { FILES => 4200, QUEUE => 4096 };

my $t = Offload::Test->new;
my $key = $t->key('coordinator');

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone       16m;
    offload_state      %%DIR%%/state;
    keepalive_requests 1000;

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
my ($port) = $nginx->url =~ /:(\d+)$/;
sub status { $t->json($c->get('/.well-known/offload/status')->{content}) }

# Many requests on a connection; how many were answered with a part of a file.
sub crawl {
    my (@paths) = @_;
    my $served = 0;
    while (my @some = splice @paths, 0, 200) {
        my $last = pop @some;
        my $head = "Host: 127.0.0.1:$port\r\nRange: bytes=0-0\r\n";
        $served += () = $t->raw('127.0.0.1', $port, join '',
            (map { "GET $_ HTTP/1.1\r\n$head\r\n" } @some),
            "GET $last HTTP/1.1\r\n${head}Connection: close\r\n\r\n")
            =~ m{HTTP/1\.1 206 }g;
    }
    return $served;
}

# The first one takes long; the others queue up behind it.
$t->write('html/first.bin', '');
truncate $t->path('html/first.bin'), 6 << 30 or die;
$t->write("html/$_.bin", '') for 1 .. FILES;
truncate $t->path("html/$_.bin"), 262_144 or die for 1 .. FILES;
$t->wait_for(sub { (stat $t->path('html/first.bin'))[10] + 2 < time }, 'it is older');
crawl('/first.bin');
$t->wait_for(sub { status()->{queued} == 0 }, 'it is hashed');
is crawl(map { "/$_.bin" } 1 .. FILES), FILES, 'all are served';
my $status = status();
is $status->{queued}, QUEUE, 'so many wait';
is $status->{files}, QUEUE + 1, 'the zone knows no more';

# Gone, it makes room.
truncate $t->path('html/first.bin'), 5 or die;
my $last = '/' . FILES . '.bin';
$t->wait_for(sub { status()->{queued} < QUEUE }, 'the queue moves');
is $c->get($last)->{status}, 200, 'one that did not fit';
is $c->get($last, 'Offload-Fetch' => 'manifest')->{headers}{'offload-status'},
    'indexing; retry=1', 'waits, now that it was asked for again';

$t->done;
