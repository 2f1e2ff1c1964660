# A node that offload_trust names with its URL is trusted there only, whatever a
# coordinator says of where it is.

use Offload::Test;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my @id = map { Offload::Test::Sync->node($_)->{id} } 0 .. 3;
$t->write("html/$_/f.bin", $t->bytes(300_000, 1)) for qw(url any both);

my $conf = <<'CONF';
%%MODULES%%
events {}
http {
    offload_zone  1m;
    offload_state %%DIR%%/state;

    server {
        listen              127.0.0.1:%%PORT%%;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_site        http://127.0.0.1:%%PORT%%;
        offload_coordinator https://tracker.example/ %%X%%;
        offload_redirect    on;
        offload_trust       %%A%%=HTTP://N1.example:80/;
        location /any/  { offload_trust %%A%%; }
        location /both/ { offload_trust %%A%%=http://n1.example %%A%%=https://n1.example %%B%%; }
        location /.well-known/offload/ { offload_endpoint; }
    }
}
CONF
my %vars = (SITE => $t->key('site')->{file}, X => $key->{x}, A => $id[1], B => $id[2]);
my $nginx = $t->nginx($conf, %vars);

# Where a request is sent, and whom the file's headers name.
sub sent {
    my $r = $t->http(GET => $nginx->url . "/$_[0]/f.bin", headers => {});
    return $r->{status} == 302 ? $r->{headers}{location} =~ s{(://[^/]+)/.*}{$1}r : '';
}
sub named {
    my $r = $t->http(GET => $nginx->url . "/$_[0]/f.bin", headers => { 'If-Range' => '"x"' });
    return join ' ', ref $r->{headers}{link} ? @{ $r->{headers}{link} } : $r->{headers}{link};
}

my $c = Offload::Test::Sync->new($t, $key, $nginx->url);
my $root = $c->root('/url/f.bin');
$c->root("/$_/f.bin") for qw(any both);
$c->start;

for ([ 'http://n1.example', 'where it is', 1, 1, 1 ],
    [ 'https://n1.example', 'by another scheme', 0, 1, 1 ],
    [ 'http://n1.example:8080', 'at another port', 0, 1, 0 ],
    [ 'http://n1.example.org', 'a longer name', 0, 1, 0 ],
    [ 'http://evil.example', 'elsewhere', 0, 1, 0 ])
{
    my ($url, $what, %is) = @$_[0, 1];
    @is{qw(url any both)} = @$_[2 .. 4];
    $c->send(nodes => [ $c->node(1, url => $url) ], contents => { $root => [ [ 1, 1 ] ] });
    $t->wait_for(sub { sent('any') eq $url }, $url, 4);
    for my $where (sort keys %is) {
        is sent($where), $is{$where} ? $url : '', "$what: /$where/";
    }
    is named('url') =~ /duplicate/ ? 1 : 0, $is{url}, "$what: Link";
}

# Others in the list are trusted as before.
$c->send(nodes => [ $c->node(2) ], contents => { $root => [ [ 1, 1 ], [ 1, 2 ] ] });
$t->wait_for(sub { sent('both') eq 'http://127.0.0.1:2002' }, 'the other one', 4);
is sent('url'), '', 'but not where they are not named';

for ([ "$id[1]=", 'invalid URL ""' ], [ "$id[1]=n1.example", 'invalid URL "n1.example"' ],
    [ "$id[1]=http://n1.example/x", 'invalid URL "http://n1.example/x"' ],
    [ "$id[1]=http://n1.example:22", 'invalid port in "http://n1.example:22"' ],
    [ 'n1=http://n1.example', 'invalid id "n1"' ], [ '=http://n1.example', 'invalid id ""' ])
{
    my ($value, $says) = @$_;
    like $t->nginx_fails($conf =~ s/offload_trust %%A%%;/offload_trust $value;/r, %vars),
        qr/\Q$says\E in "offload_trust"/, $value;
}

$t->done;
