# What .meta4 and .torrent say, as parsers that are not ours read them; and
# what sha256sum makes of .sha256.

use Offload::Test;
use Offload::Test::Sync;

use Digest::SHA qw(sha1_hex sha256_hex);

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $odd = 'R&D "1"; 100% <ü>\\b.bin';
my %bytes = ('disk.iso' => $t->bytes(700_000, 1), $odd => $t->bytes(262_144, 2));
$t->write("html/$_", $bytes{$_}) for keys %bytes;
my $mtime = 1_700_000_000;
utime $mtime, $mtime, $t->path("html/disk.iso");

my %vars = (SITE => $t->key('site')->{file}, X => $key->{x},
    X_2 => $t->key('second')->{x});
my $nginx = $t->nginx(<<'CONF', %vars);
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://tracker.example:8090/ %%X%%;
        offload_coordinator https://other.example %%X_2%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
sub escaped { $_[0] =~ s/([^A-Za-z0-9._-])/sprintf '%%%02X', ord $1/ger }
my %root = map { $_ => $c->root('/' . escaped($_)) } keys %bytes;

# 1 and 4 share a host name, 3 was only told to get it.
$c->start;
$c->send(
    nodes => [
        $c->node(1, url => 'http://n1.example', zone => 'DE'),
        $c->node(2, url => 'https://n2.example:8100', zone => 'eu-west'),
        $c->node(3, url => 'http://n3.example', zone => 'FR'),
        $c->node(4, url => 'http://n1.example:8080', zone => 'NL'),
    ],
    contents => { map { $_ => [ [ 1, 1 ], [ 1, 2 ], [ 2, 3 ], [ 1, 4 ] ] }
        values %root });

sub place {
    my ($name, $ext) = @_;
    return "/.well-known/offload/f/$root{$name}/" . escaped($name) . $ext;
}

# The file as it was got, and what the parser says.
sub parsed {
    my ($name, $format) = @_;

    my $r = $c->get(place($name, ".$format"));
    is $r->{status}, 200, "$name.$format" or diag $r->{content};
    $t->write("got.$format", $r->{content});
    $r = $t->run('/usr/bin/python3', 't/interop/formats.py', $format,
        $t->path("got.$format"));
    is $r->{status}, 0, 'can be read' or diag $r->{err};
    return $t->json($r->{out});
}

sub hashes {
    my ($digest, $name) = @_;
    my $n = int((length($bytes{$name}) + 262143) / 262144);
    return [ map { $digest->(substr $bytes{$name}, $_ * 262144, 262144) }
        0 .. $n - 1 ];
}

my $ticket = qr{\?e=\d+;s=[\w-]{86}};
for my $name (sort keys %bytes) {
    my $text = $name;
    utf8::decode($text);
    my $own = $nginx->url . '/' . escaped($name);
    my $path = '/c/' . $root{$name} . '/';

    my $m = parsed($name, 'meta4');
    is $m->{name}, $text, 'its name';
    is $m->{size}, length $bytes{$name}, 'size';
    is_deeply $m->{hashes}, [ [ 'sha-256', sha256_hex($bytes{$name}) ] ],
        'hash: no other';
    is_deeply $m->{pieces},
        [ [ 'sha-256', 262144, hashes(\&sha256_hex, $name) ] ],
        'pieces: once, complete';
    is_deeply $m->{publisher}, { url => $nginx->url,
        name => '127.0.0.1:' . $nginx->port }, 'publisher';
    my @urls = @{ $m->{urls} };
    is_deeply [ map { $_->[1]{priority} } @urls ], [ 1 .. @urls ], 'priorities';
    is $urls[-1][0] =~ s/%([0-9A-F]{2})/chr hex $1/ger,
        $own =~ s/%([0-9A-F]{2})/chr hex $1/ger, 'the origin is the last';
    unlike $urls[-1][0], qr/[^!-~]/, 'its URL is escaped';
    is scalar(@urls), 3, 'one of a host name, and only holders';
    for (@urls[0, 1]) {
        my ($url, $attributes) = @$_;
        like $url, qr{^https?://n[12]\.example(?::\d+)?\Q$path\E[!-~]+$ticket$},
            'a holder, with a ticket';
        my ($host) = $url =~ m{//([^/]+)};
        is $attributes->{location}, { 'n1.example' => 'de',
            'n1.example:8080' => 'nl' }->{$host}, "where $host is";
    }

    my $tor = parsed($name, 'torrent');
    is_deeply $tor->{info}{pieces}, hashes(\&sha1_hex, $name), 'SHA-1s';
    is $tor->{info}{name}, $text, 'its name';
    is $tor->{info}{length}, length $bytes{$name}, 'length';
    is $tor->{info}{'piece length'}, 262144, 'piece length';
    is join(' ', sort keys %{ $tor->{info} }),
        'length name piece length pieces', 'no more';
    is $tor->{announce}, 'http://tracker.example:8090/announce', 'announce';
    is_deeply $tor->{'announce-list'}, [ [ $tor->{announce} ],
        ['https://other.example/announce'] ], 'announce-list';
    is $tor->{'creation date'}, $mtime, 'date' if $name eq 'disk.iso';
    my @seeds = @{ $tor->{'url-list'} };
    is pop @seeds, $urls[-1][0], 'web seeds: the origin is the last';
    is scalar(@seeds), 3, 'all holders';
    unlike "@seeds", qr/\?/, 'without a ticket';
    like $_, qr{^https?://n[12]\.example(?::\d+)?\Q$path\E}, 'a holder'
        for @seeds;

    # The infohash that the coordinator is told of is that of the torrent.
    my ($sub) = grep { $c->{told}{$_}{root} eq $root{$name} }
        keys %{ $c->{told} };
    is $c->{told}{$sub}{infohash}, $tor->{infohash}, 'infohash';

    is $c->get(place($name, '.sha256'))->{status}, 200, "$name.sha256";
    $t->write('html/sums', $c->get(place($name, '.sha256'))->{content});
    my $r = $t->run('sh', '-c', 'cd "$0" && sha256sum --strict -c sums',
        $t->path('html'));
    is $r->{status}, 0, 'sha256sum agrees' or diag $r->{out}, $r->{err};
}

$t->done;
