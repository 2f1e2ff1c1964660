# Two nginx behind a balancer serve one site: a coordinator speaks with each of
# them, so that either names the nodes; and goes on with one when the other dies.

use Offload::Test;

my $t = Offload::Test->new;
$t->write('html/f.bin', $t->bytes(2_000_000, 1));
my $redis = $t->redis;
my $coordinator = $t->coordinator(redis => $redis);
my $key = $t->key('site');
my ($front, @port) = map { $t->port } 1 .. 3;

my $conf = <<'CONF';
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state-%%OWN%%;

    server {
        listen              127.0.0.1:%%PORT%%;
        listen              127.0.0.1:%%OWN%%;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%KEY%%;
        offload_site        http://127.0.0.1:%%FRONT%%;
        offload_sync        http://127.0.0.1:%%WEB1%% http://127.0.0.1:%%WEB2%%;
        offload_coordinator %%COORDINATOR%% %%X%%;
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
my @nginx = map {
    $t->nginx($conf, OWN => $_, WEB1 => $port[0], WEB2 => $port[1],
        KEY => $key->{file}, FRONT => $front, X => $coordinator->x,
        COORDINATOR => $coordinator->url)
} @port;
$t->nginx(<<'CONF', WEB1 => $port[0], WEB2 => $port[1], FRONT => $front);
events {}
http {
    upstream site { server 127.0.0.1:%%WEB1%%; server 127.0.0.1:%%WEB2%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%FRONT%%;
        location / {
            proxy_pass       http://site;
            proxy_set_header Host $http_host;
        }
    }
}
CONF
my $site = "http://127.0.0.1:$front";

# What the manifest of one instance names.
sub peers {
    my ($i) = @_;
    my $r = $t->http(GET => "http://127.0.0.1:$port[$i]/f.bin", headers => {
        Host => "127.0.0.1:$front", 'Offload-Fetch' => 'manifest' });
    return '' if ($r->{headers}{'content-type'} // '') !~ /jwt/;
    return join ' ', map { $_->{url} } @{ $t->claims($r->{content})->{peers} };
}

my $said = $t->claims(
    $t->http(GET => "$site/.well-known/offload/site")->{content});
is_deeply $said->{sync}, [ map {
    "http://127.0.0.1:$_/.well-known/offload/sync" } @port ],
    'the site names both instances';

my $node = $t->node(coordinator => $coordinator, host => '127.0.0.11');
my $join = $t->http(POST => $coordinator->url . '/v1/sites',
    headers => { 'Content-Type' => 'application/json' },
    body => qq({"origin": "$site"}));
is $join->{status}, 201, 'the site joins' or diag $join->{content};
for my $i (0, 1) {
    $t->wait_for(sub { peers($i) eq $node->url }, "instance $i names the node");
    pass "instance $i names the node";
}

my $r = $t->offload('get', '--json', '-o', $t->path('got'), "$site/f.bin");
is $r->{status}, 0, 'a client by way of the balancer' or diag $r->{err};
ok $t->read('got') eq $t->read('html/f.bin'), 'has the file';

# The other one goes on, and learns of what comes.
$nginx[0]->stop;
my $more = $t->node(coordinator => $coordinator, host => '127.0.0.12');
$t->wait_for(sub { peers(1) =~ /127\.0\.0\.12/ }, 'the other one learns of it',
    40);
like peers(1), qr/127\.0\.0\.12/, 'a node that came after the first had gone';

$t->done;
