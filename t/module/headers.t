# A manifest's headers are its own, whatever other directives say; the file's
# stay as they are.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write('html/f.txt', $t->bytes(300_000, 1));

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    types { text/plain txt; }
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        gzip                on;
        gzip_vary           on;
        gzip_min_length     1;
        gzip_types          *;
        charset             utf-8;
        charset_types       *;
        expires             1h;
        add_header          Cache-Control public always;
        add_header          Vary Origin always;
        add_header          Pragma x always;
        add_header          X-Own kept always;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->offer('/f.txt', [ 1, 1 ]);

# Header lines, sorted, without those that nginx adds to all.
sub lines {
    my ($r) = @_;
    return [ sort map { s/^(Offload-Receipt: 1)\..*/$1/r }
        grep { !/^(?:HTTP|Server|Date|Connection|Content-Length)/ }
        split /\r?\n/, $r->{head} ];
}

my $r = $c->get('/f.txt', Accept => 'application/offload+jwt',
    'Accept-Encoding' => 'gzip');
is_deeply lines($r), [ 'Cache-Control: private, no-store',
    'Content-Type: application/offload+jwt', 'Offload-Receipt: 1',
    'Vary: Accept, Offload-Fetch', 'X-Own: kept' ], 'a manifest';
is $r->{headers}{'content-length'}, length $r->{content}, 'of known length';
is $t->claims($r->{content})->{content}{type}, 'text/plain',
    'the type of the file, without the charset';

$r = $c->get('/f.txt', 'Offload-Fetch' => 'direct', 'Accept-Encoding' => 'gzip');
is $r->{headers}{'content-encoding'}, 'gzip', 'the file is coded';
like $r->{head}, qr/^Vary: Accept-Encoding\r?$/m, 'its Vary';
like $r->{head}, qr/^Cache-Control: max-age=3600\r?$/m, 'its Cache-Control';
like $r->{head}, qr/^Content-Type: text\/plain; charset=utf-8\r?$/m, 'its type';
unlike $r->{head}, qr/Offload/i, 'nothing of ours';

$r = $c->get('/f.txt', 'Offload-Fetch' => 'direct');
like $r->{head}, qr/^ETag: "/m, 'and uncoded: its ETag';
unlike $r->{head}, qr/Offload/i, 'nothing of ours';

# Without candidates, the file with the reason.
$c->send(contents => { $root => [] });
$r = $c->get('/f.txt', Accept => 'application/offload+jwt');
is $r->{headers}{'offload-status'}, 'nopeers; retry=1', 'nopeers';
like $r->{head}, qr/^Cache-Control: max-age=3600\r?$/m, 'it is the file';

$t->done;
