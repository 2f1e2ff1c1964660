# HTTPS on a port of its own: curl trusts the certificate; a new one is taken
# at SIGHUP while connections go on, a broken one is not; after a re-exec too.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use IO::Socket::INET;

my $t = Offload::Test->new;
my $port = $t->port;
my $n = 0;

# A certificate for 127.0.0.1 by the name; both files are replaced.
sub certificate {
    my ($name) = @_;
    my $r = $t->run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-nodes', '-subj', "/CN=$name", '-days', 2,
        '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout',
        $t->path('new.key'), '-out', $t->path('new.crt'));
    die $r->{err} if $r->{status};
    rename $t->path("new.$_"), $t->path("tls.$_") for qw(key crt);
}

sub curl {
    my (@args) = @_;
    return $t->run('curl', '-s', '-S', '-v', '--cacert', $t->path('tls.crt'),
        @args, "https://127.0.0.1:$port/v1/key");
}

sub subject { ($_[0]{err} =~ /subject: CN ?= ?(\S+)/)[0] // '' }

certificate('one.example');
my $c = $t->coordinator(redis => $t->redis, args => [ '--listen-tls',
    "127.0.0.1:$port", '--tls-cert', $t->path('tls.crt'), '--tls-key',
    $t->path('tls.key'), '--workers', 2 ]);
like $c->log, qr{and on https://127\.0\.0\.1:$port}, 'it says where';
for my $version ('1.3', '1.2') {
    my $r = curl("--tlsv$version", '--tls-max', $version);
    is $r->{status}, 0, "TLS $version" or diag $r->{err};
    is subject($r), 'one.example', 'with its certificate';
    is $t->json($r->{out})->{keys}[0]{x}, $c->x, 'and the same answers';
}
isnt curl('--tlsv1.1', '--tls-max', '1.1', '--ciphers',
    'DEFAULT@SECLEVEL=0')->{status}, 0, 'TLS 1.1 is not spoken';
is $t->http(GET => $c->url . '/v1/key')->{status}, 200, 'HTTP goes on beside';

my $s = IO::Socket::INET->new("127.0.0.1:$port");
print $s "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
is((<$s> // '') =~ /200/, '', 'plain HTTP on that port gets nothing');

# A new certificate while a client keeps its connection: two requests by one
# curl, the second after the reload.
my $slow = $t->spawn('curl', '-s', '-v', '--cacert', $t->path('tls.crt'),
    '--rate', '20/m', "https://127.0.0.1:$port/v1/key",
    "https://127.0.0.1:$port/v1/key");
$t->wait_for(sub { $slow->log =~ /200 OK/ }, 'the first answer');
certificate('two.example');
$c->signal('HUP');
$t->wait_for(sub { subject(curl()) eq 'two.example' }, 'the new certificate');
pass 'a new certificate is served';
is $slow->wait(20), 0, 'a connection from before goes on';
is scalar(() = $slow->log =~ /200 OK/g), 2, 'and is answered';
like $slow->log, qr/Re-using existing connection/, 'the same one';

$t->write('tls.crt', "nonsense\n");
my $log = length $c->log;
$c->signal('HUP');
$t->wait_for(sub { substr($c->log, $log) =~ /certificate stays as it is: (.*)/ },
    'a word');
like $c->log, qr/tls\.crt: no certificate chain in PEM/, 'with the file';
is subject($t->run('curl', '-s', '-v', '-k', "https://127.0.0.1:$port/")),
    'two.example', 'the one before is served still';

# A key that is another certificate's; and a re-exec with a good pair.
certificate('three.example');
$t->write('tls.key', $t->read($t->key('other')->{file}));
$c->signal('HUP');
$t->wait_for(sub { $c->log =~ /tls\.key is not the key of the first/ },
    'a word about the key');
certificate('four.example');
$log = length $c->log;
$c->signal('USR2');
$t->wait_for(sub { substr($c->log, $log) =~ /old workers have gone/ },
    'the new program', 15);
is subject(curl()), 'four.example', 'the new program has the new one';

# What cannot work is said at the start.
for my $case ([ '/nonexistent', $t->path('tls.key'), qr/cannot read \/nonex/ ],
    [ $t->path('tls.crt'), $c->{key}, qr/is not the key of the first/ ]) {
    my $r = $t->run(Offload::Test::build() . '/offload-coordinator',
        '--listen', '127.0.0.1:' . $t->port, '--key', $c->{key},
        '--listen-tls', '127.0.0.1:' . $t->port, '--tls-cert', $case->[0],
        '--tls-key', $case->[1]);
    is $r->{status}, 1, 'it does not start';
    like $r->{err}, $case->[2], 'and says why';
}

$t->done;
