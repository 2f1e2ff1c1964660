# Server blocks that share their files: as one site, under its other names, and
# as sites of their own with keys of their own; what one learns is the site's,
# and what is private at one is not offered by it, whatever the other does.

use Offload::Test;
use Offload::Test::Secret;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my %key = map { $_ => $t->key($_) } qw(coordinator first second);
my $bytes = $t->bytes(9_000_000, 1);
$t->write('html/f.bin', $bytes);
$t->write('html/g.bin', $t->bytes(300_000, 2));
$t->write('html/shut/h.bin', my $shut = $t->bytes(300_000, 3));

my $nginx = $t->nginx(<<'CONF', X => $key{coordinator}{x});
%%MODULES%%
worker_processes 2;
events {}
http {
    default_type        application/octet-stream;
    offload_zone        1m;
    offload_state       %%DIR%%/state;
    offload_coordinator http://127.0.0.1:9999 %%X%%;
    offload             on;
    root                %%DIR%%/html;

    # One site, in two blocks.
    server {
        listen       127.0.0.1:%%PORT%%;
        offload_site http://127.0.0.1:%%PORT%% http://localhost:%%PORT%% http://127.0.0.1:%%PORT_1%%;
        offload_key  %%DIR%%/first.pem;
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen       127.0.0.1:%%PORT_1%%;
        offload_site http://127.0.0.1:%%PORT%% http://127.0.0.1:%%PORT_1%%;
        offload_key  %%DIR%%/first.pem;
        location /.well-known/offload/ { offload_endpoint; }
    }
    # Another one.
    server {
        listen       127.0.0.1:%%PORT_2%%;
        offload_site http://127.0.0.1:%%PORT_2%%;
        offload_key  %%DIR%%/second.pem;
        location /.well-known/offload/ { offload_endpoint; }
        location /shut/ { add_header Cache-Control private; }
    }
}
CONF

my @url = map { $nginx->url($_) } 0 .. 2;
my $c = Offload::Test::Sync->new($t, $key{coordinator}, $url[0]);
my $other = Offload::Test::Sync->new($t, $key{coordinator}, $url[2]);

sub asked {
    my ($port, $path, %headers) = @_;
    return $t->http(GET => $nginx->url($port) . $path, headers =>
        { 'Offload-Fetch' => 'manifest', %headers });
}

# Learned in one block, known in the other, told once.
my $root = $c->root('/f.bin');
my $r = asked(1, '/f.bin');
ok Offload::Test::Sync::is_manifest($r), 'the other block has it, too';
is $t->claims($r->{content})->{iss}, $url[0], 'under the first name';
my $hashed = $t->json($c->get('/.well-known/offload/status')->{content})->{hashed};
is $hashed, 1, 'hashed once';
$c->start(nodes => [ $c->node(1) ], contents => { $root => [ [ 1, 1 ] ] });
$c->send(ack => 0);
is scalar(grep { $_->{sub} eq '/f.bin' } @{ $c->claims->{contents} }), 1,
    'told once';
for my $port (0, 1) {
    is scalar @{ $t->claims(asked($port, '/f.bin')->{content})->{peers} }, 1,
        "port $port: its node";
    is $t->http(GET => "$url[$port]/.well-known/offload/pieces/$root")->{status},
        200, "port $port: its table";
}

# The second block has learned another file; the first one's name or another
# of the site will do to learn it, a stranger's will not.
is asked(1, '/g.bin', Host => 'example.org')->{headers}{'offload-status'},
    undef, 'not by a name that is not of the site';
$t->wait_for(sub {
    Offload::Test::Sync::is_manifest(asked(1, '/g.bin'));
}, 'by one of its names');
ok Offload::Test::Sync::is_manifest(asked(0, '/g.bin', Host => 'localhost:'
    . $nginx->port)), 'and given under another';

# Another site: a key, an epoch's seq and contents of its own.
is asked(2, '/f.bin')->{headers}{'offload-status'}, 'indexing; retry=1',
    'the other site has not seen it';
is $other->root('/f.bin'), $root, 'it is the same content';
is $t->claims(asked(2, '/f.bin')->{content})->{iss}, $url[2], 'in its own name';
is_deeply $t->claims(asked(2, '/f.bin')->{content})->{peers}, [],
    'nobody has told it of nodes';
$other->start(nodes => [ $other->node(4) ],
    contents => { $root => [ [ 1, 4 ] ] });
is_deeply [ map { $_->{id} } @{ $t->claims(asked(2, '/f.bin')->{content})
    ->{peers} } ], [ $other->node(4)->{id} ], 'now it has its own';
$other->send(ack => 0);
is_deeply [ sort map { $_->{sub} } @{ $other->claims->{contents} } ],
    ['/f.bin'], 'and tells of what was asked of it';

# Private here, open there.
my $secret = Offload::Test::Secret->new($t, $other, '/shut/h.bin', $shut);
is $c->root('/shut/h.bin'), $secret->root, 'open at the first site';
$secret->asked->kept('private at the second');
is $t->http(GET => "$url[0]/.well-known/offload/pieces/" . $secret->root)
    ->{status}, 200, 'the first one still offers it';

# A client at any of the names.
for my $url ("$url[1]/f.bin", "$url[2]/f.bin",
    'http://localhost:' . $nginx->port . '/f.bin')
{
    my $got = $t->offload('get', '-q', '-o', $t->path('got'), $url);
    is $got->{status}, 0, "offload get $url" or diag $got->{err};
    ok $t->read('got') eq $bytes, 'is the file';
}

$t->done;
