# Two sites offer the same bytes: each assigns them for itself, and only when
# neither offers them any more does a node hear that it need not keep them.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my $n = Stranger->new(test => $t, coordinator => $c, name => 'n');
is $n->register->{status}, 200, 'a node';
my $store = $redis->cli('GET', 'store');
my $root = '5a' x 32;

sub beat {
    return $t->claims($n->heartbeat(store => $store, wait => 1000, @_)
        ->{content});
}

# Each offers the root until there is a file that says otherwise.
my %site = map {
    my $name = $_;
    $name => Site->new(test => $t, coordinator => $c, name => $name,
        host => $name eq 'a' ? '127.0.0.51' : '127.0.0.52', sync => sub {
            my $gone = -f $t->path("gone-$name");
            return (200, { contents => [ $gone ? { root => $root, gone => \1 }
                : { root => $root, sub => "/$name", demand => 1,
                    size => $name eq 'a' ? 1000 : 2000 } ] });
        });
} qw(a b);

sub assigned {
    my ($name) = @_;
    return $t->wait_for(sub {
        my ($e) = grep { $_->{iss} eq $site{$name}->url } @{ beat()->{assign} };
        return $e;
    }, "the assignment of $name");
}

$site{a}->join;
is assigned('a')->{sub}, '/a', 'the first site assigns it';
is_deeply beat(holdings => [ { root => $root } ])->{release}, [],
    'the node has it';
$site{b}->join;
is assigned('b')->{sub}, '/b', 'the second one, too, though the node has it';
beat(holdings => [ { root => $root } ]);
my $r = $t->http(GET => $c->url . "/v1/content/$root/peers");
is $t->json($r->{content})->{size}, 1000, 'the first one names the size';

$t->write('gone-a', '');
$t->wait_for(sub { $redis->cli('ZCARD', "c:{$root}:w:" . $n->id) == 1 },
    'the first site to take it back');
is_deeply beat(holdings => [ { root => $root } ])->{release}, [],
    'it is not released';
is $redis->cli('ZCARD', "c:{$root}:h"), 1, 'and still offered';

$t->write('gone-b', '');
$t->wait_for(sub { grep { $_ eq $root } @{ beat()->{release} } },
    'the release, when the second one does');
is $redis->cli('ZCARD', "c:{$root}:h"), 0, 'nor offered any more';
is_deeply beat(holdings => [ { root => $root } ])->{release}, [$root],
    'a node that lists it hears it again';

# Both at once, not yet acknowledged.
unlink $t->path("gone-$_") for qw(a b);
my %seen;
$t->wait_for(sub {
    $seen{ $_->{iss} } = 1 for @{ beat()->{assign} };
    return keys %seen == 2;
}, 'both assignments');
is_deeply [ sort keys %seen ], [ sort map { $_->url } values %site ],
    'neither replaces the other';

$t->done;
