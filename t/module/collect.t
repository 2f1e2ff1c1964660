# The state folder is cleared up when nginx starts: of files that went, of
# versions that were replaced, of what was left half-written, a day later.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write("html/$_.bin", $t->bytes(300_000, ord)) for qw(a b c);

my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
worker_processes 2;
error_log %%DIR%%/info.log info;
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
sub kept { join ' ', sort map { m{([^/]+)$} } glob $t->path('state/*') }
sub days_ago { my $n = shift; my $time = time - $n * 86_400; utime $time, $time, @_ }

# Once more, in one worker; how many files are in use and were removed.
sub collected {
    $nginx->stop;
    my $before = () = $t->read('info.log') =~ /useless/g;
    $nginx->start;
    my @all = @{ $t->wait_for(sub {
        my @found = $t->read('info.log') =~ /"offload_state": (\d+) files .*?(\d+) useless/g;
        @found > 2 * $before && \@found;
    }, 'the folder is cleared up') };
    is scalar(@all), 2 * ($before + 1), 'by one worker';
    return "@all[-2, -1]";
}

my %root = map { $_ => $c->root("/$_.bin") } qw(a b c);
is collected(), '3 0', 'all is in use';

# Just gone: it may come back, as with a disk that is not mounted.
unlink $t->path('html/a.bin');
$t->write('html/b.bin', $t->bytes(300_001, 7));
$t->wait_for(sub { my $r = $c->root('/b.bin'); $r ne $root{b} && ($root{new} = $r) },
    'a new version');
$t->write('state/0123456789abcdef.temp', 'half');
$t->write('state/README', 'not ours');
mkdir $t->path('state/0.file') or die;
symlink 'nowhere', $t->path('state/1.table') or die;
is collected(), '2 0', 'nothing at once';
like kept(), qr/\Q$root{a}.table/, 'a table of a file that went';

# A day later.
days_ago(2, glob $t->path('state/*'));
$t->run('touch', '-h', '-d', '2 days ago', $t->path('state/1.table'));
is collected(), '2 5', 'a day later, whatever else is there';
like $t->read('info.log'), qr/\[error\].* 0\.file: Is a directory, in ".*\/state", .* 1 there could not be/,
    'is told';
rmdir $t->path('state/0.file') or die;
is join(' ', grep { /table|temp|READ/ } split / /, kept()),
    join(' ', sort 'README', map { "$root{$_}.table" } qw(c new)), 'what is of use stays';
is $c->root('/c.bin'), $root{c}, 'and is used';
is $t->json($c->get('/.well-known/offload/status')->{content})->{hashed}, 0,
    'nothing was hashed again';

# What is used is marked, so it outlives the next day, too.
is collected(), '2 0', 'nothing is left to remove';
cmp_ok time - (stat $t->path("state/$root{c}.table"))[9], '<', 3600, 'it is marked';

$t->done;
