# Registration: who is called back, what is refused, one id per URL.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);

sub stranger { Stranger->new(test => $t, coordinator => $c, @_) }

sub refused {
    my ($r, $status, $why, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $r->{status}, $status, $name;
    my $error = $r->{status} ? $t->json($r->{content})->{error} : '';
    like $error, $why, 'with the reason';
    return $r;
}

my $n = stranger(name => 'n1', host => '127.0.0.41');
my $r = $n->register(seq => 5, cidrs => [ '127.0.0.0/8', '192.0.2.0/24' ]);
is $r->{status}, 200, 'a node registers';
my $answer = $t->json($r->{content});
is $answer->{id}, $n->id, 'the answer has its id';
is $answer->{n}, 1, 'the first number';
is $answer->{address}, '127.0.0.1', 'the address it came from';
is $answer->{store}, $redis->cli('GET', 'store'), 'the name of the store';
is_deeply $answer->{cidrs}, ['127.0.0.0/8'],
    'only networks that it was seen in';

is $t->json($n->register(seq => 6)->{content})->{n}, 1,
    'again: the same number';

my $other = stranger(name => 'n2', host => '127.0.0.42');
is $t->json($other->register->{content})->{n}, 2, 'another node, the next one';

# seq
$r = refused($n->register(seq => 6), 409, qr/seq/, 'a replayed seq');
is $t->json($r->{content})->{seq}, 6, 'the last one is told';
refused($n->register(seq => 3), 409, qr/seq/, 'an older one');
is $n->register(seq => 7)->{status}, 200, 'a higher one';

# time and recipient
my $now = time;
$r = refused($n->register(seq => 20, iat => $now + 600, exp => $now + 660),
    401, qr/iat/, 'a message from the future');
ok $r->{headers}{date}, 'Date is told';
refused($n->register(seq => 20, iat => $now - 600, exp => $now - 540), 401,
    qr/exp/, 'an expired message');
refused($n->register(seq => 20, aud => 'x' x 43), 400, qr/aud/,
    'for another coordinator');
refused($n->register(seq => 20, iss => $other->id), 400, qr/iss/,
    'by another issuer');
refused($n->register(seq => 20, key => $other->{key}{x}), 400, qr/kid/,
    'another key than the signer\'s');
refused($n->register(seq => 20, header => { alg => 'none' }), 400, qr/alg/,
    'alg none');
refused($n->register(seq => 20, header => { typ => 'offload+jwt' }), 400,
    qr/typ/, 'another typ');
is $n->register(seq => 20)->{status}, 200, 'none of these took the seq';

# one id per URL
my $thief = stranger(name => 'thief', url => $n->url);
refused($thief->register, 409, qr/registered by another node/,
    'a URL that is another node\'s');

# call-backs
my %hostile = (
    'a wrong nonce' => [ sub { $_[0]{nonce} = 'A' x 22 }, qr/nonce/ ],
    'another URL' => [ sub { $_[0]{url} = 'http://127.0.0.1' }, qr/url/ ],
    'for another coordinator' => [ sub { $_[0]{aud} = $n->id }, qr/aud/ ],
    'expired' => [ sub { $_[0]{exp} = $_[0]{iat} -= 600 }, qr/exp/ ],
    'no answer' => [ sub { sleep 60 }, qr/call-back/ ],
    'an endless one' => [ sub {
            my ($claims, $s) = @_;
            print $s "HTTP/1.1 200 OK\r\n\r\n";
            print $s 'x' x 65536 or last for 1 .. 100_000;
        }, qr/call-back/ ],
);
for my $name (sort keys %hostile) {
    my ($answer, $why) = @{ $hostile{$name} };
    my $bad = stranger(name => "bad$name" =~ s/\W//gr, answer => $answer,
        host => '127.0.0.43');
    refused($bad->register, 403, $why, "call-back: $name");
    is $redis->cli('EXISTS', 'key:{' . $bad->id . '}'), 0,
        'nothing is kept of it';
}

my %guarded = (
    'http://[::1]:8100' => 403, 'http://10.0.0.1' => 403,
    'http://169.254.169.254' => 403, 'http://127.0.0.1:25' => 400,
    'http://127.0.0.1/path' => 400, 'HTTP://127.0.0.1:8100' => 400,
);
for my $url (sort keys %guarded) {
    my $bad = stranger(name => 'guarded', url => $url);
    refused($bad->register, $guarded{$url}, qr/./, "not called back: $url");
}

# A stranger cannot have a server called again and again.
my $victim = stranger(name => 'victim', host => '127.0.0.44',
    answer => sub { $_[0]{nonce} = 'A' x 22 });
my %got;
$got{ $victim->register->{status} }++ for 1 .. 40;
ok $got{403} >= 30 && $got{429}, 'beyond 30 call-backs at once: 429';
like $victim->register->{headers}{'retry-after'}, qr/^[1-9]$/, 'for a while';
is $n->register(seq => 30)->{status}, 200, 'others may register still';

$t->done;
