# Transmission, with nothing but the web seeds of a .torrent: no DHT, no peers.
# It takes no wrong byte, but asks a seed that lies for as long as that answers.

use Offload::Test;
use FindBin;
use lib "$FindBin::Bin/lib";
use Mirrors;

my $t = Offload::Test->new;
my $m = Mirrors->new($t);

sub start {
    my ($url) = @_;

    my $dir = $t->path('out-' . $t->next('out'));
    $t->write("$dir/f.torrent", $t->http(GET => $url)->{content});
    $t->write("$dir/config/settings.json", <<'JSON');
{ "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false,
  "utp-enabled": false, "port-forwarding-enabled": false,
  "bind-address-ipv4": "127.0.0.1", "rpc-enabled": false }
JSON
    $t->write("$dir/done", "#!/bin/sh\ntouch '$dir/finished'\n");
    chmod 0755, "$dir/done";
    my $p = $t->spawn(qw(transmission-cli -g), "$dir/config", '-w', $dir,
        '-p', $t->port, '-f', "$dir/done", "$dir/f.torrent");
    return ($p, $dir);
}

# Whether the file that comes is right.
sub finish {
    my ($p, $dir) = @_;

    $t->wait_for(sub { -e "$dir/finished" }, 'Transmission is done', 60);
    $p->kill;
    return $t->read("$dir/f.bin") eq $m->bytes;
}

sub get { finish(start(@_)) }

ok get($m->place('torrent')), 'good nodes: the file';
cmp_ok $m->sent->{origin}, '<', length $m->bytes, 'nodes sent of it';

$m->first('dead');
ok get($m->place('torrent')), 'a dead node first: the file';

$m->first('wrong');
my ($p, $dir) = start($m->place('torrent'));
$t->wait_for(sub {
    -e $p->{log} && 5 < (() = $t->read($p->{log}) =~ /failed its checksum/g);
}, 'Transmission has refused some pieces', 30);
# It has the name once it is whole, which the other seeds may have made it.
ok !-e "$dir/f.bin" || $t->read("$dir/f.bin") eq $m->bytes,
    'a lying node first: no wrong byte is taken';
$m->liar->stop;
ok finish($p, $dir), 'and once that is gone: the file';
$m->liar->start;

ok get($m->alone('torrent')), 'no node: the file';
is $m->sent->{origin}, length $m->bytes, 'from the site';

$t->done;
