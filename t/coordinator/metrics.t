# GET /metrics: Prometheus' text format, for the operator's networks only; the
# same from each worker, with all workers' counts.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Stranger;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis, args => [ '--workers', 2,
    '--admin-net', '127.0.0.1/32', '--trusted-proxy', '127.0.0.1/32' ]);

sub metrics {
    my $r = $t->http(GET => $c->url . '/metrics', @_);
    return ($r, $r->{status} == 200
        ? { map { /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/ ? ($1 => $2) : () }
            split /\n/, $r->{content} } : {});
}

# What the format's own rules say, line by line.
my ($r, $value);
$t->wait_for(sub { ($r, $value) = metrics(); $value->{offload_redis_up} }, 'Redis');
is $r->{status}, 200, 'metrics';
is $r->{headers}{'content-type'}, 'text/plain; version=0.0.4', 'their type';
my (%type, %help, %row, $open);
my @bad;
for my $line (split /\n/, $r->{content}, -1) {
    if ($line =~ /^# HELP ([a-z_]+) \S/) {
        push @bad, "again: $line" if $help{$1}++;
        $open = $1;
    }
    elsif ($line =~ /^# TYPE ([a-z_]+) (counter|gauge)$/) {
        my ($name, $kind) = ($1, $2);
        push @bad, "type without help: $line" if $name ne ($open // '') || $type{$name};
        push @bad, "counter's name: $line"
            if ($kind eq 'counter') != ($name =~ /_total$/);
        $type{$name} = $kind;
    }
    elsif ($line =~ /^([a-z_]+)((?:\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})?) \d+(?:\.\d+)?$/) {
        push @bad, "not with its name: $line" if $1 ne ($open // '') || !$type{$1};
        push @bad, "twice: $line" if $row{"$1$2"}++;
    }
    else { push @bad, $line if $line ne '' }
}
is_deeply \@bad, [], 'each line is as the format wants it';
ok keys %row > 15, 'there are ' . keys %row;
is substr($r->{content}, -1), "\n", 'the last line ends';

is $value->{offload_redis_aof}, 1, 'and keeps a file';
is $value->{offload_workers}, 2, 'two workers';
is $value->{'offload_nodes{state="serving"}'}, 0, 'no node yet';

my $node = Stranger->new(test => $t, coordinator => $c, name => 'n');
is $node->register->{status}, 200, 'a node registers';
is $node->heartbeat(wait => 0)->{status}, 200, 'and is heard';
my $liar = Stranger->new(test => $t, coordinator => $c, name => 'm',
    answer => sub { $_[0]{nonce} = 'x' x 22 });
is $liar->register->{status}, 403, 'another one is refused';
for ('offload_nodes{state="serving"}', 'offload_heartbeats_total',
    'offload_registrations_total{result="accepted"}',
    'offload_registrations_total{result="refused"}') {
    my $name = $_;
    is eval { $t->wait_for(sub { (metrics())[1]{$name} }, $name, 8) }, 1, $name;
}

# Whom they are for.
($r) = metrics(headers => { 'X-Forwarded-For' => '203.0.113.9' });
is $r->{status}, 403, 'not for others';
like $r->{content}, qr/--admin-net/, 'which says how to let them in';
is $t->http(GET => $c->url . '/v1/status', headers => { 'X-Forwarded-For' => '203.0.113.9' })
    ->{status}, 200, 'but the status is for everyone';
is $t->http(POST => $c->url . '/metrics', body => '')->{status}, 405, 'nothing is posted';

# Without Redis there is no answer to wait for.
$redis->stop;
my $last;
$t->wait_for(sub { (undef, $last) = metrics(); !$last->{offload_redis_up} }, 'Redis to be away');
is $last->{offload_heartbeats_total}, 1, 'what is counted here is told still';
$redis->start;
$t->wait_for(sub { (metrics())[1]{offload_redis_up} }, 'Redis to be back');
pass 'and it is told again';

$t->done;
