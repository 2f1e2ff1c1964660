# The state folder: an entry for each path, a table for each version; one that
# is gone keeps no short table from being offered; a table that is lost is no
# secret.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $large = 33 * 262_144;
$t->write("html/$_->[0]", $t->bytes($_->[1], $_->[2])) for [ 'v.bin', $large, 1 ],
    [ 'same.bin', $large, 1 ], [ 'lost.bin', $large + 1, 2 ];

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
sub kept { join ' ', sort map { m{([^/]{8})[^/]*\.table$} } glob $t->path('state/*') }
sub short { join ' ', sort map { substr $_, 0, 8 } @_ }

# Waits for a version of a file that is not this one; its root.
sub next_root {
    my ($path, $old) = @_;
    return $t->wait_for(sub {
        my $root = $c->root($path);
        $root ne $old && $root;
    }, "another $path");
}

# Each version in the place of the one before.
my ($root, $lost) = map { $c->root($_) } qw(/v.bin /lost.bin);
is $c->root('/same.bin'), $root, 'two files of one content';
is kept(), short($root, $lost), 'a table each';
$t->write('html/v.bin', $t->bytes($large, 3));
my $second = next_root('/v.bin', $root);
is kept(), short($root, $lost, $second), 'the other file has its table still';
$t->write('html/v.bin', $t->bytes($large, 4));
my $third = next_root('/v.bin', $second);
is kept(), short($root, $lost, $second, $third), 'the second stays a while';
is scalar(my @entries = glob $t->path('state/*.file')), 3, 'an entry per path';

# A file whose table was lost and that changes before there is another one.
$c->start;
ok !$c->told('/lost.bin')->{gone}, 'told';
unlink glob $t->path("state/$lost.table");
is $c->get("/.well-known/offload/pieces/$lost")->{status}, 404, 'lost';
chmod 0444, $t->path('html/lost.bin');
$c->get('/lost.bin');
is $c->get('/lost.bin', 'Offload-Fetch' => 'manifest')->{headers}
    {'offload-status'}, 'indexing; retry=1', 'to be made again';
$t->write('html/lost.bin', $t->bytes(300_000, 5));
$c->get('/lost.bin');
$c->send;
ok $c->told('/lost.bin')->{gone}, 'what was told is told to be gone';
is $c->told('/lost.bin')->{root}, $lost, 'by its root';
next_root('/lost.bin', $lost);

# A folder that is not there.
unlink glob $t->path('state/*');
rmdir $t->path('state') or die;
$t->write("html/small$_.bin", $t->bytes(300_000, $_)) for 1 .. 4;
$t->write('html/large.bin', $t->bytes($large, 6));
$t->wait_for(sub {
    $c->get('/large.bin');
    $nginx->log =~ /access\(\) failed \([^)]*\), in "[^"]*\/state".*while .*large\.bin/;
}, 'a long one has no place, the log says where');
is $c->get('/large.bin', 'Offload-Fetch' => 'manifest')->{headers}
    {'offload-status'}, undef, 'nothing to wait for';
$c->get("/small$_.bin") for 1 .. 4;
my $small = $c->root('/small1.bin');
$c->root("/small$_.bin") for 2 .. 4;
is $c->get("/.well-known/offload/pieces/$small")->{status}, 200, 'a short table';
my %lines;
$lines{$1}++ for $nginx->log =~ /^(\S+ \S+) .*indexed for offload/mg;
is join(' ', grep { $_ > 1 } values %lines), '', 'a line a second at most';

$t->done;
