# Who holds a content, for whom: near nodes first, then others; of these, who can
# spare most; complete ones before all.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--holders', 5,
    '--audit-rate', 0, '--trusted-proxy', '127.0.0.0/8' ]);
my $root = '5a' x 32;
my %about = (
    near   => { cidrs => ['127.0.0.0/8'] },
    fast   => { rate => 100 << 20 },
    slow   => { rate => 1 << 20 },
    some   => { rate => 200 << 20, part => 1 },
    silent => { rate => 200 << 20, gone => 1 },
);
my ($host, %node) = 1;
$node{$_} = Stranger->new(test => $t, coordinator => $c, name => $_,
    host => '127.0.0.4' . $host++) for sort keys %about;

sub beat {
    my ($name, %o) = @_;
    return $node{$name}->heartbeat(store => $redis->cli('GET', 'store'),
        load => { rate => 0, connections => 0, free => 1e10 }, %o);
}
for my $name (sort keys %about) {
    my %o = %{ $about{$name} };
    $node{$name}->register(rate => $o{rate} // 0, cidrs => $o{cidrs} // []);
    beat($name);
}
my $site = Site->new(test => $t, coordinator => $c, name => 'site',
    sync => sub {
        return (200, { contents => [ { root => $root, sub => '/a',
            size => 1_000_000, demand => 0 } ] });
    });
$site->join;
$t->wait_for(sub {
    5 == grep { $redis->cli('EXISTS', "c:{$root}:w:" . $_->id) } values %node;
}, 'five nodes');
beat($_, holdings => [ { root => $root,
    $about{$_}{part} ? (bitmap => 'gA', count => 4) : () } ])
    for grep { !$about{$_}{gone} } sort keys %about;

# The names of the peers that a client from there is told.
sub peers {
    my ($from, $query) = @_;
    my $r = $t->http(GET => $c->url . "/v1/content/$root/peers$query",
        headers => { 'X-Forwarded-For' => $from });
    my %name = map { $node{$_}->id => $_ } keys %node;
    return join ' ', map { $name{ $_->{id} } }
        @{ $t->json($r->{content})->{peers} };
}
$t->wait_for(sub { 4 == split ' ', peers('203.0.113.1', '') }, 'four peers');
is peers('127.0.0.1', ''), 'near fast slow some', 'near, then by spare rate';
like peers('203.0.113.1', ''), qr/^fast near slow some$/,
    'from elsewhere: unknown spare is the middle';
is peers('127.0.0.1', '?n=2'), 'near fast', 'no more than asked for';

$t->done;
