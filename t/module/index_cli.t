# `offload index` beside nginx: what it has hashed nginx need not hash, under
# `root` as under `alias`; and nginx's workers can read and replace it.

use Offload::Test;
use Offload::Test::Sync;

use Digest::SHA qw(sha256_hex);

use constant FILES => 2000;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(35 * 262_144 + 1, 1);
$t->write('html/iso/a.iso', $bytes);
$t->write('elsewhere/b.bin', $t->bytes(300_000, 2));
$t->write('dots/c.bin', $t->bytes(300_000, 3));
for my $i (1 .. FILES) {
    $t->write("html/many/$i.bin", $i);
    truncate $t->path("html/many/$i.bin"), 262_144 + $i or die;
}
symlink 'html', $t->path('published') or die;

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
worker_processes 2;
events {}
http {
    offload_zone       8m;
    offload_state      %%DIR%%/state;
    keepalive_requests 1000;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/published/;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /data/ { alias %%DIR%%/elsewhere/; }
        location /dots/ { alias %%DIR%%/html/../dots/; }
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my ($port) = $nginx->url =~ /:(\d+)$/;
sub status { $t->json($c->get('/.well-known/offload/status')->{content}) }

# Asks for many at once, as a crawler does.
sub crawl {
    my (@paths) = @_;
    while (my @some = splice @paths, 0, 200) {
        my $last = pop @some;
        my $head = "Host: 127.0.0.1:$port\r\nRange: bytes=0-0\r\n";
        $t->raw('127.0.0.1', $port, join '',
            (map { "GET $_ HTTP/1.1\r\n$head\r\n" } @some),
            "GET $last HTTP/1.1\r\n${head}Connection: close\r\n\r\n");
    }
}

for my $dir (qw(published elsewhere html/../dots/)) {
    my $r = $t->offload('index', '--state', $t->path('state'), '--quiet', $t->path($dir));
    is $r->{status}, 0, "indexed $dir" or diag $r->{err};
}
my @kept = glob $t->path('state/*');
is scalar(@kept), 2 * (FILES + 3), 'an entry and a table for each file';
my ($owner) = (stat $t->path('state'))[4];
is scalar(grep { (stat)[4] != $owner || ((stat)[2] & 07777) != 0600 } @kept), 0,
    'that nginx can read, and nobody else';

my @paths = map { "/many/$_.bin" } 1 .. FILES;
crawl('/iso/a.iso', '/data/b.bin', '/dots/c.bin', @paths);
$t->wait_for(sub { status()->{queued} == 0 }, 'all are looked at');
is status()->{files}, FILES + 3, 'nginx knows them';
my $root = $c->root('/iso/a.iso');
is $root, sha256_hex(join '', map { pack 'H*', sha256_hex($_) } unpack '(a262144)*', $bytes),
    'as they are';
$c->root($_) for '/data/b.bin', '/dots/c.bin', '/many/1.bin', '/many/' . FILES . '.bin';
is status()->{hashed}, 0, 'and has hashed none';
my $table = $c->get("/.well-known/offload/pieces/$root")->{content};
is sha256_hex($table), $root, 'a long table is sent as nginx sends its own';

# What nginx hashed is up to date for the command, too.
$t->write('html/iso/a.iso', $t->bytes(36 * 262_144, 3));
$t->wait_for(sub { $c->root('/iso/a.iso') ne $root }, 'a new version');
is status()->{hashed}, 1, 'was hashed by nginx';
my $r = $t->offload('index', '--state', $t->path('state'), '--json', $t->path('published'));
is $t->json($r->{out})->{hashed}, 0, 'not again by the command';

$t->done;
