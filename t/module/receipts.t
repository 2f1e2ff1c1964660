# A receipt comes with each manifest that names peers, says what it is for, and
# can be spent once, for the last so many that were given.

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
my ($version, $epoch, $counter, $exp, $peers, $mac) = split /[.]/, $receipt;
is $version, 1, 'version';
is $epoch, $c->{epoch}, 'the epoch is that of the sync';
is $exp, $manifest->{exp} + 86_400, 'good for a day after its manifest';
is $peers, join('', map { substr $_->{id}, 0, 8 } @{ $manifest->{peers} }),
    'its peers, in the order of the manifest';
like $mac, qr/^[\w-]{22}$/, 'a seal of 128 bits';
my $next = $c->receipt('/f.bin');
is +(split /[.]/, $next)[2], $counter + 1, 'a number for each';
isnt +(split /[.]/, $next)[5], $mac, 'a seal for each';

# Not for anything else.
my @spent = [ 1, 300_000 ];
my $flip = $mac =~ s/^(.)/$1 eq 'A' ? 'B' : 'A'/re;
my $later = $exp + 1;
my $past = time - 10;
for ([ 'another seal', $receipt =~ s/\Q$mac\E/$flip/r ],
    [ 'another counter', $receipt =~ s/\.$counter\./.99./r ],
    [ 'a longer life', $receipt =~ s/$exp/$later/r ],
    [ 'expired', $receipt =~ s/$exp/$past/r ],
    [ 'other peers', $receipt =~ s/\Q$peers\E/${\ ($peers . 'AAAAAAAA')}/r ],
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

# A zone of 256 KiB remembers 32768 counters.  So many later the same bit
# stands for another receipt; what is older is spent.
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
my $first = $c->receipt('/f.bin');
my $unspent = $c->receipt('/f.bin');
is $c->report($first, $root, \@spent)->{status}, 204, 'one of today';
my $at = (split /[.]/, $first)[2];
advance(32_768 - 3);
my $last = $c->receipt('/f.bin');
is +(split /[.]/, $last)[2], $at + 32_767, '32767 later';
is $c->report($unspent, $root, \@spent)->{status}, 204,
    'the oldest but one of them all is good';
is $c->report($first, $root, \@spent)->{status}, 409, 'the oldest was spent';
my $same = $c->receipt('/f.bin');
is +(split /[.]/, $same)[2], $at + 32_768, '32768 later';
is $c->report($same, $root, \@spent)->{status}, 204, 'has the bit of it';
is $c->report($same, $root, \@spent)->{status}, 409, 'and sets it';
is $c->report($last, $root, \@spent)->{status}, 204, 'the one before';
my $lost = $c->receipt('/f.bin');
advance(32_768);
is $c->report($lost, $root, \@spent)->{status}, 409,
    'too old to be remembered: spent';

$t->done;
