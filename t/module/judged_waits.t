# A site's own variable that takes its time while an answer is judged: other
# workers do not wait for it, and what it says counts.

use Offload::Test;
use Offload::Test::Nginx;
use Offload::Test::Sync;

use IO::Socket::INET;

plan skip_all => 'njs is packaged for the distribution\'s nginx'
    if Offload::Test::Nginx::binary() ne '/usr/sbin/nginx';

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write("html/$_.bin", $t->bytes(300_000, $_)) for 1, 2;
$t->write('test.js', sprintf <<'JS', ($t->dir) x 2);
import fs from 'fs';

// Until it is let go, though not for ever.
function wait(r) {
    fs.writeFileSync('%s/waits/on', '');
    for (let end = Date.now() + 5000; Date.now() < end; ) {
        try { fs.accessSync('%s/go'); break; } catch (e) { }
    }
    return "";
}

export default { wait };
JS
mkdir $t->path('waits');
chmod 0777, $t->path('waits');

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
load_module /usr/lib/nginx/modules/ngx_http_js_module.so;
worker_processes 2;
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    js_path       %%DIR%%;
    js_import     test.js;
    js_set        $invalid_referer test.wait;

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
my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
    PeerPort => $nginx->port) or die "connect: $!\n";
$s->syswrite("GET /1.bin HTTP/1.1\r\nHost: 127.0.0.1:" . $nginx->port
    . "\r\nReferer: http://example.com/\r\nConnection: close\r\n\r\n");
$t->wait_for(sub { -e $t->path('waits/on') }, 'a worker waits');

# It lets itself go only after 5 s.
my $start = Time::HiRes::time();
is $c->get('/2.bin')->{status}, 200, 'another file';
is $c->get('/.well-known/offload/status')->{status}, 200, 'the numbers';
cmp_ok Time::HiRes::time() - $start, '<', 2.5,
    'another worker answers meanwhile';

$t->write('go', '');
like join('', <$s>), qr{^HTTP/1\.1 200 }, 'the answer comes when it is let go';
is $t->json($c->get('/.well-known/offload/status')->{content})->{files}, 2,
    'and teaches that the file is for anyone';

$t->done;
