# Answers that say they are not for everyone, and files that a cookie or a
# header chooses: nothing of them is offered, and what is bypassed teaches
# nothing.

use Offload::Test;
use Offload::Test::Secret;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my (%bytes, @names);
for (qw(private always token list nostore pragma set setalways mapped userid
    cond expires late weak empty cookie query bypass ims))
{
    $t->write("html/$_/secret-$_.bin", $bytes{$_} = $t->bytes(300_000, $_));
}
$t->write('html/open.bin', $t->bytes(300_000, 1));
$t->write("html/$_/public.bin", $t->bytes(300_000, "$_ public"))
    for qw(nocache epoch hour nostored session);
$t->write('html/member/public.bin', $bytes{member} = $t->bytes(300_000, 2));

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    map $cookie_member $folder  { default session; yes member; }
    map $http_accept   $control { default private; }
    map $uri           $expires { default epoch; }

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
        location /private/   { add_header Cache-Control private; }
        location /always/    { add_header Cache-Control private always; }
        location /token/     { add_header cache-control 'max-age=60, PRIVATE="Set-Cookie"'; }
        location /list/      { add_header Cache-Control public; add_header Cache-Control "max-age=5,no-store"; }
        location /nostore/   { add_header Cache-Control "no-cache, no-store, must-revalidate" always; }
        location /pragma/    { add_header Pragma no-cache; add_header Cache-Control private; }
        location /set/       { add_header Set-Cookie a=b; }
        location /setalways/ { add_header Set-Cookie a=b always; }
        location /mapped/    { add_header Cache-Control $control; }
        location /userid/    { userid on; }
        location /expires/   { expires 1h; add_header Cache-Control private; }
        location /late/      { expires $expires; add_header cACHE-cONTROL " no-store "; }
        location /weak/      { add_header ETag 'W/"x"'; }
        location /cond/      { if ($args = "") { add_header Cache-Control private; } }
        location /bypass/    { offload_bypass 1; }

        # For anyone, though not for long.
        location /nocache/   { expires -1; }
        location /epoch/     { expires epoch; }
        location /hour/      { expires 1h; }
        location /nostored/  { add_header X-Cache-Control no-store; add_header Cache-Control 'x="no-store, private"'; }
        location /chosen/    { alias %%DIR%%/html/$folder/; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my @secrets;
for (map([ $_ ], qw(private always token list nostore pragma set setalways
        mapped userid expires late weak cond bypass)),
    [ 'cookie', undef, Cookie => 'any=1' ], [ 'query', '?' ],
    [ 'member', '/chosen/public.bin', Cookie => 'member=yes' ])
{
    my ($name, $path, %pass) = @$_;
    $path = "/$name/secret-$name.bin" . ($path // '') if ($path // '?') eq '?';
    my $s = Offload::Test::Secret->new($t, $c, $path, $bytes{$name},
        pass => \%pass);
    is $s->asked->{status}, 200, "$name is given";
    push @secrets, [ $name, $s ];
}

my @ever = map { "/$_/public.bin" } qw(chosen epoch hour nocache nostored);
$c->root($_) for '/open.bin', @ever;
$c->start;
is_deeply [ sort keys %{ $c->{told} } ], [ sort '/open.bin', @ever ],
    'nothing but what is for anyone is told';
for (@secrets) {
    my ($name, $s) = @$_;
    # Without the cookie, the query: for anyone, and so is a file of its name.
    next if $name =~ /^(?:cookie|query|member)$/;
    $s->kept($name);
}

# With a cookie that chooses another file, the same name is not offered.
my $r = $c->get('/chosen/public.bin', Cookie => 'member=yes',
    'Offload-Fetch' => 'manifest');
ok $r->{content} eq $bytes{member}, 'the other one is given itself';
is_deeply [ grep { /^(?:link|digest|repr-|offload-)/ }
    keys %{ $r->{headers} } ], [], 'and nothing said of it';

$t->done;
