# What the module knows of nginx's own modules that no header says: it is what
# stands in the sources of the nginx that it is built for.  For a later nginx
# than those that were looked at, whatever might be a rule is one.

use Offload::Test;
use Offload::Test::Nginx;
use Offload::Test::Secret;
use Offload::Test::Sync;

use Cwd ();

my $t = Offload::Test->new;
my $guard = $t->read(Cwd::abs_path('ngx_module/ngx_http_offload_guard.c'));

# The members of a structure in a source file, in order.
sub members {
    my ($text, $name) = @_;
    my ($body) = $text =~ /^typedef struct \{\n((?:(?!^\}).*\n)*)\} \Q$name\E;/m
        or return "no $name";
    $body =~ s{/\*.*?\*/}{}gs;
    $body =~ s/\s+/ /g;
    return $body =~ s/ ?\* ?/*/gr;
}

my ($built) = Offload::Test::Nginx::module() =~ m{^(.*)/};
my ($src) = grep { -e "$_/http/modules/ngx_http_access_module.c" }
    "$built/nginx/src", Cwd::getcwd() . '/build/src/nginx-debian/src';
SKIP: {
    skip 'nginx-dev has no sources, NGINX_SRC=DIR has', 8 unless $src;

    my %ours = ('access:loc_conf' => 'access_conf',
        'access:rule' => 'access_rule', 'access:rule6' => 'access_rule6',
        'auth_basic:loc_conf' => 'auth_basic_conf',
        'auth_request:conf' => 'auth_request_conf',
        'secure_link:conf' => 'secure_link_conf',
        'rewrite:loc_conf' => 'rewrite_conf');
    for (sort keys %ours) {
        my ($module, $what) = split /:/;
        my $theirs = members(
            $t->read("$src/http/modules/ngx_http_${module}_module.c"),
            "ngx_http_${module}_${what}_t");
        my $know = members($guard, "ngx_http_offload_$ours{$_}_t");
        is substr($theirs, 0, length $know), $know,
            "how nginx's $module $what begins";
    }
    my ($checked) = $guard =~ /NGX_HTTP_OFFLOAD_CHECKED +(\d+)$/m;
    my ($version) = $t->read("$src/core/nginx.h")
        =~ /^#define nginx_version +(\d+)$/m;
    cmp_ok $version, '<=', $checked,
        'looked at (if the above agrees, raise NGX_HTTP_OFFLOAD_CHECKED)';
}

# The same nginx, and a module that knows only of earlier ones.
my $copy = $t->path('nginx');
$t->run('cp', '-a', "$built/nginx", $copy);
unlink "$copy/objs/addon/ngx_module/ngx_http_offload_guard.o";
my ($flags) = $t->read("$copy/objs/Makefile") =~ /^CFLAGS = *(.*)$/m;
my $make = $t->run({ env => { MAKEFLAGS => '', MAKELEVEL => 0 } }, 'make', '-C',
    $copy, '-f', 'objs/Makefile', 'modules',
    "CFLAGS=$flags -DNGX_HTTP_OFFLOAD_CHECKED=1021999");
is $make->{status}, 0, 'a module that knows nginx until 1.21'
    or diag $make->{err};

my $key = $t->key('coordinator');
my %bytes;
$t->write("html/$_/secret-$_.bin", $bytes{$_} = $t->bytes(300_000, $_))
    for my @secrets = qw(allow six basic request link set);
$t->write('html/open.bin', $t->bytes(300_000, 'open'));

local $ENV{OFFLOAD_MODULE} = "$copy/objs/ngx_http_offload_module.so";
my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
        location /allow/    { allow all; }
        location /six/      { deny 2001:db8::/32; }
        location /basic/    { auth_basic off; }
        location /request/  { auth_request /ok; }
        location /link/     { secure_link $arg_s; secure_link_md5 k; }
        location /set/      { set $x 1; }
        location = /ok      { internal; return 204; }
    }
}
CONF
like $nginx->log, qr/\[warn\] .*this nginx is later than what the offload/,
    'it is said';

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my @kept = map { Offload::Test::Secret->new($t, $c, "/$_/secret-$_.bin",
    $bytes{$_})->asked } @secrets;
$c->root('/open.bin');
$c->start;
is_deeply [ keys %{ $c->{told} } ], [ '/open.bin' ],
    'what no rule stands before is offered, and nothing else';
$kept[$_]->kept($secrets[$_]) for 0 .. $#secrets;

$t->done;
