# Directives for files: their defaults; given in http, inherited by servers and
# locations; overridden in a server, from which its locations inherit; and
# overridden in a location.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(300_000, 1);
for my $dir (qw(a over trust)) {
    $t->write("html/$dir/f.$_", $bytes) for qw(bin js);
}

my %vars = (SITE => $t->key('site')->{file}, X => $key->{x});
my @node = map { Offload::Test::Sync->node($_, zone => $_ == 9 ? 'FR' : 'DE') } 0 .. 10;
my $http = <<'CONF';
%%MODULES%%
events {}
http {
    offload_zone        1m;
    offload_state       %%DIR%%/state;
    offload_key         %%SITE%%;
    offload_coordinator http://127.0.0.1:9999 %%X%%;
    offload             on;
    root                %%DIR%%/html;
    types               { application/javascript js; }
    add_header          X-Offload $offload_status;
CONF
my $endpoint = 'location /.well-known/offload/ { offload_endpoint; }';

# One of everything, so that each value shows in what is answered.
my %http = (offload_ttl => '30s', offload_stale => '90s', offload_peers => 3,
    offload_bypass => '$arg_b', offload_redirect => 'on', offload_trust => $node[1]{id},
    offload_links => 'off', offload_locality => '$arg_z', offload_sri => 'on');
my %over = (offload_ttl => '10s', offload_stale => '20s', offload_peers => 5,
    offload_bypass => '$arg_c', offload_redirect => 'off', offload_trust => $node[2]{id},
    offload_links => 'on', offload_locality => '$arg_y', offload_sri => 'off');
sub text { my %d = @_; join '', map { "$_ $d{$_}; " } sort keys %d }

my %expect = (
    default => { ttl => 60, stale => 60, peers => 8, bypass => '', redirect => '', links => 1,
        locality => undef, sri => '' },
    http => { ttl => 30, stale => 90, peers => 3, bypass => 'b', redirect => $node[1]{url},
        links => 0, locality => 'z', sri => 'a manifest, an answer' },
    over => { ttl => 10, stale => 20, peers => 5, bypass => 'c', redirect => '', links => 1,
        locality => 'y', sri => '' },
);

# What a path's answers tell of the directives in force there.
sub seen {
    my ($c, $path) = @_;
    my %peers = (Accept => 'application/offload+jwt');
    my %want = ('Offload-Fetch' => 'manifest');

    # Without candidates first, for offload_stale.
    my $root = $c->root($path);
    $c->start;
    my $m = $t->claims($c->get($path, %want)->{content});
    my %seen = (stale => $m->{exp} - $m->{iat});

    $c->start(nodes => [ @node[ 1 .. 10 ] ],
        contents => { $root => [ map { [ 1, $_ ] } 1 .. 10 ] });
    $m = $t->claims($c->get($path, %peers)->{content});
    $seen{ttl} = $m->{exp} - $m->{iat};
    $seen{peers} = @{ $m->{peers} };

    $seen{bypass} = join '', grep {
        $c->get("$path?$_=1", %peers)->{headers}{'x-offload'} eq 'bypass' } qw(b c);
    my $r = $c->get($path);
    $seen{redirect} = $r->{status} == 302
        ? $r->{headers}{location} =~ m{^(http://[^/]+)} && $1 : '';
    $seen{links} = $r->{head} =~ /^Link:/mi ? 1 : 0;

    # Signed for nodes, and here.
    my $script = $path =~ s/bin$/js/r;
    $c->root($script);
    $seen{sri} = join ', ',
        $t->claims($c->get($script, %want)->{content})->{content}{sri} ? 'a manifest' : (),
        $c->get("$script?b=1&c=1")->{headers}{signature} ? 'an answer' : ();

    # Node 9 alone is in FR: first if that is where the client is, else last.
    my @first = map { $t->claims($c->get("$path?$_", %peers)->{content})->{peers}[0]{url} }
        'z=FR&y=DE', 'z=DE&y=FR';
    $seen{locality} = $first[0] eq $node[9]{url} && $first[1] ne $node[9]{url} ? 'z'
        : $first[1] eq $node[9]{url} && $first[0] ne $node[9]{url} ? 'y' : undef;
    return \%seen;
}

sub sync { Offload::Test::Sync->new($t, $key, $_[0]->url($_[1]), $_[2] // $_[0]->url($_[1])) }

my $plain = $t->nginx("$http
    server { listen 127.0.0.1:%%PORT%%; server_name 127.0.0.1; $endpoint }
}
", %vars);
my $c = sync($plain);
my $seen = seen($c, '/a/f.bin');
# Without a locality any of ten may come first.
delete $seen->{locality};
my %default = %{ $expect{default} };
delete $default{locality};
is_deeply $seen, \%default, 'defaults';
is $t->json($c->get('/.well-known/offload/peers?path=/a/f.bin&z=FR&y=FR')->{content})->{locality},
    '', 'no locality';
$plain->stop;

my $nginx = $t->nginx("$http @{[ text(%http) ]}
    server {
        listen 127.0.0.1:%%PORT%%; server_name 127.0.0.1; $endpoint
        location /over/ { @{[ text(%over) ]} }
        location /trust/ { offload_trust $node[3]{id}; offload_trust $node[4]{id}; }
    }
    server {
        listen 127.0.0.1:%%PORT_1%%; server_name 127.0.0.1; $endpoint
        @{[ text(%over) ]}
        location /a/ { location /a/f { } }
        location /over/ { @{[ text(%http) ]} }
    }
}
", %vars);
my @c = map { sync($nginx, $_) } 0, 1;
is_deeply seen($c[0], '/a/f.bin'), $expect{http}, 'http, by a server';
is_deeply seen($c[0], '/over/f.bin'), $expect{over}, 'overridden in a location';
is_deeply seen($c[1], '/a/f.bin'), $expect{over}, 'in a server, two locations down';
is_deeply seen($c[1], '/over/f.bin'), $expect{http}, 'and in a location of it';
like seen($c[0], '/trust/f.bin')->{redirect}, qr/:200[34]$/, 'offload_trust is replaced as a whole';

$t->done;
