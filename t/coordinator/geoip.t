# A node's zone is the country of the address that was really called, by the
# operator's database, whatever the node says; the database is opened again
# when it is another one.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Offload::Test::Mmdb;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;

my $r = $t->run($t->build . '/offload-coordinator', '--listen',
    '127.0.0.1:' . $t->port, '--redis', $redis->url, '--key',
    $t->path('bad.pem'), '--geoip', $t->write('bad.mmdb', 'no database'));
is $r->{status}, 1, 'no start without the database';
like $r->{err}, qr/bad\.mmdb: .*(?:invalid|corrupt)/i, 'it says why';

my $path = Offload::Test::Mmdb::write($t, 'geo.mmdb',
    '127.0.0.40/31' => 'DE', '127.0.0.42/31' => 'lower');
my $c = $t->coordinator(redis => $redis, args => [ '--geoip', $path ]);
my %n = map { $_ => Stranger->new(test => $t, coordinator => $c, name => "n$_",
    host => "127.0.0.$_") } 41, 42, 44;

sub zone {
    my ($host) = @_;
    is $n{$host}->register(zone => 'SAID')->{status}, 200, "$host registers";
    return $t->json($t->http(GET => $c->url . '/v1/nodes/' . $n{$host}->id)
        ->{content})->{zone};
}

is zone(41), 'DE', 'the database decides';
is zone(42), 'SAID', 'what is no country does not count';
is zone(44), 'SAID', 'where it knows nothing, the node says';

Offload::Test::Mmdb::write($t, 'new.mmdb', '127.0.0.41/32' => 'FR',
    '127.0.0.44/32' => 'SE');
rename $t->path('new.mmdb'), $path or die $!;
$t->wait_for(sub { $c->log =~ /geo\.mmdb is read again/ }, 'the new one');
is zone(41), 'FR', 'another one is read';
is zone(44), 'SE', 'all of it';

$t->write('new.mmdb', 'no database');
rename $t->path('new.mmdb'), $path or die $!;
$t->wait_for(sub { $c->log =~ /geo\.mmdb: .*still counts/ }, 'a broken one');
is zone(41), 'FR', 'a broken one changes nothing';

$t->done;
