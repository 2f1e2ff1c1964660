# A file that changes while it is hashed: what was read is not offered, even if
# size and time are as before; what is there in the end is.

use Offload::Test;
use Offload::Test::Sync;

use Time::HiRes qw(utime);

use constant SIZE => 200 << 20;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
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
        offload_coordinator http://127.0.0.1:9999 %%X%%;

        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
sub status { $t->json($c->get('/.well-known/offload/status')->{content}) }

# Changes a byte of a file that has just been begun to be hashed.
sub change {
    my ($name, $at) = @_;

    my $path = $t->path("html/$name");
    my @was = stat $path;
    my $hashed = status()->{hashed};
    $c->get("/$name", Range => 'bytes=0-0');
    $t->wait_for(sub { status()->{queued} == 0 }, 'hashing has begun');
    open my $f, '+<', $path or die;
    sysseek $f, $at, 0;
    syswrite $f, 'x';
    close $f;
    utime $was[8], $was[9], $path;
    is status()->{hashed}, $hashed, "$name: it has not come to an end";
}

# Until it is offered, whatever is: its checksum.
sub sha256 {
    my ($name) = @_;
    my $claims;
    $t->wait_for(sub {
        my $r = $c->get("/$name", 'Offload-Fetch' => 'manifest', Range => 'bytes=0-0');
        $r->{status} == 200 && ($claims = $t->claims($r->{content}));
    }, "$name is offered", 60);
    return $claims->{content}{sha256};
}

for (qw(early late)) {
    $t->write("html/$_.bin", '');
    truncate $t->path("html/$_.bin"), SIZE or die;
}
$t->wait_for(sub { (stat $t->path('html/late.bin'))[10] + 3 < time }, 'they are old enough');
change('late.bin', SIZE - 1);
is glob($t->path('state/*')), undef, 'nothing is kept yet';
my ($sum) = $t->run('sha256sum', $t->path('html/late.bin'))->{out} =~ /^(\w+)/;
is sha256('late.bin'), $sum, 'a change behind what was read';
is status()->{hashed}, 1, 'of what was hashed the first is not counted';
change('early.bin', 0);
($sum) = $t->run('sha256sum', $t->path('html/early.bin'))->{out} =~ /^(\w+)/;
is sha256('early.bin'), $sum, 'a change before';
is scalar(my @entries = glob $t->path('state/*.file')), 2, 'an entry each';

$t->done;
