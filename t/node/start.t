# How a node starts, refuses to start, and proves to its coordinators that it
# is where it says.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;
use MIME::Base64 qw(decode_base64url);

my $t = Offload::Test->new;
my $program = Offload::Test::build() . '/offload-node';
my $port = $t->port;
my $dir = $t->path('refused');
my @good = ('--listen', "127.0.0.1:$port", '--url', "http://127.0.0.1:$port",
    '--storage', $dir);

$t->write('open.pem', 'x');
chmod 0644, $t->path('open.pem');
$t->run('openssl', 'genpkey', '-algorithm', 'x25519', '-out',
    $t->path('other.pem'));
chmod 0600, $t->path('other.pem');
$t->write('file', 'no folder');
my @cases = (
    [ 2, [ '--url', 'http://127.0.0.1:8100' ], qr/--storage DIR is required/ ],
    [ 2, [ '--storage', $dir ], qr/--url URL is required/ ],
    [ 2, [ @good, '--nonsense' ], qr/nonsense.*--help/s ],
    [ 2, [ @good, 'word' ], qr/word: not an option/ ],
    [ 2, [ @good, '--url', 'ftp://x' ], qr/--url ftp:/ ],
    [ 2, [ @good, '--url', 'http://x/path' ], qr/--url http/ ],
    [ 2, [ @good, '--url', 'http://x:22' ], qr/port: 80, 443/ ],
    [ 2, [ @good, '--size', '20 GB' ], qr/--size 20 GB: not a number/ ],
    [ 2, [ @good, '--size', '1M' ], qr/--size 1M: at least 64M/ ],
    [ 2, [ @good, '--rate', 'fast' ], qr/--rate fast/ ],
    [ 2, [ @good, '--cidr', '192.0.2.0/33' ], qr/--cidr/ ],
    [ 2, [ @good, '--allow-net', 'all' ], qr/--allow-net all/ ],
    [ 2, [ @good, '--zone', "D\tE" ], qr/--zone/ ],
    [ 2, [ @good, '--coordinator', 'tracker' ], qr/--coordinator tracker/ ],
    [ 2, [ @good, '--coordinator', 'http://t.example,abc' ], qr/t\.example,abc/ ],
    [ 2, [ @good, '--log-level', 'loud' ], qr/--log-level loud/ ],
    [ 1, [ @good, '--listen', 'nowhere' ], qr/nowhere/ ],
    [ 1, [ @good, '--key', $t->path('open.pem') ], qr/open\.pem/ ],
    [ 1, [ @good, '--key', $t->path('other.pem') ], qr/other\.pem.*X25519/i ],
    [ 1, [ @good, '--storage', $t->path('file') ], qr/storage folder .*file/ ],
    [ 0, ['--help'], qr/^$/ ],
);
for (@cases) {
    my ($status, $args, $message) = @$_;
    my $r = $t->run({ timeout => 10 }, $program, @$args);
    is $r->{status}, $status, "status $status: " . $args->[-1];
    like $r->{err}, $message, 'with the cause';
}
like $t->run($program, '--version')->{out}, qr/^offload-node \d+\.\d+/, 'version';

my $s = Scripted->new($t);
my $node = $t->node(coordinator => $s->coordinator,
    args => [qw(--zone DE --cidr 192.0.2.0/24 --size 1G --rate 5M)]);
$t->wait_for(sub { $s->registered($node) }, 'the registration');
my $said = $s->registered($node);
is $said->{url}, $node->url, 'it registers with its URL';
is $said->{zone}, 'DE', 'zone';
is "@{ $said->{cidrs} }", '192.0.2.0/24', 'networks';
is $said->{capacity}, 1 << 30, 'capacity';
is $said->{rate}, 5 << 20, 'rate';
$t->wait_for(sub { $node->log =~ /registered as node 1; reachable at/ }, 'a word');
is +(stat $node->dir . '/node.pem')[2] & 07777, 0600, 'its key is its own';
my $r = $t->run($program, '--listen', '127.0.0.1:' . $t->port, '--url',
    'http://127.0.0.1:9999', '--storage', $node->dir);
is $r->{status}, 1, 'a second node on the same storage is refused';
like $r->{err}, qr/in use by another node/, 'with the cause';

my $nonce = 'AAECAwQFBgcICQoLDA0ODw';
my $where = $node->url . '/.well-known/offload-node';
$r = $t->http(GET => "$where?nonce=$nonce&aud=" . $s->coordinator_id);
is $r->{status}, 200, 'the call-back is answered';
my $claims = $t->claims($r->{content});
is $claims->{nonce}, $nonce, 'with the nonce';
is $claims->{url}, $node->url, 'the URL';
is $claims->{iss}, $node->id, 'in its name';
$r = $t->http(GET => "$where?nonce=$nonce&aud=" . $node->id);
is $r->{status}, 403, 'but not for a coordinator that it does not know';
is $t->http(GET => "$where?$_")->{status}, 400, "malformed: $_"
    for '', 'nonce=x', "nonce=$nonce", "nonce=$nonce&aud=x";

$t->done;
