# The tests' own library: what it starts answers, what it finds wrong it
# reports, and it leaves nothing behind.

use Offload::Test;

my $t = Offload::Test->new;

my $nginx = $t->nginx(<<'CONF');
events {}
http {
    server {
        listen 127.0.0.1:%%PORT%%;
        location / { root %%DIR%%/html; }
    }
    server {
        listen 127.0.0.1:%%PORT_1%%;
        return 204;
    }
}
CONF

$t->write('html/f.bin', $t->bytes(300_000, 7));

my $r = $t->http(GET => $nginx->url . '/f.bin');
is $r->{status}, 200, 'nginx serves a file of the folder';
ok $r->{content} eq $t->bytes(300_000, 7), 'byte for byte';
is $r->{headers}{'content-length'}, 300_000, 'headers have lower-case names';
ok $t->bytes(9000, 1) ne $t->bytes(9000, 2), 'the seed makes other bytes';

is $t->http(GET => $nginx->url(1) . '/')->{status}, 204, 'a second port';
isnt $t->http(GET => 'http://127.0.0.1:' . $t->port . '/')->{error}, undef,
    'no server: an error';
like $t->raw('127.0.0.1', $nginx->port, "NONSENSE\r\n\r\n"), qr/ 400 /,
    'raw bytes';

my @before = $nginx->workers;
$nginx->reload;
ok !(grep { my $w = $_; grep { $_ == $w } @before } $nginx->workers),
    'reload: other workers';
$nginx->kill;
ok !$nginx->running, 'killed';
$nginx->start;
is $t->http(GET => $nginx->url . '/f.bin')->{status}, 200, 'started again';

like $t->nginx_fails("events {}\nnonsense on;\n"),
    qr/unknown directive "nonsense"/, 'a refusal and its text';

my $redis = $t->redis;
is $redis->cli('SET', 'k', 'v'), 'OK', 'redis';
$redis->stop;
$redis->start;
is $redis->cli('GET', 'k'), 'v', 'redis keeps what it knew';

my $peer = $t->serve(sub {
    my ($socket, $request) = @_;
    print $socket "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        "short" x ($request->{target} eq '/short');
});
like $t->http(GET => $peer->url . '/short')->{error}, qr/got 5 bytes of 9/,
    'an answer cut short is an error';

my $key = $t->key('site');
like $key->{x}, qr/^[\w-]{43}$/, 'a key';
is sprintf('%o', (stat $key->{file})[2] & 07777), '600', 'for its owner only';
is $t->claims($t->sign($key, 'x+jwt', { a => 1 }))->{a}, 1, 'a signed message';

$r = $t->run({ stdin => "in\n" }, 'sh', '-c', 'cat; echo err >&2; exit 3');
is_deeply $r, { status => 3, out => "in\n", err => "err\n" }, 'a command';
is $t->run({ timeout => 0.1 }, 'sleep', 60)->{status}, 137, 'bounded in time';
ok !eval { $t->wait_for(sub { 0 }, 'never', 0.1) }, 'waiting is bounded';
like $@, qr/in vain for: never/, 'and says what for';

# A file that breaks the rules fails, though it asserts nothing by itself.
sub verdict {
    my ($body) = @_;

    my $file = $t->write('bad.t', "use Offload::Test;\n"
        . "my \$t = Offload::Test->new; ok 1;\n$body;\n\$t->done;\n");
    my $r = $t->run($^X, map({ "-I$_" } @INC), $file);
    return $r->{status} ? $r->{out} . $r->{err} : 'passed';
}

is verdict(''), 'passed', 'a good file passes';
like verdict(q{$t->spawn('false')}), qr/ended with status 1/, 'a status';
like verdict(q{my $p = $t->spawn('sh', '-c', 'echo "[alert] x" >&2');
    $p->wait}), qr/no alert.*\[alert\] x/s, 'an alert';
like verdict(q{my $p = $t->spawn('sh', '-c', 'sleep 99 & exit 0');
    $p->wait}), qr/left processes behind/, 'a child left behind';
$t->allow(qr/x\.c:1:2/);
like verdict(q{$t->run('sh', '-c', 'echo "x.c:1:2: runtime error: y" >&2')}),
    qr/not ok .* sanitizer/, "a sanitizer's report";
like verdict('die "half-way"'), qr/half-way/, 'a file that dies';

$t->done;
