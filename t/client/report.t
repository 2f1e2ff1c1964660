# When it is done, the client tells the site once who sent how much and who
# failed; it never waits for that, and does not do it if told so.

use Offload::Test;
use Offload::Test::Sync;

use Time::HiRes qw(time);

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(3_000_000, 1);
$t->write('html/f.bin', $bytes);

my $mute = $t->serve(sub { sleep 20 });
my $origin = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x},
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    log_format    seen '$request_method $uri $status';
    access_log    %%DIR%%/seen.log seen;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
        location = /.well-known/offload/report {
            offload_endpoint;
            if (-f %%DIR%%/mute) { proxy_pass http://127.0.0.1:%%MUTE%%; }
            if (-f %%DIR%%/busy) { return 503; }
        }
    }
}
CONF
    MUTE => $mute->port);
my $c = Offload::Test::Sync->new($t, $key, $origin->url);
my $root = $c->root('/f.bin');

# Two good nodes, slow enough that both have something to do; one that lies;
# one that is not there.
$t->write("good/c/$root", $bytes);
$t->write("bad/c/$root", $bytes ^ ("\1" x length $bytes));
my $nodes = $t->nginx(<<'CONF');
events {}
http {
    default_type        application/octet-stream;
    sendfile_max_chunk  64k;
    server { listen 127.0.0.1:%%PORT%%;   root %%DIR%%/good; limit_rate 2m; }
    server { listen 127.0.0.1:%%PORT_1%%; root %%DIR%%/good; limit_rate 2m; }
    server { listen 127.0.0.1:%%PORT_2%%; root %%DIR%%/bad; }
}
CONF
my @urls = ($nodes->url, $nodes->url(1), $nodes->url(2),
    'http://127.0.0.1:' . $t->port);
$c->start;
$c->send(nodes => [ map { $c->node($_ + 1, url => $urls[$_]) } 0 .. 3 ],
    contents => { $root => [ map { [ 1, $_ ] } 1 .. 4 ] });

sub get {
    my $r = $t->offload('get', '--json', '-o', $t->path('out.bin'), @_,
        $origin->url . '/f.bin');
    is $r->{status}, 0, "get @_" or diag $r->{err};
    ok $t->read('out.bin') eq $bytes, 'the file is right';
    return $t->json($r->{out});
}
sub posts { scalar grep { /^POST \S+report / } split /\n/, $t->read('seen.log') }

my $report = get('--no-report');
is $report->{reported}, undef, 'nothing is reported';
is posts(), 0, 'nor sent';

$report = get();
is $report->{reported}, JSON::PP::true(), 'reported';
is posts(), 1, 'once';
like $t->read('seen.log'), qr{^POST /.well-known/offload/report 204$}m,
    'and taken';

# The site says of the nodes what the client says of its sources.
my %said = map { $_->{url} => $_ }
    grep { $_->{kind} eq 'peer' } @{ $report->{sources} };
$c->send;
my %told = map { $_->{id} => $_ } @{ $c->claims->{nodes} };
my $sum = 0;
for (0 .. 3) {
    my $told = $told{ $c->node($_ + 1)->{id} } // { bytes => 0, failed => 0 };
    is $told->{bytes}, $said{ $urls[$_] }{bytes} // 0, "bytes of node $_";
    is $told->{failed}, $_ >= 2 && $said{ $urls[$_] }{failed} ? 1 : 0,
        "node $_ has failed or not";
    $sum += $told->{bytes};
}
cmp_ok $sum, '>', 0, 'some came from nodes';
is $told{ $c->node(3)->{id} }{failed}, 1, 'the one that lied';

# A site that is silent or refuses: the file is there all the same.
$t->write('mute', '');
my $began = time;
$report = get();
my $took = time - $began;
like $report->{reported}, qr/timed out/, 'a site that says nothing';
cmp_ok $took - $report->{seconds}, '>', 1.9, 'it is waited for a little';
cmp_ok $took - $report->{seconds}, '<', 4, 'and no longer';
unlink $t->path('mute');
$t->write('busy', '');
$report = get();
like $report->{reported}, qr/HTTP status 503/, 'a site that has no time';
unlink $t->path('busy');

$report = get('--direct');
is $report->{reported}, undef, 'a download without nodes: nothing to report';

$t->done;
