# "status" and "metrics": the same numbers for people and for Prometheus, in a
# form that a strict reader of its text format takes, and for loopback only
# unless the owner says "open".

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my ($key, $other) = map { $t->key($_) } qw(coordinator other);
$t->write("html/$_.bin", $t->bytes(300_000, $_)) for 1 .. 3;
$t->write('html/small.bin', 'x');

my %vars = (SITE => $t->key('site')->{file}, X => $key->{x}, Y => $other->{x},
    NODE => Offload::Test::Sync->node(1)->{id});
my $nginx = $t->nginx(<<'CONF', %vars);
%%MODULES%%
events {}
http {
    offload_zone     1m;
    offload_state    %%DIR%%/state;
    offload          on;
    offload_key      %%SITE%%;
    set_real_ip_from 127.0.0.1;
    real_ip_header   X-Real;
    root             %%DIR%%/html;

    server {
        listen              127.0.0.1:%%PORT%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator http://one.example %%X%%;
        offload_coordinator http://two.example %%Y%%;
        location /.well-known/offload/ { offload_endpoint; }
        location / { offload_above 1; }
        location /to/ { alias %%DIR%%/html/; offload_redirect on; offload_trust %%NODE%%; }
    }
    server {
        listen              127.0.0.1:%%PORT_1%%;
        offload_site        http://second.example;
        offload_coordinator http://one.example %%X%%;
        location /.well-known/offload/ { offload_endpoint open; }
    }
    server {
        listen              127.0.0.1:%%PORT_2%%;
        offload_site        http://second.example;
        offload_coordinator http://one.example %%X%%;
    }
}
CONF

my $at = '/.well-known/offload';
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);

# What Prometheus' own reader of the format insists on.
sub parse {
    my ($text) = @_;
    my (%families, %seen, $name);

    like $text, qr/\n\z/, 'the last line ends';
    for (split /\n/, $text) {
        if (/^# HELP ([a-z_]+) (.+)$/) {
            $name = $1;
            die "$name comes twice" if $families{$name};
            $families{$name} = { help => $2 };
        }
        elsif (/^# TYPE ([a-z_]+) (counter|gauge)$/) {
            die "type of $1 after $name" if $1 ne $name || $families{$name}{type};
            $families{$name}{type} = $2;
        }
        elsif (/^([a-z_]+)((?:\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})?) (\d+|\+Inf)$/) {
            die "$1 within $name" if $1 ne $name || !$families{$name}{type};
            die "$1$2 comes twice" if $seen{"$1$2"}++;
            $families{$name}{value}{$2} = $3;
        }
        else {
            die "no line of the format: $_";
        }
    }
    return \%families;
}

sub metrics { parse($c->get("$at/metrics")->{content}) }
sub status { $t->json($c->get("$at/status")->{content}) }

my $r = $c->get("$at/metrics");
is $r->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'type';
is $r->{headers}{'cache-control'}, 'no-store', 'not to be kept';
my $m = parse($r->{content});
for (sort keys %$m) {
    like $_, qr/^offload_/, "$_: prefix";
    is /_total$/ ? 'counter' : 'gauge', $m->{$_}{type}, "$_: its name says its type";
    like $m->{$_}{help}, qr/\.$/, "$_: a sentence";
}
my %ages = %{ $m->{offload_coordinator_sync_age_seconds}{value} };
my $site = $nginx->url;
is_deeply \%ages, { map { $_ => '+Inf' }
    qq({site="$site",coordinator="http://one.example"}),
    qq({site="$site",coordinator="http://two.example"}),
    '{site="http://second.example",coordinator="http://one.example"}' },
    'all coordinators, each once, never heard from';

my $root = $c->offer('/1.bin', [ 1, 1 ]);
$c->root("/$_.bin") for 2, 3;
my $before = status();
$m = metrics();
my %now = map { $_ => $m->{"offload_$_"}{value}{''} } qw(contents nodes direct_bytes_total
    signatures_total indexed_files_total index_queue_files);
is_deeply [ @now{qw(contents nodes indexed_files_total index_queue_files)} ],
    [ 3, 1, 3, 0 ], 'contents, nodes, indexed files, none waits';
is_deeply $m->{offload_files}{value}, { '{state="ready"}' => 3, '{state="queued"}' => 0,
    '{state="hashing"}' => 0, '{state="failed"}' => 0 }, 'files by state';
