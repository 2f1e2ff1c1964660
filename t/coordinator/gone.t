# What no site offers any more is not known any more, to any coordinator, at
# once: nobody is named who has it, and no node is told to take it.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my @one = (redis => $redis, args => [ '--holders', 1, '--holders-max', 1 ]);
my $c = $t->coordinator(@one);
my $d = $t->coordinator(@one, key => $t->dir . '/coordinator-1.pem');
my $store = $redis->cli('GET', 'store');
my $root = '5a' x 32;
my @nodes;

sub node {
    push @nodes, Stranger->new(test => $t, coordinator => $c, name => "n$_[0]",
        host => "127.0.0.$_[0]");
    is $nodes[-1]->register->{status}, 200, "node $_[0]";
}

sub beat {
    my ($node, @holdings) = @_;
    return $t->claims($node->heartbeat(store => $store,
        holdings => [ map { { root => $_ } } @holdings ])->{content});
}

# What both coordinators answer: "200 200", or "404 404".
sub peers {
    return join ' ', map {
        $t->http(GET => $_->url . "/v1/content/$root/peers")->{status}
    } $c, $d;
}

# How many nodes are to be told to take it.
sub pending {
    return grep { $redis->cli('HEXISTS', 'ad:{' . $_->id . '}', $root) } @nodes;
}

# Each offers the root until there is a file that says otherwise; then it goes
# on with an answer that was made before.
my %site = map {
    my $name = $_;
    $name => Site->new(test => $t, coordinator => $c, name => $name,
        host => $name eq 'a' ? '127.0.0.51' : '127.0.0.52', sync => sub {
            my ($sync) = @_;
            my $gone = -f $t->path("gone-$name");
            my $late = $sync->{ack} == 7 && !-f $t->path("again-$name");
            my $clock = $late ? 6 : -f $t->path("again-$name") ? 8 : 7;
            $clock = 5 unless $gone || $clock == 8;
            my $old = !$gone || $late || $clock == 8;
            return (200, { clock => $clock, contents => [ $old
                ? { root => $root, sub => "/$name", demand => 1, size => 1000 }
                : { root => $root, sub => "/$name", demand => 1, size => 1000,
                    gone => \1 } ] });
        });
} qw(a b);

node(41);
beat($nodes[0]);
$_->join for values %site;
$t->wait_for(sub { pending() == 1 && peers() eq '200 200' }, 'an assignment');

# Nobody acknowledges it, and others are better placed, or not.
for (42 .. 46) {
    node($_);
    beat($nodes[-1]);
}
$t->wait_for(sub { $redis->cli('ZCARD', 'nodes') == 6 }, 'all to be known');
my ($holder) = $t->wait_for(sub { (pending())[0] }, 'one to have it');
is scalar pending(), 1, 'who is to hold it no more is not told to';
my ($first) = grep {
    grep { $_->{root} eq $root } @{ beat($_)->{assign} } } @nodes;
is $first->id, $holder->id, 'the other one is';
beat($holder, $root);
$t->wait_for(sub { $redis->cli('ZCARD', "c:{$root}:h") == 1 }, 'the holder');

$t->write('gone-a', '');
$t->wait_for(sub { $redis->cli('ZCARD', "c:{$root}:w:" . $holder->id) == 1 },
    'one to take it back');
is peers(), '200 200', 'the other site still offers it';
$t->write('gone-b', '');
$t->wait_for(sub { peers() eq '404 404' },
    'both coordinators to know nothing of it', 5);
pass 'nobody offers it: it is not known';

# Neither an answer that was overtaken nor a node that lists it brings it back.
my %before = map { $_ => $site{$_}->syncs } keys %site;
$t->wait_for(sub { !grep { $site{$_}->syncs < $before{$_} + 4 } keys %site },
    'more syncs');
is_deeply beat($_, $root)->{assign}, [], 'no assignment' for @nodes;
is_deeply beat($holder, $root)->{release}, [$root], 'it is released';
is peers(), '404 404', 'and still not known';
is $redis->cli('KEYS', "c:{$root}:[hbs]*"), '', 'nothing is left of it';

# Offered again.
$t->write('again-a', '');
$t->wait_for(sub { peers() eq '200 200' }, 'it to be known again');
$t->wait_for(sub { pending() == 1 }, 'the assignment');
pass 'as any other';

$t->done;
