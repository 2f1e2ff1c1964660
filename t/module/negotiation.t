# Who gets a manifest and who gets the file: headers, methods, ranges,
# preconditions; and $offload_status, $offload_root of each.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(300_000, 1);
$t->write('html/f.bin', $bytes);

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    log_format    offload '$request_method $status $offload_status $offload_root';
    access_log    %%DIR%%/offload.log offload;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ {
            offload     off;
            offload_endpoint;
        }
    }
}
CONF

my $type = 'application/offload+jwt';
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->offer('/f.bin', [ 1, 1 ]);
my $etag = $t->http(HEAD => $nginx->url . '/f.bin')->{headers}{etag};
my $date = $t->http(HEAD => $nginx->url . '/f.bin')->{headers}{'last-modified'};

# What a request comes to, with what the log says of it.
sub outcome {
    my ($method, %headers) = @_;
    my $r = $t->http($method => $nginx->url . '/f.bin?x=%00y', headers => \%headers);
    my $got = Offload::Test::Sync::is_manifest($r) ? 'manifest'
        : $r->{content} eq $bytes ? 'file' : $r->{status};
    my $line = $t->wait_for(sub {
        my @lines = split /\n/, $t->read('offload.log');
        $lines[-1] =~ /^$method $r->{status} / && $lines[-1];
    }, 'a line in the log');
    my ($status, $of) = (split / /, $line)[2, 3];
    is $of, $root, "$method: \$offload_root" if $status =~ /direct|manifest/
        && $r->{status} == 200;
    return "$got $status";
}

my @cases = (
    'file direct' => [],
    'file direct' => [ Accept => '*/*' ],
    'file direct' => [ Accept => 'application/*, text/html' ],
    'manifest manifest' => [ Accept => $type ],
    'manifest manifest' => [ Accept => "*/*;q=0.1,APPLICATION/Offload+JWT" ],
    'manifest manifest' => [ Accept => " $type ; q=0.001 , text/html" ],
    'manifest manifest' => [ Accept => "text/x;a=\"b, c;\\\"\", $type" ],
    'file direct' => [ Accept => "text/x;a=\", $type" ],
    'file direct' => [ Accept => "$type;q=0" ],
    'file direct' => [ Accept => "$type; Q=0.000, */*" ],
    'file direct' => [ Accept => "$type;q=" ],
    'file direct' => [ Accept => "x$type, ${type}x, $type/x" ],
    'file direct' => [ 'Offload-Fetch' => 'direct', Accept => $type ],
    'file direct' => [ 'Offload-Fetch' => 'other', Accept => $type ],
    'manifest manifest' => [ 'Offload-Fetch' => 'manifest', Accept => '*/*' ],
    'manifest manifest' => [ Accept => $type, Range => 'bytes=0-9' ],
    'manifest manifest' => [ Accept => $type, Range => 'bytes=0-9',
        'If-Range' => $etag ],
    'manifest manifest' => [ Accept => $type, 'If-Match' => $etag ],
    'manifest manifest' => [ Accept => $type, 'If-Match' => '*' ],
    'manifest manifest' => [ Accept => $type, 'If-None-Match' => '"x"' ],
    'manifest manifest' => [ Accept => $type, 'If-Unmodified-Since' => $date ],
    '304 direct' => [ Accept => $type, 'If-None-Match' => $etag ],
    '304 direct' => [ Accept => $type, 'If-Modified-Since' => $date ],
    '412 ineligible' => [ Accept => $type, 'If-Match' => '"x"' ],
    'file ineligible' => [ Accept => $type, Authorization => 'Basic eDp5' ],
);
while (my ($expected, $headers) = splice @cases, 0, 2) {
    is outcome(GET => @$headers), $expected,
        @$headers ? "@$headers: $expected" : 'nothing said';
}
is outcome(HEAD => Accept => $type), '200 direct', 'HEAD is about the file';
is outcome(POST => Accept => $type), '405 ineligible', 'POST';

# A 304 is the file's own, with its validators.
my $r = $c->get('/f.bin', Accept => $type, 'If-None-Match' => $etag);
is $r->{headers}{etag}, $etag, '304 has the ETag of the file';

# Range requests for the file are nginx's own.
$r = $c->get('/f.bin', Range => 'bytes=5-9');
is "$r->{status} $r->{content}", '206 ' . substr($bytes, 5, 5), 'Range';

# A body is read, and the connection goes on.
my ($host, $port) = ('127.0.0.1', $nginx->port);
my $two = $t->raw($host, $port, "GET /f.bin HTTP/1.1\r\nHost: x\r\nAccept: "
    . "$type\r\nContent-Length: 5\r\n\r\nGET /GET /f.bin HTTP/1.1\r\nHost: x\r\n"
    . "Accept: $type\r\nConnection: close\r\n\r\n");
is scalar(() = $two =~ /^Content-Type: application\/offload\+jwt/mg), 2,
    'two manifests on one connection';

$t->done;
