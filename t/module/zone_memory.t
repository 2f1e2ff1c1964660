# What the zone takes: at most 1 KiB for a content that has all the candidates
# it can have, and 512 bytes for a node; and a zone that is full of them gives
# up what was used least and keeps serving.

use Offload::Test;
use Offload::Test::Sync;

use constant { FILES => 2000, NODES => 6000, BATCH => 150 };

my $t = Offload::Test->new;
my $key = $t->key('coordinator');

my $conf = <<'CONF';
%%MODULES%%
events {}
http {
    offload_zone  %%ZONE%%;
    offload_state %%STATE%%;
    access_log    off;

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        keepalive_requests  10000;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        offload_min_length  1;
        offload_links       off;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
# In memory where there is such a folder: a version is kept with an fsync().
my $state = -d '/dev/shm' && -w _ ? '/dev/shm' : '/tmp';
$state = File::Temp::tempdir('offload-test-XXXXXXXX', DIR => $state,
    CLEANUP => 1);
chmod 0755, $state;
my @vars = (STATE => "$state/state", SITE => $t->key('site')->{file}, X => $key->{x});

my @paths = map { sprintf '/some/folder/or/other/release-%05d.tar.xz', $_ }
    1 .. FILES;
utime 1_700_000_000, 1_700_000_000, $t->write("html$_", "content of $_")
    for @paths;

my ($nginx, $c);
sub start {
    my ($zone) = @_;
    $nginx = $t->nginx($conf, @vars, ZONE => $zone);
    $c = Offload::Test::Sync->new($t, $key, $nginx->url);
}

sub status { $t->json($c->get('/.well-known/offload/status')->{content}) }

# Asks for each file on one connection.
sub look {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $nginx->port) or die "connect: $!\n";
    my $bad = 0;
    for my $path (@_) {
        print $s "GET $path HTTP/1.1\r\nHost: 127.0.0.1:", $nginx->port,
            "\r\n\r\n";
        local $/ = "\r\n\r\n";
        my ($length) = <$s> =~ m{^HTTP/1\.1 200 .*^Content-Length: (\d+)}ms;
        $bad++ if !$length || read($s, my ($body), $length) != $length;
    }
    return $bad;
}

# Every content that the answers tell of gets candidates; nothing may be lost.
my ($told, $lost, @heard) = (0, 0);
sub say_it {
    my $r = $c->send(@_);
    die "sync: $r->{status} $r->{content}" if $r->{status} != 200;
    push @heard, map { $_->{root} } @{ $c->claims->{contents} };
    $lost++ if $c->claims->{need};
}

sub nodes {
    for (my $n = 1; $n < NODES; $n += BATCH) {
        say_it(nodes => [ map { $c->node($_, zone => 'DE',
            url => "https://node-$_.example.org") } $n .. $n + BATCH - 1 ]);
    }
}

sub candidates {
    my %done;
    while (keys %done < $_[0]) {
        my @roots = grep { !$done{$_}++ } splice @heard, 0, BATCH;
        my $n = keys %done;
        say_it(contents => { map { my $root = $_;
            $n++;
            $root => [ map { [ 1, 1 + ($n + $_ * 100) % NODES ] } 1 .. 24 ]
        } @roots });
        last if !@roots && !@{ $c->claims->{contents} };
    }
    return scalar keys %done;
}

# How many bytes of the zone each of them took.
sub taken {
    my ($before, $count) = @_;
    return ($before->{zone}{free} - status()->{zone}{free}) / $count;
}

start('32m');
say_it();
$lost = 0;
say_it(full => { part => 1, parts => 1 });

my $empty = status();
nodes();
is status()->{nodes}, NODES, NODES . ' nodes';
my $node = taken($empty, NODES);
cmp_ok $node, '<=', 512, sprintf 'a node takes %.0f bytes', $node;

my $before = status();
$t->wait_for(sub {
    look(@paths);
    status()->{contents} == FILES;
}, 'all files are known', 60);
is candidates(FILES), FILES, FILES . ' contents with 24 candidates';
my $content = taken($before, FILES);
cmp_ok $content, '<=', 1024, sprintf 'a content takes %.0f bytes', $content;
is $lost, 0, 'nothing was lost';
$nginx->stop;

# The same for a zone that is much too small.
start('512k');
say_it();
say_it(full => { part => 1, parts => 1 });
nodes();
is look(@paths), 0, 'every request is answered';
$t->wait_for(sub { status()->{queued} == 0 }, 'nothing is to be hashed');
my $full = status();
cmp_ok $full->{files}, '<', FILES, "of the files $full->{files} are left";
cmp_ok $full->{nodes}, '>', 0, "$full->{nodes} nodes";

my $root = $c->root($paths[-1]);
$c->start;
$c->start(nodes => [ $c->node(1) ], contents => { $root => [ [ 1, 1 ] ] });
my $r = $c->get($paths[-1], Accept => 'application/offload+jwt');
ok Offload::Test::Sync::is_manifest($r), 'the last one asked for is offered';
look(@paths[ 0 .. 999 ]) for 1 .. 2;
$r = $c->get($paths[0], 'Offload-Fetch' => 'manifest');
ok Offload::Test::Sync::is_manifest($r)
    || ($r->{headers}{'offload-status'} // '') =~ /^indexing/,
    'another one, asked for again, is taken up again';

$t->done;
