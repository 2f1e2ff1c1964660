# Reloads under load, with what they may change: the size of the zone, whether
# there is one, the number of workers, the module itself.  No request fails,
# on new connections or on those that are kept.

use Offload::Test;
use Offload::Test::Load;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(300_000, 1);
$t->write('html/f.bin', $bytes);

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
worker_processes 2;
events {}
http {
    default_type  application/octet-stream;
    keepalive_requests 100000;
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
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->offer('/f.bin', [ 1, 1 ]);
my $conf = $nginx->conf;
my $bare = $conf =~ s/^load_module .*$//mr =~ s/\boffload\w*(?:\s[^;{}]*)?;//gr;
my @to = (
    [ 'the same', $conf ],
    [ 'a larger zone', $conf =~ s/offload_zone  1m/offload_zone  3m/r ],
    [ 'a smaller zone', $conf =~ s/offload_zone  1m/offload_zone  256k/r ],
    [ 'off', $conf =~ s/offload   +on;/offload off;/r ],
    [ 'on', $conf ],
    [ 'one worker', $conf =~ s/worker_processes 2/worker_processes 1/r ],
    [ 'without the module', $bare ],
    [ 'with it again', $conf ],
    [ 'redirects', $conf =~ s/(offload_key)/offload_redirect on; offload_trust
        @{[ $c->node(1)->{id} ]}; $1/r ],
    [ 'as at first', $conf ],
    [ 'private', $conf =~ s/(offload_key)/add_header Cache-Control private; $1/r ],
);

my $load = Offload::Test::Load->new($t, clients => 2,
    url => $nginx->url . '/f.bin', content => $bytes);
$load->more(20);
for (@to) {
    my ($name, $text) = @$_;
    $nginx->reload($text);
    $load->more(20);
    my $r = $c->get('/f.bin', 'Offload-Fetch' => 'direct');
    ok $r->{content} eq $bytes, "$name: the file";
    next if $text eq $bare || $text =~ /private|offload off/;
    is $c->root('/f.bin'), $root, "$name: known again";
    $c->send;
    if (($c->claims->{need} // '') eq 'full') {
        $c->start(nodes => [ $c->node(1) ], contents => { $root => [ [ 1, 1 ] ] });
    }
    ok Offload::Test::Sync::is_manifest($c->get('/f.bin',
        Accept => 'application/offload+jwt')), "$name: and offered";
}
my @failed = $load->stop;
is "@failed[0 .. ($#failed < 4 ? $#failed : 4)]", '',
    'none of ' . $load->requests . ' requests failed';

$t->done;
