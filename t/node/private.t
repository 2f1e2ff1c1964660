# What its sites have withdrawn is dropped, once it is released or its manifest
# has expired: after two refusals, by every site of it, and not while it is
# being sent.  A site that is down, or not ready, has withdrawn nothing.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use IO::Socket::INET;
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my %bytes = map { ("/$_" => $t->bytes(300_000, length)) }
    qw(forbidden deleted plain down indexing other both idle late renewed);
$bytes{'/forbidden'} = $t->bytes(24_000_000, 1);
$bytes{$_} .= $_ for keys %bytes;
my %says = ('/forbidden' => 403, '/other' => 401, '/both' => 410,
    '/plain' => 200, '/indexing' => 200);

# Pieces of all, and in place of a manifest what is said above.
sub site {
    return Scripted->new($t, origin => sub {
        my ($s, $socket, $request) = @_;
        my $path = $request->{target};
        my ($from, $to) = ($request->{headers}{range} // '') =~ /(\d+)-(\d+)$/;
        return $s->reply($socket, 206, substr($bytes{$path}, $from,
            $to - $from + 1), undef, "Content-Range: bytes $from-$to/"
            . length $bytes{$path}) if defined $to;
        my $status = $path eq '/down' && !-e $t->path('up') ? 503
            : $says{$path} // 404;
        $s->reply($socket, $status, 'no', undef, $path eq '/indexing'
            ? 'Offload-Status: indexing; retry=1' : ());
    });
}
my ($s, $second) = map { site() } 1, 2;
my $node = $t->node(coordinator => $s->coordinator);
my %c;

sub content {
    my ($site, $path, %claims) = @_;
    return $site->content($path, $bytes{$path}, file => 0, etag => '"v1"',
        claims => \%claims);
}
sub status { $t->http(GET => $node->url . $c{$_[0]}{path},
    headers => { Range => 'bytes=0-9' })->{status} }
# How often the site was asked, once all pieces had been fetched.
sub looks {
    my ($site, $path) = @_;
    my $dir = $site->{dir};
    return scalar(() = $site->origin->log =~ m{^GET \Q$path\E$}mg)
        - ($site->{base}{$path} // 0);
}
sub withdraw {
    my ($site, @paths) = @_;
    unlink "$site->{dir}/manifests$_.jwt" for @paths;
}

# Manifests that have expired, but lately.
my @old = (iat => time - 20, exp => time - 10);
$c{$_} = content($s, $_, $_ =~ /idle|late|renewed/ ? @old : ()) for keys %bytes;
$node->stop; # it is to hear of all at once
$s->assign($c{$_}, $node) for sort keys %c;
content($second, $_) && $s->relay($second, $c{$_}, $node) for qw(/other /both);
$node->start;
$s->wait_complete($c{$_}, $node) for sort keys %c;
$t->wait_for(sub { 2 == (() = $node->log =~ /offers it, too/g) }, 'two sites');
for my $site ($s, $second) {
    $site->{base}{$_} = looks($site, $_) for keys %bytes;
}

# A client that does not read yet.
my ($host, $port) = $node->url =~ m{//(.*):(\d+)};
my $slow = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port);
print $slow "GET $c{'/forbidden'}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
read $slow, my $got, 1000;

my @gone = qw(/forbidden /deleted /plain /both);
my @kept = qw(/down /indexing /other);
withdraw($s, @gone, @kept, '/idle', '/late');
withdraw($second, '/both');
$s->say_from_now(release => [ map { $c{$_}{root} } @gone, @kept ]);
$t->wait_for(sub { looks($s, '/deleted') == 1 }, 'a first look');
is status('/deleted'), 206, 'one refusal is not enough';
is status('/late'), 206, 'one that is asked for though it has expired';
content($s, '/renewed', iat => time, exp => time + 60);
is status('/renewed'), 206, 'another one';
for (@gone, '/late') {
    $t->wait_for(sub { $s->dropped($node, $c{$_}) }, "$_ to be dropped", 20);
    is status($_), 404, "$_ is not served any more";
}
like $node->log, qr/dropped: its site does not give it any more/, 'for a reason';
is looks($s, '/deleted'), 2, 'it took two looks';
$t->wait_for(sub { looks($s, $_) >= 2 }, "another look at $_") for @kept[0, 1];
for (@kept, '/idle', '/renewed') {
    is status($_), 206, "$_ is served";
}
is looks($second, '/other'), 1, 'the other site gives it';
is looks($s, '/renewed'), 1, 'one look, and it is fresh';

$got .= join '', <$slow>;
$got =~ s/^.*?\r\n\r\n//s;
ok $got eq $bytes{'/forbidden'}, 'the transfer under way has come to its end';

# After a restart it is still released, and now its site is back.
$node->stop;
$t->write('up', '');
$node->start;
$t->wait_for(sub { $s->dropped($node, $c{'/down'}) }, 'the last one', 20);
is status('/down'), 404, 'dropped after a restart';

$t->done;
