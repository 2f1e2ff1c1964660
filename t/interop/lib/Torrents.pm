# Real BitTorrent clients that have a .torrent and a tracker to find each other
# by, and nothing else: no DHT, no exchange of peers, no local discovery, no web
# seeds.
#
#   my $torrent = Torrents::with_tracker($bytes, 'udp://…/announce');
#   my %o = (torrent => $torrent, name => 'f.bin', protocol => 'udp');
#   my $p = Torrents::start($t, 'aria2', %o, address => '127.0.0.31',
#       file => $bytes);                              # seeds it
#   my $q = Torrents::start($t, 'rtorrent', %o, address => '::1'); # fetches it
#   Torrents::has($t, $q, $bytes)                     # whether it has all
#   Torrents::quit($p)                                # all but Transmission
#                                                     # tell the tracker then
#
# Owns: how each client is told to be that, and to use one address.

package Torrents;

use strict;
use warnings;

use Digest::SHA qw(sha1_hex);

my %START = (
    transmission => \&_transmission,
    qbittorrent  => \&_qbittorrent,
    aria2        => \&_aria2,
    rtorrent     => \&_rtorrent,
);

# The site's .torrent is sorted: `info` comes last but for the web seeds.
sub info {
    my ($torrent) = @_;

    my $from = index $torrent, '4:infod';
    my $to = rindex $torrent, '8:url-listl';
    die "no info in this .torrent\n" if $from < 0 || $to < $from;
    return substr $torrent, $from + 6, $to - $from - 6;
}

sub infohash { sha1_hex(info($_[0])) }

# The same content, whose only source is a tracker.
sub with_tracker {
    my ($torrent, $url) = @_;
    return 'd8:announce' . length($url) . ":${url}4:info" . info($torrent)
        . 'e';
}

# torrent => bytes, name, protocol of its tracker, address, file => the bytes if
# it is to seed
sub start {
    my ($t, $client, %o) = @_;

    my $dir = $t->path("$client-" . $t->next($client));
    my %c = (%o, t => $t, dir => $dir, port => $t->port,
        v6 => scalar($o{address} =~ /:/), torrent => "$dir/it.torrent");
    $t->write("$dir/it.torrent", $o{torrent});
    $t->write("$dir/$o{name}", $o{file}) if defined $o{file};
    my $p = $t->spawn($START{$client}->(%c));
    $p->{got} = "$dir/$o{name}";
    $p->{quit} = $client eq 'aria2' ? 'INT' : 'TERM';
    return $p;
}

sub has {
    my ($t, $p, $bytes) = @_;
    return -e $p->{got} && -s _ == length $bytes
        && $t->read($p->{got}) eq $bytes;
}

sub quit { $_[0]->signal($_[0]{quit}) }

sub _transmission {
    my (%c) = @_;

    my $v4 = $c{v6} ? '0.0.0.0' : $c{address};
    my $v6 = $c{v6} ? $c{address} : '::1';
    $c{t}->write("$c{dir}/config/settings.json", <<"JSON");
{ "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false,
  "utp-enabled": false, "port-forwarding-enabled": false,
  "bind-address-ipv4": "$v4", "bind-address-ipv6": "$v6",
  "rpc-enabled": false }
JSON
    return (qw(transmission-cli -v -g), "$c{dir}/config", '-w', $c{dir}, '-p',
        $c{port}, $c{torrent});
}

sub _qbittorrent {
    my (%c) = @_;

    $c{t}->write("$c{dir}/profile/qBittorrent/config/qBittorrent.conf", <<"INI");
[LegalNotice]
Accepted=true
[BitTorrent]
Session\\DHTEnabled=false
Session\\LSDEnabled=false
Session\\PeXEnabled=false
Session\\BTProtocol=TCP
Session\\Interface=lo
Session\\InterfaceName=lo
Session\\InterfaceAddress=$c{address}
Session\\AddExtensionToIncompleteFiles=true
[Preferences]
Connection\\UPnP=false
WebUI\\Address=127.0.0.1
INI
    return ('qbittorrent-nox', "--profile=$c{dir}/profile",
        '--webui-port=' . $c{t}->port, "--torrenting-port=$c{port}",
        "--save-path=$c{dir}", $c{torrent});
}

# It asks UDP trackers by the socket of its DHT, which knows no node to ask.
sub _aria2 {
    my (%c) = @_;

    return (qw(aria2c --no-conf --console-log-level=info --check-integrity
        --bt-enable-lpd=false --enable-peer-exchange=false --seed-ratio=0
        --enable-dht6=false), '--enable-dht=' . ($c{protocol} eq 'udp' ? 'true' : 'false'),
        "--dht-file-path=$c{dir}/dht", "--dht-listen-port=$c{port}",
        "--listen-port=$c{port}", "--interface=$c{address}", "--dir=$c{dir}",
        $c{torrent});
}

sub _rtorrent {
    my (%c) = @_;

    my $bind = $c{v6} ? '' : "network.bind_address.set = $c{address}\n";
    mkdir "$c{dir}/session";
    $c{t}->write("$c{dir}/rc", <<"RC");
system.daemon.set = true
session.path.set = $c{dir}/session
directory.default.set = $c{dir}
${bind}network.port_range.set = $c{port}-$c{port}
network.port_random.set = no
dht.mode.set = disable
protocol.pex.set = no
trackers.use_udp.set = yes
pieces.hash.on_completion.set = no
load.start = $c{torrent}
RC
    return ('rtorrent', '-n', '-o', "import=$c{dir}/rc");
}

1;
