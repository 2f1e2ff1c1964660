# Files that are replaced, cut, grown or taken away between requests and in the
# middle of one, also behind an open_file_cache: the same as without the module,
# and nothing else suffers.

use Offload::Test;
use Offload::Test::Sync;
use Offload::Test::Twin;

use IO::Socket::INET;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(2_000_000, 1);
$t->write('html/f.bin', $bytes);
$t->write('html/other.bin', $bytes);

my $twin = Offload::Test::Twin->new($t, <<'CONF',
%%MODULES%%
worker_processes 1;
events {}
http {
    default_type  application/octet-stream;
    offload_zone  1m;
    offload_state %%DIR%%/state;
    sendfile      on;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
        location /cached/  { alias %%DIR%%/html/; open_file_cache max=9; open_file_cache_valid 300s; open_file_cache_errors on; }
        location /read/    { alias %%DIR%%/html/; sendfile off; }
        location /threads/ { alias %%DIR%%/html/; sendfile off; aio threads; }
        location /slow/    { alias %%DIR%%/html/; limit_rate 1m; }
        location /slowread/ { alias %%DIR%%/html/; limit_rate 1m; sendfile off; }
    }
}
CONF
    SITE => $t->key('site')->{file}, X => $key->{x});
my $c = Offload::Test::Sync->new($t, $key, $twin->with->url);
my @places = ('/', '/cached/', '/read/', '/threads/');

sub compare {
    my ($what) = @_;

    for my $place (@places) {
        for (map({ [ 'GET', $_ ] } '', 'Range: bytes=5-9', 'Range: bytes=-9',
                'Range: bytes=300000-300009', 'Offload-Fetch: direct'),
            [ 'HEAD', '' ])
        {
            my ($method, $line) = @$_;
            $twin->same("$what: $method $place $line", join "\r\n",
                "$method ${place}f.bin HTTP/1.1", 'Host: %%HOST%%',
                'Connection: close', $line || (), '', '');
        }
    }
}

compare('unknown');
my %root = map { $_ => $c->root("${_}f.bin") } @places;
$c->start(nodes => [ $c->node(1) ],
    contents => { map { $_ => [ [ 1, 1 ] ] } values %root });
compare('offered');

$t->write('html/f.bin', $t->bytes(1_500_000, 2));
compare('replaced');
open my $f, '>>', $t->path('html/f.bin') or die;
print $f 'more';
close $f;
compare('grown');
truncate $t->path('html/f.bin'), 300_000;
compare('cut');
truncate $t->path('html/f.bin'), 0;
compare('empty');
unlink $t->path('html/f.bin');
compare('gone');
mkdir $t->path('html/f.bin');
compare('a folder');
rmdir $t->path('html/f.bin');
symlink 'other.bin', $t->path('html/f.bin');
compare('a link');
unlink $t->path('html/f.bin');
$t->write('html/f.bin', $bytes);
compare('there again');
chmod 0, $t->path('html/f.bin');
compare('forbidden') if $> == 0;
chmod 0644, $t->path('html/f.bin');

# In the middle of an answer.
$t->allow(qr/sendfile\(\) reported that|pread\(\) read only/);
for my $place ('/slow/', '/slowread/') {
    my %got;
    for my $who (qw(with without)) {
        $t->write('html/f.bin', $bytes);
        my $port = $twin->$who->port;
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $port) or die;
        print $s "GET ${place}f.bin HTTP/1.1\r\nHost: 127.0.0.1:$port\r\n\r\n";
        sysread $s, my $first, 1000;
        truncate $t->path('html/f.bin'), 400_000;
        my $end = $t->wait_for(sub {
            !sysread $s, $first, 1 << 16, length $first;
        }, "$place, $who: the answer ends");
        my ($length) = $first =~ /^Content-Length: (\d+)/mi;
        $got{$who} = "of $length, "
            . (length($first) < $length ? 'cut short' : 'whole');
    }
    is $got{with}, $got{without}, "$place: a file that shrinks meanwhile";
}
is $c->get('/other.bin')->{content}, $bytes, 'others are served as ever';
is scalar($twin->with->workers), 1, 'by the same worker';

$t->done;
