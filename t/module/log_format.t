# What the access log can say of each request: $offload_status, $offload_root,
# $offload_peer, by the log_format of doc/directives.md.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(300_000, 1);
$t->write("html/$_", $bytes) for qw(f.bin to/f.bin busy/f.bin by/f.bin off/f.bin lone.bin);
$t->write('html/small.bin', 'x');

my ($format) = $t->read(Cwd::abs_path('doc/directives.md'))
    =~ /^(log_format offload .*?;)$/ms or die 'no log_format in doc/directives.md';
my $c;
my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x}, FORMAT => $format,
%%MODULES%%
events {}
http {
    %%FORMAT%%
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        access_log          %%DIR%%/offload.log offload;

        location /to/   { offload_redirect on; offload_trust %%NODE%%; }
        location /busy/ { offload_above 100000m; }
        location /by/   { offload_bypass $arg_direct; }
        location /off/  { offload off; }
        location /.well-known/offload/ { offload_endpoint; access_log off; }
    }
}
CONF
    NODE => Offload::Test::Sync->node(1)->{id});

$c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->offer('/f.bin', [ 1, 1 ]);
is $c->root($_), $root, "$_: the same bytes" for qw(/to/f.bin /busy/f.bin /by/f.bin /lone.bin);
my $node = $c->node(1);

# The last line that the log has of a request for this URL.
sub logged {
    my ($url, %headers) = @_;

    my $r = $c->get($url, %headers, Referer => my $mark = rand);
    my $line = $t->wait_for(sub {
        (grep { /"\Q$mark\E"/ } split /\n/, $t->read('offload.log'))[0];
    }, "$url is logged");
    my ($outcome, $peer, $of) = $line =~ / (\S+) (\S+) (\S+)$/;
    return "$outcome $peer $of";
}

my %manifest = (Accept => 'application/offload+jwt');
for (
    [ '/f.bin', {}, "direct - $root" ],
    [ '/f.bin', \%manifest, "manifest - $root" ],
    [ '/to/f.bin', {}, "redirect $node->{id} $root" ],
    [ '/busy/f.bin', \%manifest, 'idle - -' ],
    [ '/by/f.bin?direct=1', \%manifest, 'bypass - -' ],
    [ '/by/f.bin', \%manifest, "manifest - $root" ],
    [ '/small.bin', {}, 'ineligible - -' ],
    [ '/off/f.bin', {}, '- - -' ],
    [ '/nowhere', {}, 'ineligible - -' ])
{
    my ($url, $headers, $want) = @$_;
    is logged($url, %$headers), $want, "$url: $want";
}
$t->write('html/new.bin', $t->bytes(300_000, 2));
is logged('/new.bin', %manifest), 'indexing - -', 'a new file: indexing';
my $new = $c->root('/new.bin');
is logged('/new.bin', %manifest), "nopeers - $new", 'and then: nopeers';

$t->done;
