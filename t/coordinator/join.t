# A site joins: it has to show at its own origin that it names this
# coordinator.  Origins that are not public are refused, unless --allow-net.

use lib 't/lib';
use Offload::Test;

my $t = Offload::Test->new;
my $c = $t->coordinator(redis => $t->redis);
my $key = $t->key('site');
my $other = $t->key('other');

my $nginx = $t->nginx(<<'CONF', SITE => $key->{file}, OTHER => $other->{x},
%%MODULES%%
events {}
http {
    offload_zone 1m;
    offload      on;
    offload_key  %%SITE%%;
    server {
        listen              127.0.0.1:%%PORT_1%%;
        offload_site        http://127.0.0.1:%%PORT_1%%
                            http://localhost:%%PORT_1%%;
        offload_coordinator %%COORDINATOR%% %%X%%;
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen              127.0.0.1:%%PORT_2%%;
        offload_site        http://127.0.0.1:%%PORT_2%%;
        offload_coordinator %%COORDINATOR%% %%OTHER%%;
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen              127.0.0.1:%%PORT_3%%;
        offload             off;
    }
}
CONF
    COORDINATOR => $c->url, X => $c->x);

sub join_site {
    my ($origin) = @_;
    my $r = $t->http(POST => $c->url . '/v1/sites',
        body => ref $origin ? $$origin : qq({"origin":"$origin"}));
    return ($r->{status}, $t->json($r->{content}));
}

my $origin = $nginx->url(1);
my ($status, $site) = join_site("$origin/");
is $status, 201, 'a site joins';
is $site->{origin}, $origin, 'its canonical origin is told';
is_deeply $site->{keys}, [ $key->{id} ], 'and the ids of its keys';
is Digest::SHA::sha256_hex($origin), $site->{id}, 'its id is that of its name';

($status) = join_site($origin);
is $status, 200, 'again: it is known';

my $shown = $t->wait_for(sub {
    my $r = $t->http(GET => $c->url . "/v1/sites/$site->{id}");
    my $json = $t->json($r->{content});
    return $json->{synced} ? $json : undef;
}, 'the first sync');
is $shown->{origin}, $origin, 'it can be looked up';
like $shown->{epoch}, qr/^[\w-]{22}$/, 'the instance has said its epoch';
is $shown->{contents}, 0, 'and that it offers nothing';

my @refused = (
    [ $nginx->url(2), 403, qr/does not name this one/, 'not named' ],
    [ $nginx->url(3), 403, qr/status 404/, 'no keys there' ],
    [ 'http://127.0.0.1:' . $t->port, 403, qr/connect/, 'nobody listens' ],
    [ "http://localhost:" . $nginx->port(1), 403, qr/./, 'not the first name' ],
    [ 'http://10.255.255.1', 403, qr/./, 'a private address' ],
    [ 'http://[::1]:8080', 403, qr/./, 'loopback that is not allowed' ],
    [ 'http://169.254.169.254', 403, qr/./, 'a link-local address' ],
    [ 'http://127.0.0.1:25', 400, qr/port 25/, 'a low port' ],
    [ 'ftp://127.0.0.1', 400, qr/URL|scheme/, 'another scheme' ],
    [ 'http://user@127.0.0.1', 400, qr/./, 'a user' ],
    [ "$origin/path", 400, qr/URL/, 'a path' ],
    [ \'{"origin":7}', 400, qr/origin/, 'not a string' ],
    [ \'{}', 400, qr/origin: missing/, 'no origin' ],
    [ \'nonsense', 400, qr/JSON/, 'no JSON' ],
    [ \'[]', 400, qr/JSON/, 'no object' ],
);
for (@refused) {
    my ($what, $want, $why, $name) = @$_;
    my ($got, $json) = join_site($what);
    is $got, $want, "refused: $name";
    like $json->{error}, $why, 'with the reason';
}

is $t->http(GET => $c->url . '/v1/sites/' . '0' x 64)->{status}, 404,
    'a site that has not joined';
is $t->http(GET => $c->url . '/v1/sites/xyz')->{status}, 404, 'no id at all';
is $t->http(GET => $c->url . '/v1/sites')->{status}, 405,
    'another method';

$t->done;
