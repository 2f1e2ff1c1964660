# offload_sri in a real browser: a page whose scripts and styles name the site's
# key has them from the site, then from a node; what a node has changed is
# refused, and the page has the right one from the site.

use Offload::Test;
use Offload::Test::System;

use Digest::SHA qw(sha256);
use MIME::Base64 qw(encode_base64 decode_base64url);

my $t = Offload::Test->new;
my $padding = '/* ' . 'x' x 2000 . " */\n";
my %file = (
    'app.js' => $padding . "tell('app ran');\n",
    'old.js' => $padding . "tell('old ran');\n",
    'page.css' => $padding . "#told { color: rgb(1, 2, 3) }\n",
);
$t->write("html/$_", $file{$_}) for keys %file;
my $s = Offload::Test::System->new($t, nodes => 0, server =>
    'offload_sri on; offload_min_length 1k; access_log ' . $t->path('seen.log') . ';');
my $key = encode_base64(decode_base64url($s->{key}{x}), '');

sub hash { 'sha256-' . encode_base64(sha256($file{ $_[0] }), '') }

# As doc/how-to.md has it.  old.js is for all browsers; the others, without a
# hash, show that the signature alone decides.
$t->write('html/page.html', <<"PAGE");
<!doctype html>
<p id="told"></p>
<script>
function tell(what) { told.append(what + '; '); }
function reload(failed) {
    const from = failed.tagName == 'LINK' ? 'href' : 'src';
    const url = new URL(failed[from]);
    const again = document.createElement(failed.tagName);
    tell(url.pathname + ' refused');
    url.searchParams.set('again', '1');
    again.crossOrigin = 'anonymous';
    again.integrity = failed.integrity.replace(/ed25519-\\S+/g, '');
    if (from == 'href') again.rel = failed.rel;
    again[from] = url;
    failed.after(again);
}
</script>
<link rel="stylesheet" crossorigin onerror="reload(this)" href="/page.css"
    integrity="ed25519-$key">
<script crossorigin onerror="reload(this)" src="/app.js"
    integrity="ed25519-$key"></script>
<script crossorigin onerror="reload(this)" src="/old.js"
    integrity="@{[ hash('old.js') ]} ed25519-$key"></script>
<script>
onload = () => tell('color ' + getComputedStyle(told).color);
</script>
PAGE

# What the page tells, and what the site was asked for: "200 app.js", ...
sub browse {
    my $seen = -e $t->path('seen.log') ? length $t->read('seen.log') : 0;
    my $r = $t->run('chromium', qw(--headless --no-sandbox --disable-gpu --disable-quic
        --no-first-run --disable-background-networking --disable-component-update
        --disable-sync), '--user-data-dir=' . $t->path('profile-' . $t->next('profile')),
        '--dump-dom', $s->url('/page.html'));
    my ($told) = $r->{out} =~ m{<p id="told">(.*?)</p>}s or diag $r->{err};
    # What the browser was given; an audit asks for a manifest, like a client.
    my $log = join "\n", grep { m{"Mozilla/} }
        split /\n/, substr $t->read('seen.log'), $seen;
    return ($told // '', join ' ', sort map { "$_->[1] $_->[0]" }
        grep { $file{ $_->[0] } } map { m{"GET /([^ ?]+)\S* [^"]*" (\d+)} ? [ $1, $2 ] : () }
        split /\n/, $log);
}

sub all { join ' ', map { "$_[0] $_" } sort keys %file }

my %root = map { $_ => $s->root_of("/$_") } keys %file;
my ($told, $asked) = browse();
is $told, 'app ran; old ran; color rgb(1, 2, 3); ', 'from the site: all is well';
is $asked, all(200), 'the site gave it';

$s->add_node;
my ($node) = $s->nodes;
$s->offloaded("/$_") for keys %file;
($told, $asked) = browse();
is $told, 'app ran; old ran; color rgb(1, 2, 3); ', 'from a node: all is well';
is $asked, all(302), 'the site gave none of it';

# The node keeps to what it has checked, so its own disk is what deceives it.
for (keys %file) {
    my $data = $s->stored($node, $root{$_});
    open my $f, '+<', $data or die "$data: $!\n";
    print $f 'tell("evil");';
    close $f;
}
my $evil = $t->http(GET => $node->url . "/c/$root{'app.js'}/app.js");
like $evil->{content}, qr/^tell\("evil"\);/, 'a node that gives something else';
ok $evil->{headers}{signature}, 'with the signature of what it should be';
($told, $asked) = browse();
unlike $told, qr/evil/, 'is not believed';
is_deeply [ sort grep { /refused/ } split /; /, $told ],
    [ map { "/$_ refused" } sort keys %file ], 'each is refused';
is_deeply [ sort grep { !/refused/ } split /; /, $told ],
    [ 'app ran', 'color rgb(1, 2, 3)', 'old ran' ], 'and the site helps out';
is $asked, join(' ', sort map { ("302 $_", "200 $_") } keys %file), 'and gives all of it then';

# Nobody has noticed yet that it is gone.
$node->kill;
($told, $asked) = browse();
is_deeply [ sort grep { !/refused/ } split /; /, $told ],
    [ 'app ran', 'color rgb(1, 2, 3)', 'old ran' ], 'a dead node: the site helps out';
is $asked, join(' ', sort map { ("302 $_", "200 $_") } keys %file), 'after a redirect';

$t->done;
