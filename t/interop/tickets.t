# Nodes that require tickets: links, .meta4 and redirects have one.  A torrent
# has none, since it is kept for longer: its clients go by the site, which here
# redirects them.

use Offload::Test;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mirrors;

my $t = Offload::Test->new;
my $m = Mirrors->new($t, node_args => [ (['--require-tickets']) x 2 ]);
my $url = $m->url('/f.bin');

my ($node) = $m->nodes;
is $t->http(GET => $node->url . "/c/$m->{root}/f.bin")->{status}, 403,
    'a node refuses who has no ticket';

sub get {
    my ($file, @cmd) = @_;

    my $dir = $t->path('out-' . $t->next('out'));
    mkdir $dir;
    my $r = $t->run({ timeout => 60, dir => $dir }, @cmd);
    return [ $r->{status}, -e "$dir/$file"
        && $t->read("$dir/$file") eq $m->bytes ];
}

my @aria2 = qw(aria2c -q --no-conf -k1M -s8 -x4 --follow-metalink=mem
    --follow-torrent=mem --enable-dht=false --enable-dht6=false
    --bt-enable-lpd=false --enable-peer-exchange=false --seed-time=0
    --bt-exclude-tracker=*);

is_deeply get('f.bin', qw(curl -sSfLO), $url), [ 0, 1 ], 'curl, redirected';
is $m->sent->{origin}, 0, 'to a node';
is_deeply get('f.bin', @aria2, $url), [ 0, 1 ], 'aria2, by links';
is $m->sent->{origin}, 0, 'from nodes';
is_deeply get('f.bin', @aria2, $m->place('meta4')), [ 0, 1 ],
    'aria2, by .meta4';
cmp_ok $m->sent->{origin}, '<', length $m->bytes, 'with nodes';
is_deeply get('f.bin', qw(timeout 30 wget2 -q --no-config --no-hsts --tries=1),
    $url), [ 0, 1 ], 'wget2, by links';
is $m->sent->{origin}, 0, 'from nodes';
is_deeply get('f.bin', qw(timeout 30 wget2 -q --no-config --no-hsts --tries=1),
    $m->place('meta4')), [ 0, 1 ], 'wget2, by .meta4: no "&" to spoil';
is $m->sent->{origin}, 0, 'from nodes';
is_deeply get('f.bin', @aria2, $m->place('torrent')), [ 0, 1 ],
    'aria2, by .torrent';
is $m->sent->{origin}, 0, 'sent on by the site, with a ticket';

$t->done;
