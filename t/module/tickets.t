# The ticket of a content: the same one wherever the content's URL at a node is
# named, signed once for ten minutes and a key, good for any node to check.

use Offload::Test;
use Offload::Test::Clock;
use Offload::Test::Sync;

use MIME::Base64 qw(decode_base64url);

my $t = Offload::Test->new;
my $site = $t->key('site');
my $next = $t->key('next');
my $key = $t->key('coordinator');
$t->write('html/f.bin', $t->bytes(300_000, 1));

my $clock = Offload::Test::Clock->new($t);
my $nginx = $clock->run(sub {
    $t->nginx(<<'CONF', SITE => $site->{file}, X => $key->{x},
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;
    server {
        listen              127.0.0.1:%%PORT%%;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator https://tracker.example/ %%X%%;
        offload_redirect    on;
        offload_trust       %%TRUST%%;
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
        TRUST => Offload::Test::Sync->node(1)->{id});
});
my $url = $nginx->url . '/f.bin';
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->root('/f.bin');
$c->start;
$c->send(nodes => [ $c->node(1, url => 'http://n1.example') ],
    contents => { $root => [ [ 1, 1 ] ] });

# The ticket that each kind of answer has.
sub ticket {
    my ($kind) = @_;

    my %asked = (
        redirect => [ $url ],
        direct => [ $url, 'If-None-Match' => '"x"' ],
        manifest => [ $url, Accept => 'application/offload+jwt' ],
        meta4 => [ $nginx->url . "/.well-known/offload/f/$root/f.bin.meta4" ],
    );
    my ($from, %headers) = @{ $asked{$kind} };
    my $r = $t->http(GET => $from, headers => \%headers);
    my %text = (
        redirect => $r->{headers}{location},
        direct => $r->{headers}{link},
        manifest => $kind eq 'manifest' && Offload::Test::Sync::is_manifest($r)
            && $t->claims($r->{content})->{path},
        meta4 => $r->{content} =~ s/;/&/gr,
    );
    return ($text{$kind} // '') =~ /\?(e=\d+&s=[\w-]{86})/ ? $1 : '';
}

my @kinds = qw(redirect direct manifest meta4);
sub tickets { map { $_ => ticket($_) } @_ }
sub different { my %all = map { $_ => 1 } @_; return scalar keys %all }

# Whether a key has signed it, as doc/protocol.md says.
sub signed {
    my ($ticket, $key, $now) = @_;

    my ($e, $s) = $ticket =~ /^e=(\d+)&s=([\w-]{86})$/ or return 'no ticket';
    return "e=$e" if $e != (int($now / 600) + 2) * 600;
    my $r = $t->run('openssl', 'pkeyutl', '-verify', '-rawin',
        '-inkey', $key->{file}, '-in',
        $t->write('text', "offload-ticket\n$root\n$e"),
        '-sigfile', $t->write('sig', decode_base64url($s)));
    return $r->{status};
}

sub signatures {
    my $r = $t->http(GET => $nginx->url . '/.well-known/offload/status');
    return $t->json($r->{content})->{signatures};
}

# A test that comes to the end of ten minutes waits for the next.
my $left = 600 - $clock->time % 600;
$clock->forward($left + 1) if $left < 120;
$c->send(iat => int $clock->time, exp => $clock->time + 60);

my %one = tickets(@kinds);
is different(values %one), 1, 'all have the same';
is signed($one{direct}, $site, $clock->time), 0,
    'signed by the site, for this content';
my $before = signatures();
is different(values %one, map { ticket($_) } grep { $_ ne 'manifest' }
    (@kinds) x 5), 1, 'and go on to have it';
is signatures(), $before, 'which takes no signature';

# In the next ten minutes it is another one.
$clock->forward(600);
$c->send(iat => int $clock->time, exp => $clock->time + 60);
my %two = tickets(@kinds);
isnt $two{direct}, $one{direct}, 'a new one';
is different(values %two), 1, 'for all';
is signed($two{direct}, $site, $clock->time), 0,
    'signed for the new window';

# A new key signs at once; the old one is still published.
$nginx->reload($nginx->conf
    =~ s/(offload_key) +\S+;/$1 $next->{file}; $1 $site->{file};/r);
$t->wait_for(sub { ticket('redirect') }, 'the file is offered again', 10);
my %three = tickets(@kinds);
is signed($three{$_}, $next, $clock->time), 0, "by the new key: $_"
    for @kinds;

$t->done;
