# A file that is replaced, cut, grown, touched or taken away: at most a second
# later no manifest names the old version, and the file itself is always whole.

use Offload::Test;
use Offload::Test::Sync;

use Digest::SHA qw(sha256_hex);
use Time::HiRes qw(time utime);

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write('html/f.bin', $t->bytes(300_000, 1));

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
worker_processes 2;
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
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $file = $t->path('html/f.bin');

# What is given now, for the bytes that are there; within two seconds.
sub settles {
    my ($what, $bytes) = @_;

    my $changed = time;
    my ($old, %seen) = (0);
    my $m = $t->wait_for(sub {
        my $now = time;
        my $r = $c->get('/f.bin', 'Offload-Fetch' => 'manifest');
        if (!Offload::Test::Sync::is_manifest($r)) {
            $seen{file}++;
            return $r->{content} eq $bytes ? undef : die "$what: a mixture\n";
        }
        my $m = $t->claims($r->{content})->{content};
        return $m if $m->{sha256} eq sha256_hex($bytes);
        $old = $now - $changed;
        return;
    }, $what);
    cmp_ok $old, '<', 2, sprintf '%s: the old version for %.1f s', $what, $old;
    is $m->{size}, length $bytes, "$what: size";
    is $m->{etag}, $t->http(HEAD => $nginx->url . '/f.bin')->{headers}{etag},
        "$what: ETag";
    ok $seen{file}, "$what: the file in between";
}

settles('new', $t->bytes(300_000, 1));
$c->offer('/f.bin', [ 1, 1 ]);

$t->write('html/f.bin', $t->bytes(400_000, 2));
settles('another size', $t->bytes(400_000, 2));

my @was = stat $file;
$t->write('html/f.bin', $t->bytes(400_000, 3));
utime $was[8], $was[9], $file;
settles('the same size and time, another inode', $t->bytes(400_000, 3));

# In place, with the old times: only ctime tells, when the next one is signed.
my $root = $c->offer('/f.bin', [ 1, 1 ]);
open my $f, '+<', $file or die;
binmode $f;
print $f $t->bytes(400_000, 4);
close $f;
utime $was[8], $was[9], $file;
$c->send(nodes => [ $c->node(2) ], contents => { $root => [ [ 1, 2 ] ] });
settles('in place', $t->bytes(400_000, 4));

open $f, '>>', $file or die;
print $f 'more';
close $f;
settles('longer', $t->bytes(400_000, 4) . 'more');

truncate $file, 300_000;
settles('cut', substr $t->bytes(400_000, 4), 0, 300_000);

unlink $file;
$t->wait_for(sub {
    $c->get('/f.bin', 'Offload-Fetch' => 'manifest')->{status} == 404;
}, 'a file that is gone is a 404', 3);
$c->send;
ok $c->told('/f.bin')->{gone}, 'and the coordinator is told';

$t->write('html/f.bin', $t->bytes(300_000, 5));
settles('there again', $t->bytes(300_000, 5));

# Nobody asks for a manifest any more: a plain 404 tells as much.
$c->offer('/f.bin', [ 1, 1 ]);
unlink $file;
$t->wait_for(sub { $t->http(GET => $nginx->url . '/f.bin')->{status} == 404 },
    'a 404', 3);
$c->send;
ok $c->told('/f.bin')->{gone}, 'a file that is not found is told to be gone';

$t->done;
