# Each directive: default, inherited, overridden, given twice, wrong.  What is
# wrong is refused with its file, line and cause.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my ($site, $key) = map { $t->key($_) } qw(site coordinator);
my $x = $key->{x};

sub conf {
    my ($http, $server, $location) = @_;
    return <<"CONF";
%%MODULES%%
events {}
http {
$http
    server {
        listen 127.0.0.1:%%PORT%%; server_name 127.0.0.1; root %%DIR%%/html;
$server
        location / { root %%DIR%%/html; $location }
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
}

my $zone = "offload_zone 1m; offload_state %%DIR%%/state;";
my $ok = "offload_key $site->{file};";

# Line 4 is http, line 7 server, line 8 location.
sub refused {
    my ($http, $server, $location, $line, @words) = @_;

    my $text = $t->nginx_fails(conf($http, $server, $location));
    like $text, qr/\[emerg\].*\Q$_\E/, "says $_" for @words;
    my $added = () = $t->read($t->path('nginx-' . $t->{counts}{nginx}
        . '/nginx.conf')) =~ /^(?:daemon|pid|error_log|user) |_temp_path|access_log/mg;
    like $text, qr/nginx\.conf:@{[ $line + $added ]}\b/, "in line $line" if $line;
}

refused($zone, "offload_key $site->{file};\noffload maybe;", '', 8, '"maybe"');
refused('', $ok, 'offload on;', 8, '"offload on" needs "offload_zone"');
refused('', "$ok offload on;", '', 7, '"offload on" needs "offload_zone"');
refused($zone, '', 'offload on;', 8, '"offload on" needs "offload_key"', 'keygen');
refused($zone, '', '', 9, '"offload_endpoint" needs "offload_key"');
refused('offload_zone 1x;', $ok, '', 4, '"offload_zone" directive invalid value');
refused('offload_zone 64k;', $ok, '', 4, '"offload_zone 64k" is too small', '256k');
refused('offload_zone 1m; offload_zone 2m;', $ok, '', 4, '"offload_zone" directive is duplicate');
refused("$zone offload_state x;", $ok, '', 4, '"offload_state" directive is duplicate');
refused($zone, "$ok offload_state x;", '', 7, '"offload_state" directive is not allowed here');
refused("$zone offload_thread_pool none;", $ok, '', 0, 'unknown thread pool "none"');
refused("$zone offload_thread_pool a; offload_thread_pool b;", $ok, '', 4, 'is duplicate');
refused($zone, "$ok offload_site example.org;", '', 7, 'invalid URL "example.org" in "offload_site"');
refused($zone, "$ok offload_site https://e.org/path;", '', 7, 'https://e.org/path');
refused($zone, "$ok offload_site http://a; offload_site http://b;", '', 7, 'is duplicate');
refused($zone, "$ok offload_sync http://a; offload_sync http://b;", '', 7, 'is duplicate');
refused($zone, "$ok offload_sync http://a:81;", '', 7, 'invalid port in "http://a:81" in "offload_sync"');
refused($zone, "$ok offload_sync @{[ map { qq(http://h$_) } 1 .. 9 ]};", '', 7, '8 at most');
refused($zone, "$ok offload_site @{[ map { qq(http://h$_) } 1 .. 9 ]};", '', 7, '8 at most');
refused($zone, "$ok offload_coordinator http://c;", '', 7, 'invalid number of arguments');
refused($zone, "$ok offload_coordinator ftp://c $x;", '', 7, 'ftp://c');
refused($zone, "$ok offload_coordinator http://c:25 $x;", '', 7, 'invalid port in "http://c:25"');
refused($zone, "$ok offload_coordinator http://c $x=;", '', 7, "invalid public key \"$x=\"");
refused($zone, "$ok offload_coordinator http://c $x; offload_coordinator http://d $x;",
    '', 7, 'is duplicate');
refused($zone, $ok, 'offload_min_length 0;', 8, 'at least 1');
refused($zone, $ok, 'offload_min_length x;', 8, 'invalid value');
refused($zone, $ok, 'offload_peers 0;', 8, 'value must');
refused($zone, $ok, 'offload_peers 33;', 8, 'value must');
refused($zone, $ok, 'offload_ttl 1s;', 8, 'between 2 seconds and 10 minutes');
refused($zone, $ok, 'offload_ttl 11m;', 8, 'between 2 seconds and 10 minutes');
refused($zone, $ok, 'offload_types;', 8, 'invalid number of arguments');
refused($zone, $ok, 'offload_stale 1s;', 8, 'between 2 seconds and one day');
refused($zone, $ok, 'offload_stale 25h;', 8, 'between 2 seconds and one day');
refused($zone, $ok, 'offload_above fast;', 8, '"offload_above" directive invalid value');
refused($zone, $ok, 'offload_above 1m 2m;', 8, 'invalid number of arguments in "offload_above"');
refused($zone, $ok, 'offload_redirect maybe;', 8, 'invalid value "maybe" in "offload_redirect"');
refused($zone, $ok, 'offload_links 2;', 8, 'invalid value "2" in "offload_links"');
refused($zone, $ok, 'offload_sri maybe;', 8, 'invalid value "maybe" in "offload_sri"');
refused($zone, $ok, 'offload_bypass;', 8, 'invalid number of arguments in "offload_bypass"');
refused($zone, $ok, 'offload_bypass $nobody;', 0, 'unknown "nobody" variable');
refused($zone, $ok, 'offload_locality $a_$nobody;', 0, 'unknown "a_" variable');
refused($zone, $ok, 'offload_locality DE FR;', 8, 'invalid number of arguments in "offload_locality"');
refused($zone, $ok, 'offload_trust n1.example;', 8, 'invalid id "n1.example" in "offload_trust"');
refused($zone, "$ok offload_node_rate many;", '', 7, '"offload_node_rate" directive invalid value');
refused($zone, $ok, 'offload_node_rate 1m;', 8, '"offload_node_rate" directive is not allowed here');

# Given twice, and where they may not be.
refused($zone, $ok, "$_; $_;", 8, '"' . (split)[0] . '" directive is duplicate')
    for 'offload on', 'offload_min_length 1m', 'offload_peers 3', 'offload_ttl 9s',
        'offload_stale 9s', 'offload_above 1m', 'offload_redirect on', 'offload_links on', 'offload_sri on',
        'offload_locality DE';
refused($zone, "$ok offload_node_rate 1m; offload_node_rate 1m;", '', 7, 'is duplicate');
refused($zone, $ok, "$_;", 8, '"' . (split)[0] . '" directive is not allowed here')
    for 'offload_zone 1m', 'offload_state x', 'offload_thread_pool x',
        "offload_key $site->{file}", 'offload_site http://a', "offload_coordinator http://c $x";
refused($zone, "$ok $_;", '', 7, '"' . (split)[0] . '" directive is not allowed here')
    for 'offload_zone 1m', 'offload_state x', 'offload_thread_pool x', 'offload_endpoint';
refused($zone, $ok, 'offload_endpoint x;', 8,
    'invalid value "x" in "offload_endpoint": it is "open" or nothing');

# Keys: missing, unreadable, of another type, readable by all, no key at all.
my $rsa = $t->path('rsa.pem');
$t->run('openssl', 'genpkey', '-algorithm', 'rsa', '-out', $rsa);
chmod 0600, $rsa;
my $public = $t->path('public.pem');
$t->run('openssl', 'pkey', '-in', $site->{file}, '-pubout', '-out', $public);
chmod 0600, $public;
my $open = $t->key('open');
chmod 0644, $open->{file};
my $empty = $t->write('empty.pem', '');
chmod 0600, $empty;
my @keys = ([ '/nonexistent.pem', 'No such file' ], [ $t->dir, 'not a regular file' ],
    [ $rsa, 'RSA' ], [ $public, 'PUBLIC KEY' ], [ $open->{file}, 'chmod 600' ],
    [ $empty, 'PEM' ]);
for (@keys) {
    my ($file, $word) = @$_;
    refused($zone, "offload_key $file;", '', 7, "invalid key in \"offload_key\": $file", $word);
}
refused($zone, "$ok $ok", '', 7, 'is duplicate');

# A server without a plain name and a site of its own has none.
my $text = $t->nginx_fails(conf($zone, $ok, 'offload on;')
    =~ s/server_name 127.0.0.1/server_name *.example.org ~^x .y.org _/r);
like $text, qr/"offload on" needs "offload_site"/, 'no name, no site';

# Inherited and overridden.
my $big = $t->bytes(300_000, 1);
$t->write("html/$_", $big) for qw(f.bin f.txt a/f.bin b/f.txt);
$t->write('html/small/f.bin', substr $big, 0, 1000);
my $nginx = $t->nginx(<<'CONF', KEY => $site->{file}, X => $x);
%%MODULES%%
events {}
http {
    types { text/plain txt; application/x-bin bin; }
    offload             on;
    offload_zone        1m;
    offload_state       %%DIR%%/state;
    offload_key         %%KEY%%;
    offload_coordinator http://one %%X%%;
    offload_ttl         30s;
    server {
        listen       127.0.0.1:%%PORT%%;
        server_name  ~^x$ *.example.org Www.Example.org other.org;
        root         %%DIR%%/html;
        location /.well-known/offload/ { offload_endpoint; }
        location /a/     { offload off; }
        location /b/     { offload_types Application/x-bin; }
        location /small/ { offload_min_length 1000; offload_ttl 5s; }
    }
    server {
        listen       127.0.0.1:%%PORT_1%%;
        offload_site https://second.example/;
        offload_types application/x-bin;
        root         %%DIR%%/html;
        location /.well-known/offload/ { offload_endpoint; }
        location /b/ { location /b/ { offload_min_length 1; } }
    }
}
CONF

my @site = ('http://www.example.org:' . $nginx->port, 'https://second.example');
sub manifest {
    my ($port, $path) = @_;
    my $c = Offload::Test::Sync->new($t, $key, $nginx->url($port), $site[$port]);
    $c->root($path);
    return $t->claims($c->get($path, 'Offload-Fetch' => 'manifest')->{content});
}
my $m = manifest(0, '/f.txt');
is $m->{iss}, $site[0], 'the first plain name';
is $m->{exp} - $m->{iat}, 30, 'offload_ttl from http';
is_deeply $m->{trackers}, ['http://one'], 'offload_coordinator from http';
$m = manifest(0, '/small/f.bin');
is $m->{exp} - $m->{iat}, 5, 'overridden';
is manifest(1, '/f.bin')->{iss}, $site[1], 'offload_site';
my %want = ('Offload-Fetch' => 'manifest');
for ([ 0, '/a/f.bin', 'off' ], [ 0, '/b/f.txt', 'another type' ],
    [ 1, '/f.txt', 'another type, from server' ],
    [ 1, '/b/f.txt', 'another type, two locations down' ],
    [ 1, '/small/f.bin', 'smaller than 256k' ])
{
    my ($port, $path, $why) = @$_;
    my $r = $t->http(GET => $nginx->url($port) . $path, headers =>
        { %want, Host => $site[$port] =~ s{^.*//}{}r });
    is "$r->{status} " . ($r->{headers}{'offload-status'} // ''), '200 ', $why;
}

$t->done;
