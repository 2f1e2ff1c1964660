# A file that was offered, with nodes that have it, and then is not for
# everyone any more: from the reload on, before anyone asks for it again, no
# channel gives anything of it; and one private answer is enough, too.

use Offload::Test;
use Offload::Test::Secret;
use Offload::Test::Sync;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my @ways = (
    [ basic    => 'auth_basic x;', user => 1 ],
    [ request  => 'auth_request /no;', gone => 0 ],
    [ deny     => 'deny all;' ],
    [ allow    => 'allow 127.0.0.0/8; deny all;' ],
    [ off      => 'offload off;' ],
    [ internal => 'internal;' ],
    [ control  => 'add_header Cache-Control private;' ],
    [ cookie   => 'add_header Set-Cookie a=b;' ],
    [ proxy    => 'proxy_pass http://127.0.0.1:%%PORT_1%%;' ],
    [ rewrite  => 'rewrite ^ /deny/f.bin break;' ],
    [ refused  => 'if ($http_x_friend = "") { return 403; }', friend => 1 ],
    [ bypass   => 'offload_bypass 1;' ],
    [ gone     => 'return 404;' ],
    [ length   => 'offload_min_length 1g;' ],
    [ types    => 'offload_types image/png;' ],
    [ sub      => 'sub_filter x y; sub_filter_types *;' ],
);
my %bytes;
for (map { $_->[0] } @ways, [ 'answer' ], [ 'open' ]) {
    # One with a table that is apart.
    my $size = /basic/ ? 33 * 262_144 : 300_000;
    $t->write("html/$_/secret-$_.bin", $bytes{$_} = $t->bytes($size, $_));
}
$t->write('passwd', "u:{PLAIN}p\n");

my $conf = <<'CONF';
%%MODULES%%
events {}
http {
    offload_zone  2m;
    offload_state %%DIR%%/state;
    map $http_private $control { default ""; yes private; }

    server {
        listen              127.0.0.1:%%PORT%%;
        server_name         127.0.0.1;
        root                %%DIR%%/html;
        offload             on;
        offload_key         %%SITE%%;
        offload_coordinator http://127.0.0.1:9999 %%X%%;
        auth_basic_user_file %%DIR%%/passwd;
        location = /no { return 401; }

        location /.well-known/offload/ { offload_endpoint; }
        location /answer/ { add_header Cache-Control $control; }
        # ways
    }
    server { listen 127.0.0.1:%%PORT_1%%; root %%DIR%%/html; }
}
CONF
my $nginx = $t->nginx($conf, SITE => $t->key('site')->{file}, X => $key->{x});
my $c = Offload::Test::Sync->new($t, $key, $nginx->url);

my (@secrets, %root);
for (@ways, [ 'answer' ]) {
    my ($name, undef, %o) = @$_;
    my $s = Offload::Test::Secret->new($t, $c, "/$name/secret-$name.bin",
        $bytes{$name}, offered => 1,
        pass => $o{user} ? { Authorization => 'Basic dTpw' }
            : $o{friend} ? { 'X-Friend' => 'yes' } : {});
    $root{$name} = $c->root($s->{path});
    is $root{$name}, $s->root, "$name: offered";
    push @secrets, $s;
}
$c->start(nodes => [ $c->node(1) ],
    contents => { map { $_ => [ [ 1, 1 ] ] } values %root });
my @given = grep { Offload::Test::Sync::is_manifest($c->get($_->{path},
    Accept => 'application/offload+jwt')) } @secrets;
is @given, @secrets, 'manifests with a node in them';
my @tables = grep { $c->get("/.well-known/offload/pieces/$_")->{status} == 200 }
    values %root;
is @tables, keys %root, 'and tables';

# By the answer to one request, without a reload.
my $answer = pop @secrets;
$c->get($answer->{path}, Private => 'yes');
$answer->{pass} = { Private => 'yes' };
$answer->kept('a private answer');

# By a reload.
my $lines = join "\n", map { "location /$_->[0]/ { $_->[1] }" } @ways;
$nginx->reload($nginx->conf =~ s/# ways/$lines/r);
for my $s (@secrets) {
    my ($name) = $s->{path} =~ m{^/(\w+)};
    $s->closed("$name, nobody has asked for it");
}
$c->root('/open/secret-open.bin');
for my $s (@secrets) {
    my ($name) = $s->{path} =~ m{^/(\w+)};
    $s->asked;
    $s->closed("$name, after it was asked for");
}

# What was answered to anyone at all tells that it went.
for my $s (grep { $_->{path} =~ /control|cookie|allow|basic|refused/ } @secrets) {
    $s->kept("$s->{path} is gone");
}

$t->done;
