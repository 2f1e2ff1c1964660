# Several sites with keys of their own in one nginx; and a key that is changed
# as doc/how-to.md has it: what the old one has signed stays good until it
# expires, and is not kept any longer than it has to.

use Offload::Test;
use Offload::Test::Sync;

use MIME::Base64 qw(decode_base64url);

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my %key = map { $_ => $t->key($_) } qw(one two next);
$t->write('html/f.bin', $t->bytes(300_000, 1));

sub conf {
    my ($keys) = @_;
    return <<"CONF";
%%MODULES%%
events {}
http {
    offload_zone        1m;
    offload_state       %%DIR%%/state;
    offload_coordinator http://127.0.0.1:9999 $key->{x};
    offload             on;
    root                %%DIR%%/html;

    server {
        listen      127.0.0.1:%%PORT%%;
        server_name 127.0.0.1;
        @{[ map { "offload_key $key{$_}{file};" } @$keys ]}
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen      127.0.0.1:%%PORT_1%%;
        server_name 127.0.0.1;
        offload_key $key{two}{file};
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
}

my $nginx = $t->nginx(conf(['one']));
my @c = map { Offload::Test::Sync->new($t, $key, $nginx->url($_)) } 0, 1;
my $root = $c[0]->offer('/f.bin', [ 1, 1 ]);
is $c[1]->root('/f.bin'), $root, 'the same file of another site';

my %want = ('Offload-Fetch' => 'manifest');
sub signer {
    my ($jws) = @_;
    my $kid = $t->json(decode_base64url((split /\./, $jws)[0]))->{kid};
    return (grep { $key{$_}{id} eq $kid } sort keys %key)[0];
}
sub given { $c[ $_[0] // 0 ]->get('/f.bin', %want)->{content} }
sub published { [ map { $_->{kid} }
    @{ $t->json($c[0]->get('/.well-known/offload/key')->{content})->{keys} } ] }
sub ids { [ map { $key{$_}{id} } @_ ] }

# Whether openssl takes a signature for one of the keys that are published.
sub good {
    my ($jws) = @_;
    my ($text, $signature) = $jws =~ /^(.*)\.([^.]+)$/ or return 0;
    my $kid = $t->json(decode_base64url((split /\./, $jws)[0]))->{kid};
    my ($pem) = map { $_->{file} } grep { $_->{id} eq $kid } values %key;
    return 0 unless grep { $_ eq $kid } @{ published() };
    return !$t->run('openssl', 'pkeyutl', '-verify', '-rawin', '-inkey', $pem,
        '-in', $t->write('text', $text), '-sigfile',
        $t->write('signature', decode_base64url($signature)))->{status};
}
sub reload {
    $nginx->reload(conf([@_]));
    $_->root('/f.bin') for @c;
}

# Each site by itself.
is signer(given(0)), 'one', 'one site signs with its key';
is signer(given(1)), 'two', 'the other with its own';
is_deeply $t->claims(given(1))->{peers}, [], 'and knows the nodes of its coordinators only';
is scalar @{ $t->claims(given(0))->{peers} }, 1, 'as the first one does';
my $r = $c[1]->send(aud => $c[0]{iss});
is $r->{status}, 400, 'what is said to one site is nothing to the other';

# A new key is published before it signs.
my $old = given();
ok good($old), 'by the old key';
reload('one', 'next');
is_deeply published(), ids('one', 'next'), 'published, the signing key first';
is signer(given()), 'one', 'not signing yet';

# It signs; what the other has signed is good still.
reload('next', 'one');
is_deeply published(), ids('next', 'one'), 'changed';
is signer(given()), 'next', 'the new one signs';
ok good(given()), 'as openssl sees it';
ok good($old), 'the old manifest is good still';
is signer($c[0]->get('/.well-known/offload/site')->{content}), 'next', 'and the site says so';
is scalar @{ $t->claims(given())->{peers} }, 1, 'with the same nodes';
$r = $c[0]->send(nodes => [ $c[0]->node(2) ]);
is "$r->{status} " . signer($r->{content}), '200 next', 'syncs go on, answered with it';

# The old one is taken away.
reload('next');
is_deeply published(), ids('next'), 'gone';
ok !good($old), 'and what it signed with it';
is signer(given()), 'next', 'the new one signs';
is signer(given(1)), 'two', 'the other site has seen nothing of it';

$t->done;
