# Whom a site's clients are sent to: nodes named by offload_trust only, of the
# location that was asked; never from https to http; and how it is written.

use Offload::Test;
use Offload::Test::Clock;
use Offload::Test::Sync;

use MIME::Base64 qw(encode_base64url);

my $t = Offload::Test->new;
my $site = $t->key('site');
my $key = $t->key('coordinator');
my @id = map { encode_base64url(pack 'N8', ($_) x 8) } 0 .. 300;
$t->write("html/$_/f.bin", $t->bytes(300_000, 1)) for qw(a b none);
my $r = $t->run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:P-256', '-nodes', '-keyout', $t->path('tls.key'),
    '-out', $t->path('tls.crt'), '-subj', '/CN=localhost', '-days', 2);
die $r->{err} if $r->{status};

my $conf = <<'CONF';
%%MODULES%%
events {}
http {
    offload_zone        2m;
    offload_state       %%DIR%%/state;
    offload             on;
    offload_key         %%SITE%%;
    offload_coordinator https://tracker.example/ %%X%%;
    offload_redirect    on;
    offload_trust       %%A%%;
    root                %%DIR%%/html;
    ssl_certificate     %%DIR%%/tls.crt;
    ssl_certificate_key %%DIR%%/tls.key;

    server {
        listen          127.0.0.1:%%PORT%%;
        listen          127.0.0.1:%%PORT_1%% ssl;
        offload_site    http://127.0.0.1:%%PORT%%;
        location /b/    { offload_trust %%B%%; offload_trust %%C%%; }
        location /none/ { alias %%DIR%%/html/a/; offload_trust %%D%%; }
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen          127.0.0.1:%%PORT_2%%;
        offload_site    https://secure.example;
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
my %vars = (SITE => $site->{file}, X => $key->{x}, A => $id[1], B => $id[2],
    C => $id[3], D => $id[4]);
my $clock = Offload::Test::Clock->new($t);
my $nginx = $clock->run(sub { $t->nginx($conf, %vars) });

# Where a request is sent; '' if it gets the file.
sub sent {
    my ($path, %o) = @_;

    my $r = $t->http(HEAD => $nginx->url($o{port} // 0) . $path,
        headers => $o{headers} // {});
    return $r->{status} == 302
        ? $r->{headers}{location} =~ s{(://[^/]+)/.*}{$1}r : '';
}

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->root('/a/f.bin');
$c->root("/$_/f.bin") for qw(b none);
$c->start;
$c->send(nodes => [ map { $c->node($_) } 1, 2, 3 ],
    contents => { $root => [ map { [ 1, $_ ] } 1, 2, 3 ] });

is sent('/a/f.bin'), 'http://127.0.0.1:2001', 'inherited';
like sent('/b/f.bin'), qr{:200[23]$}, 'a location has a list of its own';
is sent('/none/f.bin'), '', 'no holder that is trusted: the file';
is sent('/a/f.bin'), 'http://127.0.0.1:2001', 'and none is mixed up';

# The third is all that is left to /b/, whatever it was before.
$c->send(gone => [2]);
is sent('/b/f.bin'), 'http://127.0.0.1:2003', 'the other one in the list';

# By TLS, only nodes that have it too.
sub sent_tls {
    my $r = $t->run('curl', '-skI', '-o', '/dev/null', '-w',
        '%{http_code} %{redirect_url}', "https://127.0.0.1:"
        . $nginx->port(1) . '/a/f.bin');
    return $r->{out} =~ s{(://[^/]+)/.*}{$1}r;
}
is sent_tls(), '200 ', 'https is not downgraded';
$c->send(nodes => [ $c->node(1, url => 'https://n1.example') ]);
$t->wait_for(sub { sent_tls() eq '302 https://n1.example' }, 'a redirect', 4);
pass 'an https node will do';
is sent('/a/f.bin'), 'https://n1.example', 'for http as well';

# TLS may end in front of nginx: what the site is called tells.
my $s = Offload::Test::Sync->new($t, $key, $nginx->url(2),
    'https://secure.example');
my %as = (port => 2, headers => { Host => 'secure.example' });
$s->root('/a/f.bin');
$s->start;
$s->send(nodes => [ $s->node(1) ], contents => { $root => [ [ 1, 1 ] ] });
is sent('/a/f.bin', %as), '', 'a site with an https name: no http node';
$s->send(nodes => [ $s->node(1, url => 'https://n1.example') ]);
$t->wait_for(sub { sent('/a/f.bin', %as) eq 'https://n1.example' },
    'a redirect', 4);
pass 'but an https one';

# Who is no longer trusted gets nobody any more.
$c->send(nodes => [ $c->node(4) ],
    contents => { $root => [ map { [ 1, $_ ] } 1, 3, 4 ] });
is sent('/a/f.bin'), 'https://n1.example', 'one of three is trusted';
$nginx->reload($nginx->conf =~ s/offload_trust +$id[1]/offload_trust $id[4]/r);
$t->wait_for(sub { sent('/a/f.bin') eq 'http://127.0.0.1:2004' },
    'another one is, now', 10);
pass 'the list is what the configuration says now';

# A coordinator that is silent for a minute has no say.
$clock->forward(55);
is sent('/a/f.bin'), 'http://127.0.0.1:2004', 'for a while it counts';
$clock->forward(10);
is sent('/a/f.bin'), '', 'but not for ever: the file';

like $t->nginx_fails($conf =~ s/%%A%%/n1.example/r, %vars),
    qr/invalid id "n1\.example" in "offload_trust": a node logs its own/,
    'an id is an id';
like $t->nginx_fails($conf =~ s/offload_trust +%%A%%/offload_trust/r, %vars),
    qr/invalid number of arguments in "offload_trust"/, 'at least one';
like $t->nginx_fails($conf =~ s/%%A%%/@id[1 .. 257]/r, %vars),
    qr/"offload_trust" .*256 at most/, 'and not too many';

$t->done;
