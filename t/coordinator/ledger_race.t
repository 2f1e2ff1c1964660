# Several coordinators, several instances of one site, one Redis: whoever is
# told what, how often, and whoever is killed meanwhile, each byte counts once.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my @c = map { $t->coordinator(redis => $redis) } 1 .. 2;
my @n = map { Stranger->new(test => $t, coordinator => $c[0], name => "n$_",
    host => "127.0.0.4$_") } 1 .. 3;
$_->register for @n;

# A site of two instances, each with an account of each node that grows by 7
# with every sync, until the test says stop; told again however it is
# acknowledged.  Both coordinators are the site's.
my $key = $t->key('site');
my $port = $t->port;
my $url = "http://127.0.0.51:$port";
mkdir $t->path('count');
$t->serve(sub {
    my ($s, $r) = @_;
    local $SIG{CHLD} = 'DEFAULT';    # openssl signs
    $t->{counts} = { sign => 1000 * $$, run => 1000 * $$ };
    my %claims = (iss => $url, iat => time, exp => time + 3600);
    my $body;
    if ($r->{target} =~ m{/key$}) {
        $body = qq({"keys":[{"kty":"OKP","crv":"Ed25519","x":"$key->{x}"}]});
    }
    elsif ($r->{target} =~ m{/site$}) {
        $body = $t->sign($key, 'offload-site+jwt', { %claims, names => [$url],
            coordinators => [ map { { id => $_->id, url => 'http://x' } } @c ],
            sync => [ map { "$url/$_" } 'A', 'B' ] });
    }
    else {
        my ($instance) = $r->{target} =~ m{/([AB])$};
        read $s, my $jws, $r->{headers}{'content-length'};
        my $sync = $t->claims($jws);
        my $file = $t->path("count/$instance");
        my $count = -s $file || 0;
        if (!-e $t->path('stop')) {
            open my $f, '>>', $file;
            syswrite $f, 'x';
            close $f;
            $count++;
        }
        $body = $t->sign($key, 'offload-sync-answer+jwt', { %claims,
            aud => $sync->{iss}, seq => $sync->{seq}, clock => $count + 1,
            epoch => $instance x 21 . 'A', contents => [],
            nodes => [ map { { id => $n[$_]->id, serial => 1 + $_,
                bytes => 7 * $count, failed => 0 } } 0 .. $#n ] });
    }
    print $s "HTTP/1.1 200 X\r\nConnection: close\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
}, host => '127.0.0.51', port => $port);

for (@c) {
    my $r = $t->http(POST => $_->url . '/v1/sites', body => qq({"origin":"$url"}));
    like $r->{status}, qr/^20[01]$/, 'the site joins';
}

sub count { (-s $t->path("count/A") || 0) + (-s $t->path("count/B") || 0) }

# Claims go to both coordinators in turn, the same number to each.
my $claimed = 0;
sub claim {
    $claimed += 11;
    for my $n (@n) {
        for my $c (@c) {
            next unless $c->running;
            local $n->{c} = $c;
            $n->heartbeat(epoch => 'E' x 21 . 'A',
                served => [ { iss => $url, bytes => $claimed } ]);
        }
    }
}

$t->wait_for(sub { count() > 4 }, 'receipts');
claim() for 1 .. 2;
my @pushes = map { $_->log =~ /this process pushes to it/ ? $_ : () } @c;
is scalar @pushes, 1, 'one of them pushes';
$pushes[0]->kill;
my $at = count();
$t->wait_for(sub { count() > $at + 4 }, 'the other one to take over', 30);
claim();
$pushes[0]->start;
claim() for 1 .. 2;

# Both push at once, as when a process stands still while its lease ends.
my ($other) = grep { $_ != $pushes[0] } @c;
$other->signal('STOP');
$at = count();
$t->wait_for(sub { count() > $at + 4 }, 'the first one to have it again', 30);
$other->signal('CONT');
$t->wait_for(sub { count() > $at + 12 }, 'more');
claim();
$t->write('stop', '');
claim();

sub ever {
    my ($n) = @_;
    my $r = $t->http(GET => $c[0]->url . '/v1/nodes/' . $n->id . '/ledger');
    my $l = $t->json($r->{content});
    return ($l->{ever}, $l->{lines});
}

my $confirmed = 7 * count();
for my $n (@n) {
    $t->wait_for(sub { (ever($n))[0]{confirmed} >= $confirmed }, 'the last ones');
    my ($ever, $lines) = ever($n);
    is $ever->{confirmed}, $confirmed, 'each receipt once';
    is $ever->{claimed}, $claimed, 'each claim once';
    my $least = $confirmed < $claimed ? $confirmed : $claimed;
    is $ever->{credited}, $least, 'the smaller one is credited';
    my $sum = 0;
    $sum += $_->{credited} for @$lines;
    is $sum, $least, 'and that is the sum of the days';
}

$t->done;
