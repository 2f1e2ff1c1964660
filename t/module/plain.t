# A file becomes eligible by an answer to what a node would send: at the site's
# own name, without query and cookies.  A subject stands for one file at a time.

use Offload::Test;
use Offload::Test::Clock;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $n = 0;
$t->write("html/$_", $t->bytes(300_000, ++$n)) for qw(cookie/f.bin one/f.bin x/f.bin
    two/f.bin 127.0.0.1/f.bin evil.example/f.bin guarded/f.bin query/f.bin);

my $clock = Offload::Test::Clock->new($t);
my $nginx = $clock->run(sub {
    $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    map $http_folder $folder { default one; two two; }

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1 evil.example;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
        location /hosts/   { alias %%DIR%%/html/$host/; }
        location /folder/  { alias %%DIR%%/html/$folder/; }
        location /guarded/ { if ($arg_k != 1) { return 403; } }
        location /cookie/  { if ($http_cookie !~ k) { return 403; } }
    }
}
CONF
});
$clock->forward(3);

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);

# "manifest", or what is said with the file.
sub given {
    my ($path, %headers) = @_;

    my $r = $c->get($path, 'Offload-Fetch' => 'manifest', %headers);
    return "status $r->{status}" if $r->{status} != 200;
    return 'manifest' if Offload::Test::Sync::is_manifest($r);
    return $r->{headers}{'offload-status'} // 'file';
}

# What needs something is given to those who have it, and never told.
my @needs = (
    [ '/guarded/f.bin?k=1' ], [ '/query/f.bin?x' ], [ '/query/f.bin?' ],
    [ '/cookie/f.bin', Cookie => 'k' ], [ '/query/f.bin', Cookie => 'a=b' ],
    map { [ '/hosts/f.bin', Host => $_ ] } 'evil.example', '127.0.0.1',
        '127.0.0.1:99', 'evil.example:' . $nginx->port, 'x',
);
for my $asked (@needs, @needs) {
    is given(@$asked), 'file', "@$asked";
}
is given('/guarded/f.bin'), 'status 403', 'not without';
my $none = $t->raw('127.0.0.1', $nginx->port,
    "GET /query/f.bin HTTP/1.0\r\nOffload-Fetch: manifest\r\n\r\n");
unlike $none, qr/^Offload-Status/m, 'nor without a host';
my $port = $nginx->port;
my $absolute = $t->raw('127.0.0.1', $port, "GET http://evil.example/hosts/f.bin "
    . "HTTP/1.1\r\nHost: 127.0.0.1:$port\r\nConnection: close\r\n\r\n");
like $absolute, qr/^HTTP\/1.1 200 /, 'a name in the request line';
is $t->json($c->get('/.well-known/offload/status')->{content})->{files}, 0,
    'no file is known by that';

# Once it is eligible, these get manifests too.
$c->root('/query/f.bin');
is given('/query/f.bin?x'), 'manifest', 'with a query';
is given('/query/f.bin', Cookie => 'a=b'), 'manifest', 'with a cookie';
is given('/query/f.bin', Host => 'evil.example'), 'manifest', 'under a name';
$c->root('/hosts/f.bin');
is given('/hosts/f.bin', Host => 'evil.example'), 'file', 'of another file: no';

# A header that chooses the file: the first one has the subject.
my $root = $c->root('/folder/f.bin');
is given('/folder/f.bin', Folder => 'two'), 'file', 'another path' for 1 .. 2;
is given('/folder/f.bin'), 'manifest', 'the first one stays';
$clock->forward(11);
is given('/folder/f.bin', Folder => 'two'), 'indexing; retry=1',
    'until nobody asks for it any more';
$t->wait_for(sub {
    given('/folder/f.bin', Folder => 'two') eq 'manifest';
}, 'then the other one is taken');
is given('/folder/f.bin'), 'file', 'and has it';
$c->start(ack => 0, iat => $clock->time, exp => $clock->time + 60);
my %told = map { $_->{root} => $_->{gone} } @{ $c->claims->{contents} };
ok $told{$root}, 'the first one is told to be gone';
is_deeply [ sort keys %{ $c->{told} } ],
    [ qw(/folder/f.bin /hosts/f.bin /query/f.bin) ], 'nothing else was told';

$t->done;
