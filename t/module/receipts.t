# A receipt comes with each manifest that names peers, says what it is for, and
# can be spent once, for the last so many that were given to clients of some
# networks: whom others ask for more does not matter.

use Offload::Test;
use Offload::Test::Sync;

use IO::Socket::INET;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
$t->write('html/f.bin', $t->bytes(300_000, 1));
$t->write('html/g.bin', $t->bytes(300_000, 2));

my $conf = <<'CONF';
%%MODULES%%
worker_processes 2;
events {}
http {
    offload_zone       256k;
    offload_state      %%DIR%%/state;
    keepalive_requests 100000;
    set_real_ip_from   127.0.0.0/8;
    real_ip_header     X-From;

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
my $nginx = $t->nginx($conf, SITE => $t->key('site')->{file}, X => $key->{x});
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->root('/f.bin');

is $c->receipt('/f.bin'), undef, 'none with the file';
is $c->receipt('/f.bin', 'Offload-Fetch' => 'manifest'), undef,
    'none with a manifest that names nobody';
$c->offer('/f.bin', [ 1, 1 ], [ 1, 2 ]);
my $other = $c->offer('/g.bin', [ 1, 1 ]);
is $c->receipt('/f.bin', 'Offload-Fetch' => 'direct'), undef,
    'none with the file to those who want it';

# What it says.
my $r = $c->get('/f.bin', Accept => 'application/offload+jwt');
my $manifest = $t->claims($r->{content});
my $receipt = $r->{headers}{'offload-receipt'};
my ($version, $epoch, $number, $exp, $peers, $mac) = split /[.]/, $receipt;
my ($lane, $counter) = $number =~ /^(\d+)-(\d+)$/;

sub lane { return (split /[.-]/, (split /[.]/, $_[0])[2])[0] }
sub counter { return (split /[.-]/, (split /[.]/, $_[0])[2])[1] }
is $version, 1, 'version';
is $epoch, $c->{epoch}, 'the epoch is that of the sync';
is $exp, $manifest->{exp} + 86_400, 'good for a day after its manifest';
is $peers, join('', map { substr $_->{id}, 0, 12 } @{ $manifest->{peers} }),
    'its peers, in the order of the manifest';
like $mac, qr/^[\w-]{22}$/, 'a seal of 128 bits';
my $next = $c->receipt('/f.bin');
is lane($next), $lane, 'the lane is the network\'s';
is counter($next), $counter + 1, 'a number for each';
isnt +(split /[.]/, $next)[5], $mac, 'a seal for each';

# Not for anything else.
my @spent = [ 1, 300_000 ];
my $flip = $mac =~ s/^(.)/$1 eq 'A' ? 'B' : 'A'/re;
my $later = $exp + 1;
my $past = time - 10;
for ([ 'another seal', $receipt =~ s/\Q$mac\E/$flip/r ],
    [ 'another counter', $receipt =~ s/-$counter\./-99./r ],
    [ 'another lane', $receipt =~ s/\.$lane-/.@{[ $lane ^ 1 ]}-/r ],
    [ 'a longer life', $receipt =~ s/$exp/$later/r ],
    [ 'expired', $receipt =~ s/$exp/$past/r ],
    [ 'other peers', $receipt =~ s/\Q$peers\E/${\ ($peers . 'A' x 12)}/r ],
    [ 'another epoch', $receipt =~ s/\Q$epoch\E/${\ ('A' x 22)}/r ])
{
    my ($what, $text) = @$_;
    is $c->report($text, $root, \@spent)->{status}, 403, $what;
}
is $c->report($receipt, $other, \@spent)->{status}, 403, 'for another root';

# Once.
is $c->report($receipt, $root, \@spent)->{status}, 204, 'spent';
is $c->report($receipt, $root, \@spent)->{status}, 409, 'not twice';
is $c->report($next, $root, \@spent)->{status}, 204, 'the next one';

# The key lives in the zone, so a new configuration knows it.
my $kept = $c->receipt('/f.bin');
$nginx->reload;
is $c->report($kept, $root, \@spent)->{status}, 204, 'after a reload';
is $c->report($receipt, $root, \@spent)->{status}, 409, 'not twice, neither';

# A zone of 256 KiB remembers 1024 counters of each of 32 lanes.  So many later
# the same bit stands for another receipt; what is older is spent.
sub advance {
    my ($n) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => $nginx->url =~ s{http://}{}r)
        or die;
    my $request = "GET /f.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        . "Accept: application/offload+jwt\r\n\r\n";
    while ($n > 0) {
        my $batch = $n < 64 ? $n : 64;
        my ($got, $text) = (0, '');
        print $s $request x $batch;
        while ($got < $batch) {
            sysread $s, $text, 65_536, length $text or die 'closed';
            $got++ while $text =~ /\GOffload-Receipt:|\G.*?Offload-Receipt:/gcs;
            $text = substr $text, pos $text // 0;
        }
        $n -= $batch;
    }
}
$c->root('/f.bin'); # is judged anew by the new configuration
my %theirs; # by lane
for my $n (0 .. 99) {
    my $r = $c->receipt('/f.bin', 'X-From' => "198.51.$n.1");
    $theirs{ lane($r) } //= [ $r, "198.51.$n.1" ];
}
cmp_ok scalar keys %theirs, '>', 16, 'a hundred networks, in many lanes';
is scalar(grep { $_ > 31 } keys %theirs), 0, 'of 32';
delete $theirs{$lane};
my $first = $c->receipt('/f.bin');
my $unspent = $c->receipt('/f.bin');
is $c->report($first, $root, \@spent)->{status}, 204, 'one of today';
my $at = counter($first);
advance(1024 - 3);
my $last = $c->receipt('/f.bin');
is counter($last), $at + 1023, '1023 later';
is $c->report($unspent, $root, \@spent)->{status}, 204,
    'the oldest but one of them all is good';
is $c->report($first, $root, \@spent)->{status}, 409, 'the oldest was spent';
my $same = $c->receipt('/f.bin');
is counter($same), $at + 1024, '1024 later';
is $c->report($same, $root, \@spent)->{status}, 204, 'has the bit of it';
is $c->report($same, $root, \@spent)->{status}, 409, 'and sets it';
is $c->report($last, $root, \@spent)->{status}, 204, 'the one before';
my $lost = $c->receipt('/f.bin');
advance(1024);
is $c->report($lost, $root, \@spent)->{status}, 409,
    'too old to be remembered: spent';
is scalar(grep { $c->report($_->[0], $root, \@spent,
    headers => { 'X-From' => $_->[1] })->{status} != 204 } values %theirs), 0,
    'those of other lanes are not';

$t->done;
