# A node that does not answer an audit is not named to anyone until a call-back
# or an audit succeeds; one that says it has lost a piece is no holder of it.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my $origin = Origin->new($t, $c);
my $bytes = $t->bytes(700_000, 1);
$origin->file('f.bin', $bytes);
my $store = $redis->cli('GET', 'store');

# What it does with requests for bytes is in a file, so that it may change.
$t->write('does', 'silence');
my $n = Stranger->new(test => $t, coordinator => $c, name => 'n',
    content => sub {
        my ($socket, $request) = @_;
        my $does = $t->read($t->path('does'));
        $t->write("asked-$does", $request->{headers}{range});
        return if $does eq 'silence';
        my ($from, $to) = $request->{headers}{range} =~ /^bytes=(\d+)-(\d+)$/;
        my $body = $does eq 'gone' ? '' : substr $bytes, $from,
            $to - $from + 1;
        print $socket 'HTTP/1.1 ', ($does eq 'gone' ? 404 : 206), " X\r\n",
            'Content-Length: ', length $body, "\r\nConnection: close\r\n\r\n",
            $body;
    });

sub node {
    return $t->json($t->http(GET => $c->url . '/v1/nodes/' . $n->id)
        ->{content});
}

is $n->register->{status}, 200, 'a node registers';
$n->heartbeat;
$origin->join;
my $root;
$t->wait_for(sub {
    $origin->manifest('f.bin');
    my $r = $n->heartbeat(store => $store);
    $root = $t->claims($r->{content})->{assign}[0]{root};
}, 'an assignment');
my @has = (store => $store, holdings => [ { root => $root } ]);
$n->heartbeat(@has);

my $seen = $t->wait_for(sub { my $s = node(); !$s->{listed} && $s },
    'it to be unlisted');
ok $seen->{alive}, 'it is alive, but not listed: it said nothing';
ok !$seen->{excluded}, 'nor is it excluded';
isnt $seen->{reason}, '', "the reason is shown: $seen->{reason}";
like $t->read($t->path('asked-silence')), qr/^bytes=\d+-\d+$/,
    'it was asked for a range, as by a client';

$t->write('does', 'right');
is $n->register->{status}, 200, 'a call-back succeeds';
ok $t->wait_for(sub { node()->{listed} }, 'it to be listed'),
    'it is listed again';

# Not twice a minute, but the test need not wait for it.
$redis->cli('DEL', 'audit:{' . $n->id . '}');
$c->stop;
$c->start;
ok $t->wait_for(sub { $n->heartbeat(@has); node()->{audits}{passed} },
    'an audit'), 'it passes an audit';
like $t->read($t->path('asked-right')), qr/^bytes=(?:0-262143|262144-524287|
    524288-699999)$/x, 'a piece was asked for';

$t->write('does', 'gone');
$redis->cli('DEL', 'audit:{' . $n->id . '}');
$c->stop;
$c->start;
$n->heartbeat(@has);
ok $t->wait_for(sub { -e $t->path('asked-gone')
    && !$redis->cli('ZSCORE', "c:{$root}:h", $n->id) }, 'it to be no holder'),
    'what it says it has not, it does not hold';
ok node()->{listed}, 'that is nothing against it';

$t->done;
