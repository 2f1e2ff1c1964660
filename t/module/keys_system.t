# A site changes its key, step by step, while nodes carry its files: downloads
# go on, from nodes, at every step; when the old key is taken away, what it has
# signed is refused.

use Offload::Test;
use Offload::Test::Site;
use Offload::Test::System;

use MIME::Base64 qw(decode_base64url);

my $t = Offload::Test->new;
$t->write('html/f.bin', my $bytes = $t->bytes(2_000_000, 1));
my $s = Offload::Test::System->new($t, nodes => 2);
my $next = $t->key('next');
my $root = $s->offloaded('/f.bin');
my $conf = $s->origin->conf;

sub manifest {
    return $t->http(GET => $s->url('/f.bin'),
        headers => { 'Offload-Fetch' => 'manifest' })->{content};
}
sub kid { $t->json(decode_base64url((split /\./, $_[0])[0]))->{kid} }

# Every byte comes from nodes, as soon as they know the key.
sub goes_on {
    my ($what) = @_;

    my %got;
    $t->wait_for(sub {
        my $r = $t->offload('get', '--json', '-o', $t->path('out'),
            $s->url('/f.bin'));
        is $r->{status}, 0, "$what: a download" or diag $r->{err};
        %got = ();
        $got{ $_->{kind} } += $_->{bytes}
            for @{ $t->json($r->{out})->{sources} };
        ($got{peer} // 0) == length $bytes;
    }, "$what: every byte from nodes", 30);
    ok $t->read('out') eq $bytes, "$what: the bytes are the origin's";
}

sub keys_are {
    my (@keys) = @_;
    my $lines = join ' ', map { "offload_key $_->{file};" } @keys;
    $s->origin->reload($conf =~ s/offload_key [^;]+;/$lines/r);
    $s->root_of('/f.bin');
}

goes_on('as it was');
keys_are($s->{key}, $next);
is kid(manifest()), $s->{key}{id}, 'the next key is published, and signs nothing';
goes_on('published');

keys_are($next, $s->{key});
is kid(manifest()), $next->{id}, 'it signs';
goes_on('changed');
is scalar($s->manifest_peers('/f.bin')), 2, 'both nodes are named still';

keys_are($next);
is kid(manifest()), $next->{id}, 'the old one is gone';
goes_on('taken away');

# A client that is given what the old key has signed.
my $site = Offload::Test::Site->new($t, bytes => $bytes);
my ($one, $two) = ($site->key, $t->key('two'));
$site->publish(key => $one);
for ([ 'alone', 0, $one ], [ 'the signing key', 0, $one, $two ],
    [ 'published still', 0, $two, $one ], [ 'taken away', 91, $two ])
{
    my ($what, $status, @keys) = @$_;
    $site->keys(@keys);
    my $r = $t->offload('inspect', $site->url);
    is $r->{status}, $status, "a manifest by a key that is $what";
    like "$r->{out}$r->{err}", qr/none of .*keys/, 'and why' if $status;
}

$t->done;
