# The status page lists a hundred sites, and counts the contents of all.

use lib 't/lib';
use Offload::Test;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
$t->wait_for(sub { $t->http(GET => $c->url . '/healthz')->{status} == 200 },
    'Redis');

sub id { sprintf '%043d', $_[0] }
sub synced {
    my ($n, $contents) = @_;
    my $id = id($n);
    return "FCALL ol_site_put 2 site:{$id} sites $id http://127.0.0.1:$n 1000\n"
        . "FCALL ol_site_synced 2 site:{$id} offered 2000 epoch $contents\n";
}
sub told {
    my (@lines) = @_;
    my $r = $t->run({ stdin => join '', @lines }, 'redis-cli', '-s',
        $redis->url =~ s/^unix://r);
    unlike $r->{out}, qr/ERR/, 'Redis takes it';
}
sub sites { $t->json($t->http(GET => $c->url . '/v1/status')->{content})->{sites} }
sub total {
    my ($want, $what) = @_;
    $t->wait_for(sub { sites()->{contents} == $want }, $what);
    pass $what;
}

told(map { synced($_, 10) } 1 .. 120);
total(1200, 'contents of 120 sites');
my $s = sites();
is $s->{total}, 120, 'so many are there';
is scalar @{ $s->{list} }, 100, 'of which these are listed';
like $t->http(GET => $c->url . '/')->{content}, qr/>1200</, 'the page says the same';
like $t->http(GET => $c->url . '/metrics')->{content}, qr/^offload_contents 1200$/m,
    'and the metrics';

told(synced(1, 10), synced(2, 3), synced(3, 15));
total(1198, 'each counts as it last was');
my $id = id(4);
told("FCALL ol_site_forget 3 site:{$id} sites offered $id 5000\n");
total(1188, 'and not when it is forgotten');

$t->done;
