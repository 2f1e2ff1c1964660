# A file that becomes private, or is deleted, is soon gone everywhere; one that
# is still public stays, whatever happens to its site.

use FindBin;
use lib "$FindBin::Bin/../lib";
use Offload::Test;
use Offload::Test::System;

my $t = Offload::Test->new;
my @files = qw(/p/private.bin /deleted.bin /public.bin);
$t->write("html$files[$_]", $t->bytes(1_500_000, $_)) for 0 .. 2;
utime time - 60, time - 60, $t->path("html$_") for @files;
my $s = Offload::Test::System->new($t, nodes => 2, server => <<~'CONF' =~ s/%%DIR%%/$t->dir/er);
    location /p/ {
        set $caching "";
        if (-f %%DIR%%/private) { set $caching private; }
        add_header Cache-Control $caching;
    }
    CONF
my %root = map { $_ => $s->offloaded($_) } @files;

# What the nodes and the coordinator answer.
sub statuses {
    my ($path) = @_;
    return join ' ', map { $t->http(GET => $_)->{status} }
        (map { $_->url . "/c/$root{$path}" } $s->nodes),
        $s->coordinator->url . "/v1/content/$root{$path}/peers";
}
is statuses($_), '200 200 200', "$_ is offered" for @files;

# The site is told of both when somebody asks for them.
$t->write('private', '');
unlink $t->path('html/deleted.bin');
is $t->http(GET => $s->url($files[0]))->{status}, 200, 'private now';
# Within a second a manifest may name what has just gone.
$t->wait_for(sub { $t->http(GET => $s->url($files[1]), headers =>
    { 'Offload-Fetch' => 'manifest' })->{status} == 404 }, 'it is deleted', 5);
for (@files[0, 1]) {
    my $path = $_;
    $t->wait_for(sub { statuses($path) =~ / 404$/ },
        "the coordinator to know nothing of $path", 10);
    $t->wait_for(sub { statuses($path) eq '404 404 404' },
        "the nodes to drop $path", 40);
    pass "$path is gone everywhere";
}

# Reloaded, and down, and up again.
my @old = $s->origin->workers;
$s->origin->reload;
is statuses($files[2]), '200 200 200', 'the public one is still offered';
$s->offloaded($files[2]);
# nginx 1.22 alerts if it is ended while an old worker waits for its last answer.
$t->wait_for(sub { !grep { kill 0, $_ } @old }, 'the old workers are gone');
$s->origin->stop;
is statuses($files[2]), '200 200 200', 'while its site is away, too';
$s->origin->start;
is $s->offloaded($files[2]), $root{ $files[2] }, 'and after that';

$t->done;
