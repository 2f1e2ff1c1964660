# Hashing: in slices beside the requests, kept over restarts, done again for
# what changed meanwhile or could not be read; and never in the way of an exit.

use Offload::Test;
use Offload::Test::Sync;

use Digest::SHA;
use Time::HiRes qw(time utime);

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $bytes = $t->bytes(40 * 1024 * 1024 + 1, 1);
$t->write('html/big.bin', $bytes);

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
worker_processes 2;
thread_pool hashing threads=2;
events {}
http {
    offload_zone        1m;
    offload_state       %%DIR%%/kept;
    offload_thread_pool hashing;
    open_file_cache     max=10;

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
# Of a process or a thread.
sub nice {
    my $path = $_[0] =~ m{/} ? $_[0] : "/proc/$_[0]";
    return (split / /, $t->read("$path/stat") =~ s/^.*\) //r)[16];
}

sub claims {
    $c->root($_[0]);
    return $t->claims($c->get($_[0], 'Offload-Fetch' => 'manifest')->{content});
}

# A young file is looked at again; meanwhile its requests are answered.
is $c->get('/big.bin')->{status}, 200, 'served while it is indexed';
my $content = claims('/big.bin')->{content};
is $content->{sha256}, Digest::SHA::sha256_hex($bytes), 'sha256 of 40 MiB';
is $content->{size}, length $bytes, 'size';
is status()->{hashed}, 1, 'hashed once, however many ask';
is_deeply [ map { nice($_) } $nginx->workers ], [ 0, 0 ], 'workers as ever';
cmp_ok scalar(grep { $_ == 19 } map { nice($_) } map { glob "/proc/$_/task/*" }
    $nginx->workers), '>=', 1, 'a thread of the pool that was named is nice';
is((stat $t->path('kept'))[4], $> ? $> : scalar getpwnam('nobody'),
    'the folder was made, for the workers');
is sprintf('%o', (stat $t->path('kept'))[2] & 0777), 700, 'and nobody else';

# A restart finds it again.
$nginx->stop;
$nginx->start;
is claims('/big.bin')->{content}{root}, $content->{root}, 'after a restart';
is status()->{hashed}, 0, 'it was not hashed again';

# What is kept is not believed if it does not fit, or if the file has changed.
$nginx->stop;
my ($table) = glob $t->path('kept/*.table');
$t->write($table, $t->read($table) =~ s/^(.)/chr(1 ^ ord $1)/ers);
my ($entry) = glob $t->path('kept/*.file');
$nginx->start;
is claims('/big.bin')->{content}{root}, $content->{root}, 'a table gone bad';
is status()->{hashed}, 1, 'is made anew';
$nginx->stop;
$t->write($entry, '{"version":');
$nginx->start;
is claims('/big.bin')->{content}{root}, $content->{root}, 'an entry gone bad';
is status()->{hashed}, 1, 'is made anew';
$nginx->stop;
my @now = stat $t->path('html/big.bin');
substr($bytes, 5, 1) ^= "\1";
$t->write('html/big.bin', $bytes);
utime $now[8], $now[9], $t->path('html/big.bin');
$nginx->start;
isnt claims('/big.bin')->{content}{root}, $content->{root},
    'another file with the old size and time';
is status()->{hashed}, 1, 'was hashed';

# A folder that cannot be written to: the file, a line in the log, no manifest.
$nginx->stop;
unlink glob $t->path('kept/*');
$nginx->start;
chmod 0500, $t->path('kept');
$c->get('/big.bin');
$t->wait_for(sub {
    $nginx->log =~ /access\(\) failed \([^)]*\), in "[^"]*kept".*while .*big\.bin/;
}, 'a line in the log names the folder');
is $c->get('/big.bin', Accept => 'application/offload+jwt')->{headers}
    {'offload-status'}, undef, 'nothing to wait for';
chmod 0700, $t->path('kept');

# An exit does not wait for a large file.
my $sparse = $t->path('html/huge.bin');
open my $f, '>', $sparse or die;
truncate $f, 3 << 30;
close $f;
for my $how (qw(QUIT TERM)) {
    $nginx->stop if $nginx->running;
    $nginx->start;
    $t->wait_for(sub { (stat $sparse)[10] + 3 < time }, 'the file is older');
    $t->http(GET => $nginx->url . '/huge.bin', headers => { Range => 'bytes=0-9' });
    $t->wait_for(sub { status()->{queued} == 0 }, 'hashing has begun');
    my $started = time;
    $nginx->signal($how);
    $nginx->wait;
    cmp_ok time - $started, '<', 3, "$how while a file of 3 GiB is hashed";
}

$t->done;
