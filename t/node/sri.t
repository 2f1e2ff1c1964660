# A script that its site signed for browsers goes out with that signature: whole,
# under that very name, as long as it lasts.  A node that has none, or an old
# one, fetches the manifest again when a browser asks for it.

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use Offload::Test;
use Scripted;

use MIME::Base64 qw(encode_base64 encode_base64url decode_base64 decode_base64url);

my $t = Offload::Test->new;
my $s = Scripted->new($t);
my $other = $t->key('other');
my $node = $t->node(coordinator => $s->coordinator);
my @signed = qw(unencoded-digest signature-input signature);

# What the site says of a script, signed by t/unit/sri.c.
sub sri {
    my ($c, $name, $life, $key) = (@_[ 0 .. 2 ], $_[3] // $s->key);
    my $now = time;
    $name =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ge;
    my $r = $t->run(Offload::Test::build() . '/t/sri', $key->{file}, "/c/$c->{root}/$name",
        $c->{bytes}, $now, $now + $life);
    my ($sig) = $r->{out} =~ /^sig1=:(\S+):$/m or die $r->{err};
    return { name => $name, key => $key->{x}, created => $now, expires => $now + $life,
        signature => encode_base64url(decode_base64($sig)) };
}

sub script {
    my ($name, $life, %o) = @_;
    my @args = ("/$name", join('', map { "$name($_);\n" } 1 .. 100), type => $o{type}
        // 'text/javascript');
    my $c = $s->content(@args);
    return $s->content(@args, content => { sri => sri($c, $name, $life, $o{key}) }) if $life;
    return $c;
}

sub get {
    my ($path, %headers) = @_;
    return $t->http(GET => $node->url . $path, headers => \%headers);
}

sub id { encode_base64(decode_base64url((shift // $s->key)->{x}), '') }

sub asking {
    ('Accept-Signature' => 'sig0=("unencoded-digest";sf);keyid="' . id(@_)
        . '";tag="ed25519-integrity"');
}

sub verifies {
    my ($path, $r, $key) = @_;
    return !$t->run('/usr/bin/python3', 't/interop/sri.py', id($key), $path,
        @{ $r->{headers} }{@signed})->{status};
}

sub unsigned {
    my ($r, $what) = @_;
    is_deeply [ grep { defined $r->{headers}{$_} } @signed ], [], $what;
}

my $app = script('app.js', 604800);
my $style = script('a+b.css', 604800, type => 'text/css; charset=utf-8');
my $late = script('late.js', 0);
my $plain = script('plain.html', 604800, type => 'text/html');
my $old = script('old.js', 302000);
my $short = script('short.js', 604800);
$s->assign($_, $node) for $app, $style, $late, $plain, $old, $short;
$s->wait_complete($_, $node) for $app, $style, $late, $plain, $old, $short;

my $path = "/c/$app->{root}/app.js";
my $r = get("$path?e=1&s=x");
ok $r->{status} == 200 && $r->{content} eq $app->{bytes}, 'the script';
ok verifies($path, $r), 'its signature verifies, for this path';
is $r->{headers}{'content-type'}, 'text/javascript', 'as a browser takes it';
is $r->{headers}{'access-control-allow-origin'}, '*', 'for pages of any origin';
my $head = $t->http(HEAD => $node->url . $path);
is $head->{headers}{$_}, $r->{headers}{$_}, "HEAD: $_" for @signed, 'content-type';

for ([ "/c/$app->{root}" ], ["/c/$app->{root}/"], ["/c/$app->{root}/other.js"],
    ["/c/$app->{root}/%61pp.js"], [ $path, Range => 'bytes=0-9' ]) {
    $r = get(@$_);
    unsigned($r, "none: @$_");
    is $r->{headers}{'content-type'}, 'application/octet-stream', 'and no script';
}

$path = "/c/$style->{root}/a%2Bb.css";
$r = get($path);
ok verifies($path, $r), 'a style, whose name has an escape';
is $r->{headers}{'content-type'}, 'text/css; charset=utf-8', 'its type';
$r = get("/c/$plain->{root}/plain.html");
unsigned($r, 'a page: none, whatever its site says');
is $r->{headers}{'content-type'}, 'application/octet-stream', 'and not as a page';

# Signed once the node has it: the first who asks has it fetched.
sub fetched {
    my ($name) = @_;
    return scalar grep { m{^/\S*manifests/\Q$name\E\.jwt } } split /\n/,
        $t->read("$s->{dir}/access.log");
}
script('late.js', 604800);
$path = "/c/$late->{root}/late.js";
my $times = fetched('late.js');
ok $times, 'its manifest was fetched before';
unsigned(get($path), 'taken before it was signed: none');
unsigned(get("/c/$late->{root}", asking), 'none without a name');
is fetched('late.js'), $times, 'nobody asked for one';
unsigned(get($path, asking), 'a browser asks, and gets none yet');
$t->wait_for(sub { get($path)->{headers}{signature} }, 'a signature');
ok verifies($path, get($path)), 'the next one gets it';
is fetched('late.js'), ++$times, 'it was fetched';

# The site signs by another key now: asked for that, once a minute at most.
script('late.js', 604800, key => $other);
get($path, asking($other)) for 1 .. 3;
is fetched('late.js'), $times, 'not again within a minute';
script('short.js', 5, key => $other);
$path = "/c/$short->{root}/short.js";
get($path, asking);
is fetched('short.js'), 1, 'not if it is there';
get($path, asking($other));
$t->wait_for(sub { verifies($path, get($path), $other) }, 'one by the other key');
$t->wait_for(sub { !get($path)->{headers}{signature} }, 'none once it has expired');
is get($path)->{headers}{'content-type'}, 'application/octet-stream', 'nor a script any more';

# Half of its life is over.
script('old.js', 604800);
$path = "/c/$old->{root}/old.js";
my $first = get($path, asking)->{headers}{signature};
ok $first, 'an old one is good still';
$t->wait_for(sub { get($path)->{headers}{signature} ne $first }, 'a newer one');
pass 'and is renewed';

$node->stop;
$node->start;
$path = "/c/$app->{root}/app.js";
$t->wait_for(sub { get($path)->{status} == 200 }, 'the content again');
ok verifies($path, get($path)), 'kept over a restart';

$t->done;
