# "offload_node_rate": what nodes pull is limited by site; who asks for more is
# told when to come again.  Others are not limited, and whoever names himself
# after a node does not keep nodes away for long.

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
    offload_coordinator http://127.0.0.1:9999 %%X%%;

    server {
        listen       127.0.0.1:%%PORT%%;
        offload_site http://one.example;
        error_page   503 /busy.html;
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen       127.0.0.1:%%PORT_1%%;
        offload_site http://two.example;
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen            127.0.0.1:%%PORT_2%%;
        offload_site      http://three.example;
        offload_node_rate 0;
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
$t->write('html/busy.html', 'later');

my @c = map { Offload::Test::Sync->new($t, $key, $nginx->url($_),
    'http://' . (qw(one two three))[$_] . '.example') } 0 .. 2;
$_->start(nodes => [ $_->node(1) ]) for @c;
$c[1]->send(nodes => [ $c[1]->node(2) ]);

my $id = $c[0]->node(1)->{id};
my %all = ('Offload-Fetch' => 'direct', 'Offload-Node' => $id);

sub ask {
    my ($server, %headers) = @_;
    my $method = delete $headers{method} // 'GET';
    return $t->http($method => $nginx->url($server) . '/f.bin', headers => \%headers);
}

sub status { $t->json($t->http(GET => $nginx->url
    . '/.well-known/offload/status')->{content}) }

# Whoever this site's coordinators have not named takes nothing from nodes.
my %unknown = (%all, 'Offload-Node' => 'B' x 42 . 'A');
is ask(0, %unknown)->{status}, 200, 'no node';
my $u = ask(0, %unknown, 'Offload-Node' => $c[1]->node(2)->{id});
is "$u->{status} $u->{headers}{'retry-after'}", '503 2', 'nor one here: soon it may be';
is status()->{bytes}{pulled}, 0, 'neither has pulled';

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

# Copied, its id costs the nodes no more than a piece for a request, whatever
# that takes: 64 seconds' worth, of which a minute's can be owed.
$t->write('html/big.bin', '');
truncate $t->path('html/big.bin'), 64 << 20 or die;
$t->wait_for(sub { ask(1, %all, Range => 'bytes=0-0')->{status} == 206 }, 'a budget');
is length $t->http(GET => $nginx->url(1) . '/big.bin', headers => \%all)->{content},
    64 << 20, 'a whole file, under a copied id';
$r = ask(1, %all, Range => 'bytes=0-0');
is $r->{headers}{'retry-after'}, 60, 'a minute at most';
$nginx->reload($nginx->conf =~ s/node_rate 256k/node_rate 16m/r);
$t->wait_for(sub { ask(1, %all, Range => 'bytes=0-0')->{status} == 206 },
    'only the last piece of it to be owed', 3);
pass 'with the debt of one piece';

$t->done;
