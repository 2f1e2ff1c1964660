# "offload_node_rate": what nodes pull is limited by site; who asks for more is
# told when to come again.  Others are not limited.

use Offload::Test;
use Offload::Test::Sync;
use Time::HiRes qw(time);

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write('html/f.bin', $t->bytes(3 * 262_144, 1));

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone      1m;
    offload_state     %%DIR%%/state;
    offload_node_rate 256k;
    offload           on;
    offload_key       %%SITE%%;
    root              %%DIR%%/html;

    server {
        listen       127.0.0.1:%%PORT%%;
        offload_site http://one.example;
        error_page   503 /busy.html;
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen       127.0.0.1:%%PORT_1%%;
        offload_site http://two.example;
    }
    server {
        listen            127.0.0.1:%%PORT_2%%;
        offload_site      http://three.example;
        offload_node_rate 0;
    }
}
CONF
$t->write('html/busy.html', 'later');

my $id = 'A' x 43;
my %all = ('Offload-Fetch' => 'direct', 'Offload-Node' => $id);

sub ask {
    my ($server, %headers) = @_;
    my $method = delete $headers{method} // 'GET';
    return $t->http($method => $nginx->url($server) . '/f.bin', headers => \%headers);
}

sub status { $t->json($t->http(GET => $nginx->url
    . '/.well-known/offload/status')->{content}) }

# A second's worth is 262144.
is ask(0, %all, method => 'HEAD', Range => 'bytes=0-786431')->{status}, 206, 'HEAD is free';
my $began = time;
my $r = ask(0, %all, Range => 'bytes=0-786431');
is "$r->{status} " . length $r->{content}, '206 786432', 'the first one, whole';
$r = ask(0, %all, Range => 'bytes=0-0');
is $r->{status}, 503, 'the next one is too early';
like $r->{headers}{'retry-after'}, qr/^[23]$/, 'and is told when to come again';
is $r->{content}, 'later', 'error_page has its say';
is ask(1, %all, Range => 'bytes=0-0')->{status}, 206, 'another site has its own';
is ask(2, %all, Range => 'bytes=0-786431')->{status}, 206, "0: any, $_" for 1 .. 3;

# Who is no node is not limited.
my %others = (
    'no id'             => { 'Offload-Fetch' => 'direct' },
    'an id too short'   => { %all, 'Offload-Node' => 'A' x 42 },
    'an id too long'    => { %all, 'Offload-Node' => 'A' x 44 },
    'no base64url'      => { %all, 'Offload-Node' => '+' x 43 },
    'spare bits'        => { %all, 'Offload-Node' => 'A' x 42 . 'B' },
    'not asking direct' => { 'Offload-Node' => $id },
    'a client'          => {},
);
for (sort keys %others) {
    is ask(0, %{ $others{$_} }, Range => 'bytes=0-0')->{status}, 206, $_;
}

$t->wait_for(sub { ask(0, %all, Range => 'bytes=0-0')->{status} == 206 },
    'the node to be served again');
my $took = time - $began;
cmp_ok $took, '>=', 1.9, "after what it had taken ($took s)";

# What is asked for but not sent is given back; what is sent counts.
is ask(1, %all, 'If-Match' => '"other"')->{status}, 412, "not this version, $_" for 1 .. 3;
is ask(1, %all, Range => 'bytes=900000-')->{status}, 416, 'beyond the end';
is ask(1, %all, Range => 'bytes=0-1')->{status}, 206, 'cost nothing';
is ask(1, %all, Range => 'bytes=0-99999999999999')->{status}, 206, 'more than there is';
$r = ask(1, %all, Range => 'bytes=0-1');
like "$r->{status} $r->{headers}{'retry-after'}", qr/^503 [23]$/, 'cost what was sent';
$r = ask(1, %all, Range => 'bytes=0-1,5-6');
is $r->{status}, 503, 'several ranges are no way around it';

my $n = status();
cmp_ok $n->{deferred}, '>=', 3, 'status: deferred';
is int($n->{bytes}{pulled} / 786_432), 5, 'status: pulled';

$t->done;
