# Keys and options that cannot work: each daemon refuses to start, with status
# 1 or 2, and names what and why.

use Offload::Test;

my $t = Offload::Test->new;
my $good = $t->key('good')->{file};

my %bad = (
    'missing folder' => [ $t->path('nowhere/key.pem'), qr/No such file/ ],
    'a folder'       => [ $t->dir, qr/not a regular file/ ],
    'garbage'        => [ $t->write('garbage.pem', "\0" x 200), qr/PEM|key/ ],
    'empty'          => [ $t->write('empty.pem', ''), qr/PEM|key|empty/ ],
);
chmod 0600, $_->[0] for grep { -f $_->[0] } values %bad;

my $rsa = $t->path('rsa.pem');
$t->run('openssl', 'genpkey', '-algorithm', 'RSA', '-out', $rsa);
chmod 0600, $rsa;
$bad{'an RSA key'} = [ $rsa, qr/RSA/ ];

my $open = $t->key('open')->{file};
chmod 0644, $open;
$bad{'world-readable'} = [ $open, qr/0?644|readable|mode/ ];

my $public = $t->path('public.pem');
$t->run('openssl', 'pkey', '-in', $good, '-pubout', '-out', $public);
chmod 0600, $public;
$bad{'a public key only'} = [ $public, qr/PUBLIC KEY/ ];

sub refused {
    my ($what, $why, $program, @args) = @_;

    my $r = $t->run({ timeout => 10 }, Offload::Test::build() . "/$program",
        @args);
    ok $r->{status} == 1 || $r->{status} == 2, "$program refuses $what"
        or diag "status $r->{status}: $r->{err}";
    like $r->{err}, $why, "$program, $what: says why";
    unlike $r->{err}, qr/ready:/, "$program, $what: did not begin";
}

my @listen = ('--listen', '127.0.0.1:' . $t->port);
my @coordinator = (@listen, '--redis', 'unix:' . $t->path('redis.sock'));
my @node = (@listen, '--url', 'http://127.0.0.1:8100', '--storage',
    $t->path('store'), '--coordinator', 'http://127.0.0.1:8090');
mkdir $t->path('store');

for my $what (sort keys %bad) {
    my ($file, $why) = @{ $bad{$what} };
    my $named = qr/\Q$file\E.*$why|$why.*\Q$file\E/s;
    refused($what, $named, 'offload-coordinator', @coordinator, '--key',
        $file);
    refused($what, $named, 'offload-node', @node, '--key', $file);
}

my @key = ('--key', $good);
for (
    [ 'an unknown option',  qr/--nothing/,   '--nothing' ],
    [ 'an address without a port', qr/listen.*127/, '--listen', '127.0.0.1' ],
    [ 'a port too high',    qr/listen.*70000/, '--listen', '127.0.0.1:70000' ],
    [ 'a range that is none', qr/--allow-net.*300/, '--allow-net',
        '300.1.1.1/8' ],
    [ 'a log level that is none', qr/--log-level.*loud/, '--log-level',
        'loud' ],
) {
    my ($what, $why, @args) = @$_;
    refused($what, $why, 'offload-coordinator', @coordinator, @key, @args);
    refused($what, $why, 'offload-node', @node, @key, @args);
}
refused('a Redis that is none', qr{redis: the URL is not unix:}, 'offload-coordinator',
    @listen, @key, '--redis', 'ftp://x');
refused('rediss', qr/rediss/, 'offload-coordinator', @listen, @key,
    '--redis', 'rediss://127.0.0.1');
refused('no holders', qr/--holders/, 'offload-coordinator', @coordinator,
    @key, '--holders', '0');
refused('a size that is none', qr/--size.*lots/, 'offload-node', @node, @key,
    '--size', 'lots');
refused('a rate that is none', qr/--rate.*-1/, 'offload-node', @node, @key,
    '--rate', '-1');
refused('a URL that is none', qr/--url.*gopher/, 'offload-node', @node, @key,
    '--url', 'gopher://x');
refused('a pinned key that is none', qr/--coordinator.*short/, 'offload-node',
    @node, @key, '--coordinator', 'http://127.0.0.1:1,short');
refused('no storage', qr/--storage/, 'offload-node', @listen, @key,
    '--url', 'http://127.0.0.1:8100', '--coordinator', 'http://127.0.0.1:1');

$t->done;
