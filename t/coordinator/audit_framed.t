# A site that wants a node to be blamed: it offers what the node holds with
# another size, with a ticket that is not its own, or by a path of its own. The
# node, which is honest, stays in good standing, and passes a fair audit.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Digest::SHA qw(sha256 sha256_hex);
use MIME::Base64 qw(encode_base64url);
use Site;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my $store = $redis->cli('GET', 'store');

# Of one piece each, so that every audit asks for the last one.
my %content = map { $_ => $t->bytes(200_000, ord) }
    qw(shorter longer ticket right);
my %root = map { $_ => sha256_hex(sha256($content{$_})) } keys %content;
my %name = reverse %root;
my %size = (shorter => 199_999, longer => 200_001, ticket => 200_000,
    right => 200_000);

my $n = Stranger->new(test => $t, coordinator => $c, name => 'n',
    content => sub {
        my ($socket, $request) = @_;
        my ($root) = $request->{target} =~ m{^/c/(\w+)\?};
        my $name = $name{$root};
        my ($from, $to) = $request->{headers}{range} =~ /^bytes=(\d+)-(\d+)$/;
        my ($status, $body, $range) = (206, '', "*/200000");
        if    ($name eq 'ticket') { $status = 403 }
        elsif ($to > 200_000)     { $to = 199_999 }
        if ($status == 206) {
            $to = 199_999 if $to > 199_999;
            $body = substr $content{$name}, $from, $to - $from + 1;
            $range = "$from-$to/200000";
        }
        print $socket "HTTP/1.1 $status X\r\nContent-Range: bytes $range\r\n"
            . 'Content-Length: ' . length($body)
            . "\r\nConnection: close\r\n\r\n$body";
    });

sub ticket {
    my ($key, $root) = @_;
    my $e = (int(time / 600) + 2) * 600;
    my $file = $t->write("ticket-$root", "offload-ticket\n$root\n$e");
    my $r = $t->run('openssl', 'pkeyutl', '-sign', '-rawin', '-inkey',
        $key->{file}, '-in', $file);
    die $r->{err} if $r->{status};
    return "e=$e&s=" . encode_base64url($r->{out});
}

my $foreign = $t->key('foreign');
my $site = Site->new(test => $t, coordinator => $c, name => 'site',
    sync => sub {
        return (200, { contents => [ map { { root => $root{$_}, sub => "/$_",
            size => $size{$_}, demand => 0 } } sort keys %root ] });
    },
    get => sub {
        my ($site, $target) = @_;
        my ($name) = $target =~ m{^/(\w+)$};
        return (404, '') unless $name && $root{$name};
        $t->write("asked-$name", '');
        my $now = time;
        return (200, $t->sign($site->{key}, 'offload+jwt', {
            iss => $site->url, sub => "/$name", iat => $now, exp => $now + 60,
            content => { root => $root{$name}, size => $size{$name},
                piece_size => 262144, sha256 => sha256_hex($content{$name}),
                type => 'application/octet-stream', etag => '"x"',
                table => encode_base64url(sha256($content{$name})) },
            path => "/c/$root{$name}?" . ticket($name eq 'ticket' ? $foreign
                : $site->{key}, $root{$name}),
            peers => [], trackers => [] }),
            'Content-Type: application/offload+jwt');
    });

sub node {
    return $t->json($t->http(GET => $c->url . '/v1/nodes/' . $n->id)
        ->{content});
}

$n->register;
$n->heartbeat;
$site->join;
$t->wait_for(sub {
    4 == grep { $redis->cli('EXISTS', "c:{$_}:w:" . $n->id) } values %root;
}, 'assignments');
$n->heartbeat(store => $store,
    holdings => [ map { { root => $_ } } values %root ]);

# Again and again, though it is but once a minute otherwise.
my $node;
$t->wait_for(sub {
    $redis->cli('HSET', 'rep:{' . $n->id . '}', 'due', 1);
    $redis->cli('DEL', 'audit:{' . $n->id . '}');
    $node = node();
    return !$node->{listed} || $node->{audits}{wrong}
        || $node->{audits}{passed} && 4 == grep { -e $t->path("asked-$_") }
            keys %root;
}, 'audits of all contents', 60);
$c->stop;    # what is under way ends
$c->start;
$node = $t->wait_for(sub { my $seen = eval { node() }; $seen->{n} && $seen },
    'the coordinator');
ok -e $t->path("asked-$_"), "the site was asked for $_" for sort keys %root;
ok $node->{audits}{passed}, 'a fair audit is passed';
is $node->{audits}{wrong}, 0, 'no bytes were wrong';
ok !$node->{excluded}, 'it is not excluded';
is $node->{reason}, '', 'nor is anything said against it';

$t->done;
