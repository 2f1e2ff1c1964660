# The exit status and the words for what can go wrong before and around a
# download.

use IO::Socket::INET;
use Offload::Test;
use Offload::Test::Site;

my $t = Offload::Test->new;
my $site = Offload::Test::Site->new($t, bytes => $t->bytes(500_000, 12));
my $origin = $site->origin->url;
my $out = $t->path('out.bin');

sub fails {
    my ($status, $reason, @args) = @_;

    my $r = $t->offload(@args);
    is $r->{status}, $status, "offload @args: status $status";
    like $r->{err}, $reason, 'and the reason';
}

fails(2, qr/usage: offload COMMAND/);
fails(2, qr/no command "fetch"/, 'fetch');
fails(2, qr/usage: offload get/, 'get');
fails(2, qr/unrecognized option/, 'get', '--nonsense', $site->url);
fails(2, qr/usage: offload get/, 'get', $site->url, 'b');
fails(2, qr/name the file with -o/, 'get', "$origin/");
fails(2, qr/http/, 'get', '-o', $out, 'ftp://127.0.0.1/f');
fails(2, qr/user/i, 'get', '-o', $out, 'http://me:secret@127.0.0.1/f');
fails(6, qr/resolve/i, 'get', '-o', $out, 'http://no-such-host.invalid/f');
fails(7, qr/connect/i, 'get', '-o', $out,
    'http://127.0.0.1:' . $t->port . '/f');
fails(22, qr/HTTP status 404/, 'get', '-o', $out, "$origin/nothing");
fails(23, qr/No such file/, 'get', '-o', $t->path('no/where'), $site->url);
fails(23, qr/directory/i, 'get', '-o', $t->dir, $site->url);
fails(23, qr/No space left/, 'get', '-o', '/dev/full', $site->url);

my $loop = $t->serve(sub {
    print { $_[0] } "HTTP/1.1 302 F\r\nLocation: /again\r\n"
        . "Content-Length: 0\r\n\r\n";
});
fails(22, qr/more than 5 redirects/, 'get', '-o', $out, $loop->url . '/f');

my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5)
    or die;
fails(28, qr/no bytes for/, 'get', '-o', $out,
    'http://127.0.0.1:' . $mute->sockport . '/f');

# TLS by a certificate that nobody knows, then by one that is trusted.
$t->run('openssl', 'req', '-x509', '-newkey', 'ed25519', '-nodes', '-keyout',
    $t->path('tls.key'), '-out', $t->path('tls.crt'), '-days', 2, '-subj',
    '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1');
my $tls = $t->nginx(<<'CONF');
events {}
http {
    server {
        listen              127.0.0.1:%%PORT%% ssl http2;
        root                %%DIR%%/site;
        ssl_certificate     %%DIR%%/tls.crt;
        ssl_certificate_key %%DIR%%/tls.key;
    }
}
CONF
my $url = $tls->url =~ s/^http:/https:/r . '/f.bin';
fails(60, qr/certificate/i, 'get', '-o', $out, $url);
my $r = $t->offload({ env => { SSL_CERT_FILE => $t->path('tls.crt') } },
    'get', '-q', '-o', $out, $url);
is $r->{status}, 0, 'with the certificate trusted it works' or diag $r->{err};
is -s $out, 500_000, 'over TLS and HTTP/2';

for my $args ([], ['get'], ['inspect'], ['keygen']) {
    $r = $t->offload(@$args, '--help');
    is $r->{status}, 0, "offload @$args --help";
    like $r->{out}, qr/^usage: offload/, 'says how';
}
like $t->offload('--version')->{out}, qr/^offload \d+\.\d+\.\d+$/, 'version';

$t->done;
