# doc/redis.md says of each key what it is: all that the code names, and all
# that are there after everything has been at work; and Redis may be limited to
# what it says.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Origin;
use Stranger;

my $doc = do { local (@ARGV, $/) = 'doc/redis.md'; <> };
my $table = do { local (@ARGV, $/) = 'coordinator/store/store.h'; <> };

# Ids of any kind are one letter: "la:{N}:S" is "la:{*}:*".
sub shape {
    my ($key) = @_;
    return $key if $key =~ /^[a-z-]+$/;
    return $key =~ s/%\w+/*/gr =~ s/(?<=[:{])[A-Z](?=\}|$|:)/*/gr;
}

my %described = map { shape($_) => 1 } $doc =~ /^\| `([^`]+)` \|/mg;
cmp_ok scalar(keys %described), '>', 40, 'the table has ' . keys(%described) . ' keys';

my %named;
for my $file (glob 'coordinator/store/*.c') {
    my $text = do { local (@ARGV, $/) = $file; <> };
    $text =~ s{/\*.*?\*/}{}gs;
    for my $string ($text =~ /"((?:[^"\\\n]|\\.)*)"/g) {
        $named{ shape($_) } = $file
            for $string =~ /(?<![\w{%])((?:[a-z]+:)?\{(?:%s|hist|hot)\}(?::[%a-z0-9]+)*)/g;
    }
}
# Lists of peers have a name of two characters, which swarms.c puts together.
delete @named{ grep { /^t:\{\*\}:\*$/ } keys %named };
cmp_ok scalar(keys %named), '>', 25, 'the code names ' . keys %named;
is_deeply [ grep { !$described{$_} } sort keys %named ], [], 'all are described';

# As store.h has it, where lists of peers are one line.
my %inside = map { shape($_ =~ s/^(\{.*)\{([A-Z])\}$/$1$2/r) => 1 }
    $table =~ /^ \*   ((?:[a-z]|\{)[\w:{}-]*) /mg;
delete $inside{'t:{*}:s4'};
$inside{"t:{*}:$_"} = 1 for qw(s4 l4 s6 l6);
is_deeply [ sort keys %described ], [ sort keys %inside ],
    'and are those of store.h';

# With no more rights than it says are needed.
my ($acl) = $doc =~ /\*\*ACL\*\*: `([^`]+)`/;
my $t = Offload::Test->new;
my $redis = $t->redis;
$redis->cli(qw(ACL SETUSER default reset on nopass), split ' ', $acl);
my $c = $t->coordinator(redis => $redis, args => [ '--trusted-proxy', '127.0.0.1/32' ]);
my $node = $t->node(coordinator => $c, args => [ '--size', '1G' ]);
my $origin = Origin->new($t, $c);
$origin->join;
$origin->file('f.bin', $t->bytes(1_000_000, 1));
my $root = $origin->wait_peers('f.bin', [$node])->{content}{root};
is $t->offload('get', '--quiet', '-o', $t->path('got'), $origin->url . '/f.bin')->{status},
    0, 'a download';
my ($info) = $t->http(GET => $origin->url . '/f.bin.torrent')->{content}
    =~ /4:info(d.*e)8:url-list/s;
my $hash = Digest::SHA::sha1($info) =~ s/(.)/sprintf '%%%02x', ord $1/gser;
for my $left (0, 1) {
    $t->wait_for(sub {
        $t->http(GET => $c->url . "/announce?info_hash=$hash&peer_id=-TT0001-abcdefghijk$left"
            . "&port=688$left&uploaded=0&downloaded=0&left=$left")->{content} =~ /interval/
    }, 'the tracker to know it');
}
my $id = $node->id;
$t->wait_for(sub {
    $t->http(GET => $c->url . "/v1/nodes/$id/ledger")->{content} =~ /"credited":[1-9]/
}, 'credit');
my $banned = Stranger->new(test => $t, coordinator => $c, name => 'n');
is $banned->register->{status}, 200, 'another node';
$t->run(Offload::Test::build() . '/offload-coordinator', 'ban', '--redis', $redis->url,
    $banned->id, 'as a test');
$t->wait_for(sub { $redis->cli('EXISTS', '{hist}:d') }, 'the history');

my %there;
my $cursor = 0;
do {
    ($cursor, my @keys) = split /\n/, $redis->cli('SCAN', $cursor, 'COUNT', 1000);
    $there{ s/\{[\w-]{22,}\}/{*}/r =~ s/:(?:[\w-]{43}|[0-9a-f]{64}|\d{5,})$/:*/r } = $_
        for @keys;
} while $cursor;
cmp_ok scalar(keys %there), '>', 25, 'Redis has ' . join ' ', sort keys %there;
is_deeply [ grep { !$described{$_} } sort keys %there ], [], 'none that is not described';
my @forever = grep { $redis->cli('TTL', $there{$_}) == -1 } sort keys %there;
my %never = map { /^\| `([^`]+)` \|.*\| (\S+(?: \S+)*) \| \w[\w ]* \|$/m ? (shape($1), $2) : () }
    split /\n/, $doc;
is_deeply [ grep { $never{$_} =~ /^(?:an?|\d|two|seconds)\b/ } @forever ], [],
    'what ends has an end';
unlike $c->log, qr/NOPERM/, 'nothing was forbidden';

$t->done;
