# Addresses that are not public are not fetched from, unless allowed; URLs
# from the node's own command line are.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my $c = $s->content('/f.bin', $t->bytes(300_000, 1));

sub node_with {
    my @args = @_;
    my $address = '127.0.0.21:' . $t->port;
    my $name = 'guarded-' . $t->next('guarded');
    my $dir = $t->path($name);

    my $p = $t->spawn(Offload::Test::build() . '/offload-node', '--listen',
        $address, '--url', "http://$address", '--storage', $dir,
        '--coordinator', $s->coordinator, @args);
    $t->wait_for(sub { $p->log =~ /registered as node/ }, 'registration');
    my $id = $t->public_key("$dir/node.pem")->{id};
    return ($p, bless { id => $id, url => "http://$address" }, 'Named');
}

package Named { sub id { $_[0]{id} } sub url { $_[0]{url} } }

my ($strict, $named) = node_with();
pass 'its coordinator may be anywhere';
$s->assign($c, $named);
$t->wait_for(sub { $strict->log =~ /not taken: .*address 127\.0\.0\.1 is not public/ },
    'a word on the address');
ok !$s->held($named, $c), 'a site on this machine is not asked';
is $s->egress('/f.bin'), 0, 'nothing was fetched';

my ($other, $named2) = node_with('--allow-net', '10.0.0.0/8');
$s->assign($c, $named2);
$t->wait_for(sub { $other->log =~ /is not public/ }, 'a word on the address');
pass 'nor with another network allowed';

my ($open, $named3) = node_with('--allow-net', '127.0.0.1');
$s->assign($c, $named3);
$s->wait_complete($c, $named3);
pass 'with its address allowed it is';

$t->done;
