# What stands before a file and lets only some pass: those who pass get it, and
# not one byte, hash or name of it comes to anyone else.

use Offload::Test;
use Offload::Test::Secret;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my %bytes;
for (qw(basic deny allow any anyauth request requestfree limit internal link
    linkpath linksecret referer geo map nested inner regex realm inherit cert
    inside apikey tokened proxyuser open limited blocked))
{
    $t->write("html/$_/secret-$_.bin", $bytes{$_} = $t->bytes(300_000, $_));
}
$t->write('passwd', "u:{PLAIN}p\n");
for my $name (qw(tls client)) {
    $t->run(qw(openssl req -x509 -newkey rsa:2048 -nodes -subj), "/CN=$name",
        '-keyout', $t->path("$name.key"), '-out', $t->path("$name.crt"));
}

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    geo $inside           { default 0; 127.0.0.0/8 1; }
    geo $realm            { default x; 127.0.0.1 off; 127.0.0.0/8 x; }
    map $http_user_agent $friend { default 0; friend 1; }
    map $ssl_client_verify $folder { default none; SUCCESS inside; }

    server {
        listen              127.0.0.1:%%PORT%%;
        listen              127.0.0.1:%%PORT_1%% ssl;
        listen              127.0.0.2:%%PORT%%;
        ssl_certificate        %%DIR%%/tls.crt;
        ssl_certificate_key    %%DIR%%/tls.key;
        ssl_verify_client      optional;
        ssl_client_certificate %%DIR%%/client.crt;
        server_name         127.0.0.1;
        offload_site        http://127.0.0.1:%%PORT%%;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        auth_basic_user_file %%DIR%%/passwd;

        location /.well-known/offload/ { offload_endpoint; }
        location /basic/    { auth_basic x; }
        location /deny/     { deny all; }
        location /allow/    { allow 127.0.0.1; deny all; }
        location /any/      { satisfy any; allow 127.0.0.1; auth_basic x; }
        location /anyauth/  { satisfy any; auth_request /ok; deny all; }
        location /request/  { auth_request /by-header; }
        location /requestfree/ { auth_request /ok; }
        location /limit/    { limit_except PUT { allow 127.0.0.1; deny all; } }
        location /internal/ { internal; }
        location /link/     {
            secure_link $arg_s; secure_link_md5 k$uri;
            if ($secure_link = "") { return 403; }
        }
        location ~ ^/linkpath/(?<md5>[^/]+)/(?<name>.*)$ {
            alias %%DIR%%/html/linkpath/$name;
            secure_link $md5; secure_link_md5 k$name;
            if ($secure_link = "") { return 403; }
        }
        location /linksecret/ {
            secure_link_secret k; rewrite ^ /internal/$secure_link break;
        }
        location /referer/  {
            valid_referers 127.0.0.1; if ($invalid_referer) { return 403; }
        }
        location /geo/      { if ($inside = 0) { return 403; } }
        location /map/      { if ($friend = 0) { return 404; } }
        location /nested/   {
            if ($friend = 0) { return 403; }
            if ($inside) { set $x y; }
        }
        location /inherit/  {
            allow 127.0.0.1; deny all;
            location /inherit/deep/ { alias %%DIR%%/html/inherit/; }
        }
        location /regex/    { location ~ \.bin$ { auth_basic x; } }
        location /realm/    { auth_basic $realm; }
        location /cert/     { alias %%DIR%%/html/$folder/; }
        location /limited/  { limit_except GET { deny all; } }
        location /blocked/  { auth_basic off; auth_request off; allow all; }
        location = /ok        { internal; return 204; }
        location = /by-header { internal; if ($http_x_user = "") { return 401; } return 204; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my %user = (Authorization => 'Basic dTpw');

sub md5 {
    my ($text) = @_;
    require Digest::MD5;
    return MIME::Base64::encode_base64url(Digest::MD5::md5($text));
}

# Which, the path if it is another, and what those who may have it say.
my @secrets = map {
    my ($name, $path, %o) = @$_;
    [ $name, Offload::Test::Secret->new($t, $c,
        $path || "/$name/secret-$name.bin", $bytes{$name}, %o) ];
} ([ 'basic', '', pass => \%user, denied => 1 ],
    [ 'deny', '', refused => 403, denied => 1 ],
    [ 'allow', '' ], [ 'any', '' ], [ 'any', '', pass => \%user ],
    [ 'anyauth', '' ], [ 'limit', '' ],
    [ 'request', '', pass => { 'X-User' => 'u' }, denied => 1 ],
    [ 'requestfree', '' ],
    [ 'internal', '', refused => 404, denied => 1 ],
    [ 'link', '/link/secret-link.bin?s=' . md5('k/link/secret-link.bin') ],
    [ 'linkpath', '/linkpath/' . md5('ksecret-linkpath.bin')
        . '/secret-linkpath.bin' ],
    [ 'linksecret', '/linksecret/' . Digest::MD5::md5_hex('secret-internal.bink')
        . '/secret-internal.bin' ],
    [ 'referer', '', pass => { Referer => 'http://127.0.0.1/' }, denied => 1 ],
    [ 'geo', '' ], [ 'realm', '' ],
    [ 'map', '', pass => { 'User-Agent' => 'friend' }, denied => 1 ],
    [ 'nested', '', pass => { 'User-Agent' => 'friend' }, denied => 1 ],
    [ 'inherit', '/inherit/secret-inherit.bin' ],
    [ 'inherit', '/inherit/deep/secret-inherit.bin' ],
    [ 'regex', '', pass => \%user, denied => 1 ]);

for (@secrets) {
    my ($name, $s) = @$_;
    $s->asked;
    is $s->{status}, $s->{refused} // 200, "$name: those who may have it";
}

# A client's certificate chooses another folder.
my $r = $t->run(qw(curl -sSk -w %{http_code} -o /dev/null --cert),
    $t->path('client.crt'), '--key', $t->path('client.key'), '-H',
    'Host: 127.0.0.1:' . $nginx->port,
    'https://127.0.0.1:' . $nginx->port(1) . '/cert/secret-inside.bin');
is $r->{out}, 200, 'a client with a certificate';
my $inside = Offload::Test::Secret->new($t, $c, '/cert/secret-inside.bin',
    $bytes{inside}, denied => 1);

# These are for anyone; when they are known, so would the others be.
my %open = map { $_ => $c->root("/$_/secret-$_.bin") } qw(open limited blocked);
$c->start;
is_deeply [ sort keys %{ $c->{told} } ],
    [ map { "/$_/secret-$_.bin" } sort keys %open ],
    'a coordinator is told of the open ones, and of nothing else';
$_->[1]->kept($_->[0]) for @secrets;
$inside->kept('a certificate');

# What may be a credential in a header of any name teaches nothing.
for my $header ('X-Api-Key', 'X-Auth-Token', 'Proxy-Authorization',
    'X-Session', 'X-Forwarded-User', 'X-SSL-Client-Cert', 'X-Amz-Signature',
    'X-JWT', 'Cf-Access-Jwt', 'X-Assertion', 'X-Amzn-Oidc-Data', 'X-SAML-Response',
    'X-Remote-Name', 'X-Forwarded-Email', 'X-Forwarded-Groups')
{
    my $s = Offload::Test::Secret->new($t, $c, '/apikey/secret-apikey.bin',
        $bytes{apikey}, pass => { $header => 'x' });
    $s->{sync}->get($s->{path}, $header => 'x', 'Offload-Fetch' => 'manifest')
        for 1 .. 3;
}
$c->root('/tokened/secret-tokened.bin');
is $t->json($c->get('/.well-known/offload/status')->{content})->{files},
    1 + keys %open, 'no file is known by them';

$t->done;
