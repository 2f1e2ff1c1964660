# Rewrite rules that let some pass: not one byte, hash or name of a file behind
# them comes to anyone else.  Rules that are the same for all who ask for a file
# by its name stand in nobody's way.

use Offload::Test;
use Offload::Test::Secret;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my %bytes;
$t->write("html/$_/secret-$_.bin", $bytes{$_} = $t->bytes(300_000, $_))
    for my @secrets = qw(server found moved broken passed before root handler
    inroot variable path);
$t->write("html/$_/open.bin", $t->bytes(300_000, $_))
    for my @open = qw(open method host file down uri set unused rate);
$t->write('html/denied.html', 'denied');

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    geo $inside { default 0; 127.0.0.1 1; }
    offload_key         %%SITE%%;
    offload_coordinator http://127.0.0.1:9999 %%X%%;
    offload_site        http://127.0.0.1:%%PORT%%;

    server {
        listen      127.0.0.1:%%PORT%%;
        server_name 127.0.0.1;
        root        %%DIR%%/html;
        offload     on;

        # The same for all.
        if ($host = www.example.com) { return 301 http://127.0.0.1; }
        if ($scheme = https)         { return 301 http://127.0.0.1; }
        if ($request_method !~ ^(?:GET|HEAD|POST)$) { return 405; }
        if (-f $document_root/maintenance.html) { return 503; }
        if ($uri ~ ^/denied/)        { rewrite ^ /denied.html last; }
        if ($inside)                 { set $seen 1; }
        rewrite ^/old/(.*)$ /open/$1 permanent;

        location /.well-known/offload/ { offload_endpoint; }
        location /open/     { }
        location /method/   { if ($request_method = PUT) { return 403; } }
        location /host/     { if ($http_host != 127.0.0.1:%%PORT%%) { return 302 http://127.0.0.1$request_uri; } }
        location /file/     { if (!-f $request_filename) { rewrite ^ /denied.html last; } }
        location /down/     { if (!-e $document_root$uri) { return 404; } }
        location /uri/      { rewrite ^/uri/old /open/open.bin break; }
        location /set/      { set $x $remote_addr; if ($x) { set $y 1; } }
        location /unused/   { if ($inside) { add_header X-Inside 1; } }
        location /rate/     { if ($inside) { set $limit_rate 0; break; } }

        # Not so.
        location /found/    { if ($inside = 0) { return 302 https://login.example/; } }
        location /moved/    { if ($inside = 0) { rewrite ^ /denied.html break; } }
        location /broken/   { if ($inside) { break; } rewrite ^ /denied.html; }
        location /passed/   { if ($inside) { break; } return 200 denied; }
        location /before/   { if ($inside) { break; } if ($uri ~ .) { return 403; } }
        location /root/     { if ($inside = 0) { root %%DIR%%/none; } }
        location /inroot/   { if ($inside) { root %%DIR%%/html; } root %%DIR%%/none; }
        location /handler/  { if ($inside = 0) { proxy_pass http://127.0.0.1:9; } }
        location /variable/ { set $host_ $remote_addr; if ($host_ !~ ^127) { return 404; } }
        location /path/     { if (!-e $document_root/path/$remote_user/secret-path.bin) { return 404; } }
    }

    server {
        listen      127.0.0.1:%%PORT_1%%;
        server_name 127.0.0.1;
        root        %%DIR%%/html;
        offload     on;
        set $deny 0;
        if ($uri ~ ^/server/) { set $deny 1; }
        if ($inside) { set $deny 0; }
        if ($deny) { return 403; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my @kept;
for my $name (@secrets) {
    my $s = Offload::Test::Secret->new($t, $c, "/$name/secret-$name.bin",
        $bytes{$name},
        $name eq 'server' ? (url => 'http://127.0.0.1:' . $nginx->port(1)) : ());
    is $s->asked->{status}, 200, "$name is given";
    push @kept, [ $name, $s ];
}

# These are for anyone; when they are known, so would the others be.
$c->root("/$_/open.bin") for @open;
$c->start;
is_deeply [ sort keys %{ $c->{told} } ], [ map { "/$_/open.bin" } sort @open ],
    'a coordinator is told of the open ones, and of nothing else';
$_->[1]->kept($_->[0]) for @kept;

$t->done;
