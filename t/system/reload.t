# nginx -s reload under load: no request fails, and what was known stays known.

use Offload::Test;
use Offload::Test::Load;
use Offload::Test::System;

use constant RELOADS => 5;

my $t = Offload::Test->new;
my $bytes = $t->bytes(600_000, 5);
$t->write('html/f.bin', $bytes);
my $s = Offload::Test::System->new($t, nodes => 1);
$s->offloaded('/f.bin');

my $load = Offload::Test::Load->new($t, clients => 3, url => $s->url('/f.bin'),
    content => $bytes);
$load->more(50);
for (1 .. RELOADS) {
    $s->origin->reload;
    # The origin looks at the file once under each configuration.
    $t->http(GET => $s->url('/f.bin'));
    is scalar($s->manifest_peers('/f.bin')), 1,
        'the manifest is at hand at once, with its node';
    $load->more(50);
}
my @failed = $load->stop;
is "@failed[0 .. ($#failed < 4 ? $#failed : 4)]", '',
    'none of ' . $load->requests . ' requests failed';

$t->done;