my $age = $m->{offload_coordinator_sync_age_seconds}{value};
like $age->{qq({site="$site",coordinator="http://one.example"})}, qr/^\d$/, 'heard from';
is $m->{offload_coordinator_applied_seq}{value}
    {qq({site="$site",coordinator="http://one.example"})}, $c->{seq}, 'and what';
is $age->{qq({site="$site",coordinator="http://two.example"})}, '+Inf', 'the other is not';
is $m->{offload_zone_size_bytes}{value}{''}, 1 << 20, 'the size of the zone';
ok exists $m->{offload_egress_bytes_per_second}, 'egress, as it is measured';

# What requests add: the file, a part of it, a small one.
$c->get('/1.bin');
$c->get('/1.bin', Range => 'bytes=0-999');
$c->get('/small.bin');
$t->http(HEAD => $nginx->url . '/1.bin', headers => { Host => $site =~ s{.*/}{}r });
my $after = status();
is $after->{bytes}{direct} - $before->{bytes}{direct}, 301_000, 'bytes sent from here';
cmp_ok $after->{requests}{direct}, '>', $before->{requests}{direct}, 'a request';
$t->wait_for(sub { Offload::Test::Sync::is_manifest($c->get('/1.bin',
    Accept => 'application/offload+jwt')) }, 'a manifest');
is status()->{bytes}{offloaded} - $after->{bytes}{offloaded}, 300_000, 'bytes offloaded';
$c->root('/to/1.bin');
$before = status()->{bytes}{offloaded};
sub redirected { $t->http($_[0] => $nginx->url . '/to/1.bin',
    headers => { Host => $site =~ s{.*/}{}r, Range => $_[1] })->{status} }
is join(' ', redirected('HEAD', 'bytes=0-'), redirected('GET', 'bytes=5-999')), '302 302',
    'redirects';
is status()->{bytes}{offloaded} - $before, 995, 'count for what is fetched by them';
is status()->{bytes}{direct} % 1000, $after->{bytes}{direct} % 1000,
    'a manifest is none of them';

# Both say the same.
my $s = status();
$m = metrics();
is_deeply { map { s/.*="(.*)".*/$1/r => $m->{offload_requests_total}{value}{$_} }
    keys %{ $m->{offload_requests_total}{value} } }, $s->{requests}, 'requests';
is $m->{"offload_${_}_bytes_total"}{value}{''}, $s->{bytes}{$_}, "bytes $_"
    for qw(direct pulled offloaded confirmed);
is $m->{offload_reports_total}{value}{qq({result="$_"})}, $s->{reports}{$_}, "reports $_"
    for qw(accepted refused);
is $m->{offload_signatures_total}{value}{''}, $s->{signatures}, 'signatures';
is $m->{offload_zone_free_bytes}{value}{''}, $s->{zone}{free}, 'free memory';
is_deeply [ map { "$_->{site} $_->{url}" } @{ $s->{coordinators} } ], [
    "$site http://one.example", "$site http://two.example",
    'http://second.example http://one.example' ], 'coordinators';

# Who may see them.
for my $name (qw(status metrics)) {
    for ([ 0, '192.0.2.1', 403 ], [ 0, '127.0.0.9', 200 ], [ 0, '::1', 200 ],
        [ 0, '::ffff:127.0.0.1', 200 ], [ 0, '::ffff:192.0.2.1', 403 ],
        [ 1, '192.0.2.1', 200 ])
    {
        my ($server, $from, $want) = @$_;
        is $t->http(GET => $nginx->url($server) . "$at/$name",
            headers => { 'X-Real' => $from })->{status}, $want,
            "$name from $from" . ($server ? ', open' : '');
    }
    is $t->http(POST => $nginx->url . "$at/$name", body => 'x' x 9999)->{status}, 405,
        "$name: no POST";
    my $head = $t->http(HEAD => $nginx->url . "$at/$name");
    is "$head->{status} $head->{content}", '200 ', "$name: HEAD";
}

# They last over a reload; a full zone says what it let go of.
$nginx->reload;
is status()->{hashed}, 3, 'kept over a reload';
for my $n (1 .. 40) {
    last if metrics()->{offload_zone_evictions_total}{value}{''};
    $c->start(nodes => [ map { $c->node(100 * $n + $_, zone => 'z' x 60) } 0 .. 60 ],
        contents => { map { sprintf('%060x%04x', $n, $_) => [ map { [ 1, 100 * $n + $_ ] } 0 .. 23 ] }
            1 .. 60 });
}
cmp_ok status()->{zone}{evictions}, '>', 0, 'evictions';

$t->done;
