# A node that drains is replaced before it is let go: its contents are placed on
# others, it stays a candidate until these hold them, and is released then.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--holders', 2,
    '--holders-max', 2, '--audit-rate', 0 ]);
my @nodes = map { Stranger->new(test => $t, coordinator => $c, name => "n$_",
    host => "127.0.0.4$_") } 1 .. 3;
my $root = '5a' x 32;

sub beat {
    my ($n, %o) = @_;
    return $t->claims($n->heartbeat(store => $redis->cli('GET', 'store'),
        load => { rate => 0, connections => 0, free => 1e10 }, %o)->{content});
}
$_->register, beat($_) for @nodes;
my $site = Site->new(test => $t, coordinator => $c, name => 'site',
    sync => sub {
        return (200, { contents => [ { root => $root, sub => '/a', size => 1000,
            demand => 0 } ] });
    });
$site->join;

sub wanted { grep { $redis->cli('EXISTS', "c:{$root}:w:" . $_->id) } @nodes }
sub peers {
    my $r = $t->http(GET => $c->url . "/v1/content/$root/peers");
    my @ids = sort map { $_->{id} } @{ $t->json($r->{content})->{peers} };
    return @ids;
}

$t->wait_for(sub { wanted() == 2 }, 'two nodes');
my @held = wanted();
my ($spare) = grep { my $n = $_; !grep { $_ == $n } @held } @nodes;
beat($_, holdings => [ { root => $root } ]) for @held;
$t->wait_for(sub { peers() == 2 }, 'two peers');

my ($drains, $stays) = @held;
beat($drains, drain => \1);
$t->wait_for(sub { grep { $_ == $spare } wanted() }, 'the third node');
pass 'the content is placed on another node';
is_deeply [ peers() ], [ sort map { $_->id } @held ],
    'the one that drains is offered still';
ok scalar(grep { $_ == $drains } wanted()), 'and is to keep it';

beat($spare, holdings => [ { root => $root } ]);
$t->wait_for(sub { join(' ', peers()) eq join ' ', sort $spare->id, $stays->id },
    'the replacement');
pass 'once that has it, the one that drains is offered no more';
$t->wait_for(sub { !grep { $_ == $drains } wanted() }, 'its release');
is_deeply beat($drains, drain => \1)->{release}, [$root], 'and is released';

$t->done;
