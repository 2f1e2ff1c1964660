# Who holds a content, for whom, by the operator's database: those of the client's
# country come before others, and its networks before these.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Offload::Test::Mmdb;
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $geo = Offload::Test::Mmdb::write($t, 'geo.mmdb',
    '127.0.0.41/32' => 'DE', '127.0.0.42/32' => 'FR', '127.0.0.43/32' => 'DE',
    '203.0.113.0/24' => 'DE', '198.51.100.0/24' => 'FR', '127.9.0.0/16' => 'FR');
my $c = $t->coordinator(redis => $redis, args => [ '--holders', 4,
    '--audit-rate', 0, '--geoip', $geo, '--trusted-proxy', '127.0.0.1' ]);
my $root = '5a' x 32;

# The faster, the further to the front among equals.
my %about = (
    german  => { host => 41, rate => 8 << 20 },
    french  => { host => 42, rate => 64 << 20 },
    slow    => { host => 43, rate => 1 << 20 },
    nowhere => { host => 44, rate => 256 << 20, cidrs => ['127.0.0.0/8'] },
);
my %node = map { $_ => Stranger->new(test => $t, coordinator => $c, name => $_,
    host => "127.0.0.$about{$_}{host}") } keys %about;
sub beat {
    my ($name, %o) = @_;
    return $node{$name}->heartbeat(store => $redis->cli('GET', 'store'),
        load => { rate => 0, connections => 0, free => 1e10 }, %o);
}
for my $name (sort keys %about) {
    is $node{$name}->register(rate => $about{$name}{rate}, zone => 'SE',
        cidrs => $about{$name}{cidrs} // [])->{status}, 200, "$name registers";
    beat($name);
}
Site->new(test => $t, coordinator => $c, name => 'site', sync => sub {
    (200, { contents => [ { root => $root, sub => '/a', size => 1_000_000,
        demand => 0 } ] });
})->join;
$t->wait_for(sub {
    4 == grep { $redis->cli('EXISTS', "c:{$root}:w:" . $_->id) } values %node;
}, 'four nodes');
beat($_, holdings => [ { root => $root } ]) for sort keys %about;

# The names of the peers that a client from there is told.
sub peers {
    my ($from) = @_;
    my $r = $t->http(GET => $c->url . "/v1/content/$root/peers",
        headers => { 'X-Forwarded-For' => $from });
    my %name = map { $node{$_}->id => $_ } keys %node;
    return join ' ', map { $name{ $_->{id} } }
        @{ $t->json($r->{content})->{peers} };
}
$t->wait_for(sub { 4 == split ' ', peers('192.0.2.1') }, 'four peers');
is peers('203.0.113.7'), 'german slow nowhere french', 'from Germany';
is peers('198.51.100.7'), 'french nowhere german slow', 'from France';
is peers('192.0.2.1'), 'nowhere french german slow', 'from nowhere';
is peers('127.9.0.1'), 'nowhere french german slow',
    'a network of its own comes before the country';

$t->done;
