# What one direct answer says holds until another says otherwise: a private one
# ends the offer, only a public one begins it again, a minute later; and after
# a reload none of those before it counts.

use Offload::Test;
use Offload::Test::Clock;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write("html/$_.bin", $t->bytes(300_000, 1)) for qw(a same);
$t->write('html/b.bin', $t->bytes(33 * 262_144, 2));

my $clock = Offload::Test::Clock->new($t);
my $nginx = $clock->run(sub {
    $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    map $http_private $control { default ""; yes private; }

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        add_header          Cache-Control $control;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
});

my %want = ('Offload-Fetch' => 'manifest');
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
sub status { $t->json($c->get('/.well-known/offload/status')->{content}) }
sub given { Offload::Test::Sync::is_manifest($c->get($_[0], %want)) ? 1 : 0 }
sub gone {
    $c->send(iat => $clock->time, exp => $clock->time + 60);
    return $c->told($_[0])->{gone} ? 1 : 0;
}
sub table { $c->get("/.well-known/offload/pieces/$_[0]")->{status} }

$clock->forward(3);
my ($root, $large) = map { $c->root($_) } qw(/a.bin /b.bin);
$c->root('/same.bin');
is gone('/a.bin'), 0, 'offered';

# A private answer, and a minute in which nobody asks for the file itself.
$c->get($_, Private => 'yes') for qw(/a.bin /b.bin);
is given('/a.bin'), 0, 'not any more';
is gone('/a.bin'), 1, 'the coordinator is told';
is table($large), 404, 'no table';
$clock->forward(61);
my $before = status()->{signatures};
$c->get('/b.bin', Private => 'yes') for 1 .. 3;
is given('/b.bin'), 0, 'a minute later, still private';
is table($large), 404, 'no table';
$c->get('/a.bin', Private => 'yes', %want) for 1 .. 5;
is status()->{signatures}, $before, 'nothing was signed';
$clock->forward(61);
is gone('/a.bin'), 1, 'a minute passes: no answer, no news';
is table($large), 404, 'nor a table';

# What begins it again is a public answer.
is given('/a.bin'), 0, 'the first one gets the file, which is for anyone now';
is given('/a.bin'), 1, 'the next a manifest';
is gone('/a.bin'), 0, 'the coordinator is told';
$c->get('/b.bin');
is table($large), 200, 'the table is there again';
$before = status()->{signatures};
given('/a.bin') for 1 .. 5;
is status()->{signatures}, $before, 'kept as ever';

# The same content at a public place: its table is back after the minute.
$c->get('/a.bin', Private => 'yes');
is given('/same.bin'), 1, 'another file of the same content';
is table($root), 404, 'its table waits';
$clock->forward(61);
is given('/same.bin') . table($root), '1200', 'for a minute';

# A reload makes it private while only manifests are asked for.
is given('/same.bin'), 1, 'before the reload';
$nginx->reload($nginx->conf =~ s/Cache-Control \$control/Cache-Control private/r);
is given('/same.bin'), 0, 'judged anew: private';
is gone('/same.bin'), 1, 'the coordinator is told';
$nginx->reload($nginx->conf =~ s/Cache-Control private/X y/r);
$clock->forward(61);
my $r = $c->get('/same.bin', %want);
is $r->{headers}{'offload-status'}, 'indexing; retry=1', 'the file, and soon more';
is given('/same.bin'), 1, 'judged anew: public';
is status()->{hashed}, 3, 'nothing was hashed again';

# Nor does a reload that changes nothing take anything away.
$c->start(iat => $clock->time, exp => $clock->time + 60);
my $manifest = $c->get('/same.bin', %want)->{content};
$nginx->reload;
$c->get('/same.bin');
is $c->get('/same.bin', %want)->{content}, $manifest, 'after one look at it';

$t->done;
