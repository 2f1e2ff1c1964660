# A site with open and guarded files, a coordinator and nodes, all of them the
# real programs: what not everyone may fetch comes to none of them, and what
# becomes guarded goes.

use Offload::Test;
use Offload::Test::Secret;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my %bytes;
my @secret = qw(basic allow accel cookie private link);
for (@secret, 'open', 'later') {
    $t->write("html/$_/file-of-$_.bin", $bytes{$_} = $t->bytes(600_000, $_));
}
$t->write('passwd', "u:{PLAIN}p\n");
mkdir $t->path('state');
chmod 0777, $t->path('state');

my $redis = $t->redis;
my $coordinator = $t->coordinator(redis => $redis);
my $origin = $t->nginx(<<'CONF',
%%MODULES%%
worker_processes 2;
events {}
http {
    default_type  application/octet-stream;
    offload_zone  2m;
    offload_state %%DIR%%/state;
    log_format    who '$request_uri "$http_user_agent" "$http_offload_node" $status';
    access_log    %%DIR%%/who.log who;

    server {
        listen              127.0.0.1:%%PORT%%;
        root                %%DIR%%/html;
        offload             on;
        offload_ttl         3s;
        offload_key         %%SITE%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator %%COORDINATOR%% %%X%%;
        auth_basic_user_file %%DIR%%/passwd;

        location /.well-known/offload/ { offload_endpoint; }
        location /basic/   { auth_basic x; }
        location /allow/   { allow 127.0.0.1; deny all; }
        location /accel/   { proxy_pass http://127.0.0.1:%%PORT_1%%; }
        location /hidden/  { internal; alias %%DIR%%/html/; }
        location /cookie/  { add_header Set-Cookie a=b; }
        location /private/ { add_header Cache-Control private; }
        location /link/    {
            secure_link $arg_s; secure_link_md5 k;
            if ($secure_link = "") { return 403; }
        }
    }
    server {
        listen 127.0.0.1:%%PORT_1%%;
        location / { add_header X-Accel-Redirect /hidden$uri; return 200; }
    }
}
CONF
    SITE => $t->key('site')->{file}, COORDINATOR => $coordinator->url,
    X => $coordinator->x);
my @nodes = map { $t->node(coordinator => $coordinator) } 1, 2;
my $r = $t->http(POST => $coordinator->url . '/v1/sites',
    headers => { 'Content-Type' => 'application/json' },
    body => sprintf '{"origin":"%s"}', $origin->url);
like $r->{status}, qr/^20[01]$/, 'the site has joined';

# To the test's own eyes a site's coordinator; it is told what one would be.
my %pass = (basic => { Authorization => 'Basic dTpw' });
my $key = { %{ $t->public_key($coordinator->{key}) } };
my $c = Offload::Test::Sync->new($t, $key, $origin->url);
my %secrets = map {
    my $s = Offload::Test::Secret->new($t, $c, "/$_/file-of-$_.bin"
        . ($_ eq 'link' ? '?s=jOThn6e6vvCsP8sMLTCsaw' : ''), $bytes{$_},
        pass => $pass{$_} // {});
    ($_ => $s);
} @secret, 'later';

sub held {
    my ($root) = @_;
    return grep { $t->http(GET => $_->url . "/c/$root")->{status} == 200 }
        @nodes;
}

# All are asked for, those for anyone come to the nodes.
$_->asked for values %secrets;
is $secrets{$_}{status}, $_ eq 'link' ? 403 : 200, "$_ is given"
    for grep { $_ ne 'link' } @secret;
my %open = map { $_ => $c->root("/$_/file-of-$_.bin") } qw(open later);
$t->wait_for(sub {
    $_->asked for @secrets{@secret};
    held($open{$_}) == 2 or return for keys %open;
    1;
}, 'the nodes have what is for anyone', 60);

# All that a coordinator keeps, and all that a node keeps or was asked to.
my %kept = (redis => join ' ', map {
    my $name = $_;
    my $text = $name;
    $text .= ' ' . join ' ', $redis->cli($_, $name,
        $_ eq 'HGETALL' ? () : (0, -1))
        for qw(HGETALL ZRANGE LRANGE);
    $text . ' ' . $redis->cli('GET', $name);
} split /\s+/, $redis->cli('KEYS', '*'));
$kept{coordinator} = $coordinator->log;
for my $i (0, 1) {
    $kept{"node $i"} = $nodes[$i]->log . join '', map { $t->read($_) }
        split /\n/, $t->run('find', $nodes[$i]->dir, '-type', 'f')->{out};
    like $kept{"node $i"}, qr/$open{open}/, "node $i: what it has is seen here";
}
like $kept{redis}, qr/$open{open}/, 'redis: likewise';
for my $name (@secret) {
    my $s = $secrets{$name};
    for my $place (sort keys %kept) {
        my $text = $kept{$place};
        my @found = $s->in($text);
        push @found, 'name' if index($text, "file-of-$name") >= 0;
        push @found, 'bytes' if index($text, substr $bytes{$name}, 0, 64) >= 0;
        is "@found", '', "$place has nothing of $name";
    }
    is scalar(held($s->root)), 0, "no node serves $name";
    is $t->http(GET => $coordinator->url . '/v1/content/' . $s->root
        . '/peers')->{status}, 404, "the coordinator does not know $name";
    is join("\n", grep { m{^/$name/} && !/ "-" "-" / }
        split /\n/, $t->read('who.log')), '', "no node has asked for $name";
}

# What is guarded from now on is not wanted of nodes any more.
$origin->reload($origin->conf =~ s/(location .basic.)/location \/later\/ {
    auth_basic x; } $1/r);
$secrets{later}{pass} = $pass{basic};
$secrets{later}->asked;
$secrets{later}->closed('from the reload on');
$t->wait_for(sub {
    2 == grep { -e } map { glob $_->dir . "/c/*/$open{later}/released" } @nodes;
}, 'the nodes are told that nobody wants it any more', 60);
is $t->http(GET => $coordinator->url . "/v1/content/$open{open}/peers")
    ->{status}, 200, 'but for what is for anyone';

$t->done;
