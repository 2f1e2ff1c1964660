# The status page in a real browser, of a real site with real nodes: without
# JavaScript the numbers are there, with it they follow; on a phone's screen
# nothing is cut off; light and dark can be read.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;
use Offload::Test::Browser;
use Origin;

my $t = Offload::Test->new;
my $redis = $t->redis;
my $c = $t->coordinator(redis => $redis);
my @node_args = ('--zone', 'DE', '--rate', '50M', '--size', '1G');
my @nodes = map { $t->node(coordinator => $c, args => \@node_args) } 1 .. 2;
my $origin = Origin->new($t, $c);
$origin->join;
$origin->file('a-file-with-a-rather-long-name-as-images-of-disks-have-it.iso', $t->bytes(1_000_000, 1));
$origin->wait_peers('a-file-with-a-rather-long-name-as-images-of-disks-have-it.iso', \@nodes);

my $browser = $t->add(sub { Offload::Test::Browser->new(test => $t) });

# Without JavaScript.
my $plain = $browser->open($c->url . '/', script => 0);
is_deeply [ $plain->texts('#state') ], ['All is well'], 'without JavaScript: all is well';
is_deeply [ sort map { /^(\S+)/ } $plain->texts('#nodes th') ], [ sort map { $_->url } @nodes ],
    'the nodes';
is_deeply [ $plain->texts('#sites th') ], [ $origin->url ], 'the site';
is_deeply [ map { ($plain->texts("#$_"))[0] } qw(alive site-total) ], [ '2 of 2', 1 ],
    'how many there are';
ok scalar($plain->texts('noscript')), 'and how to see newer numbers';

# With it: what happens is seen without a reload.
my $live = $browser->open($c->url . '/');
$t->wait_for(sub { ($live->texts('#state'))[0] =~ /live/ }, 'the script');
$live->eval('window.mark = 1');
push @nodes, $t->node(coordinator => $c, args => \@node_args);
$t->wait_for(sub { ($live->texts('#alive'))[0] eq '3 of 3' }, 'a new node', 30);
is_deeply [ sort map { /^(\S+)/ } $live->texts('#nodes th') ], [ sort map { $_->url } @nodes ],
    'with JavaScript: a node that comes is seen';
is $live->eval('window.mark'), 1, 'without a reload';

# The server and the script write the same: all but times.
my $words = q{(root => [...root.querySelectorAll('main *')].filter(e => !e.closest('noscript'))
    .map(e => e.tagName + '|' + [...e.attributes].map(a => a.name + '=' + a.value).sort()
        .filter(a => !/^id=|^value=/.test(a)).join('|') + '|'
        + (e.children.length ? '' : e.textContent))
    .filter(e => !/ (?:s|min) ago$|[kM]B, no limit$|\d s$/.test(e)))};
$plain->go($c->url . '/');
is_deeply $live->eval("$words(document)"), $plain->eval("$words(document)"),
    'the script writes what the server does';

# On any screen.
mkdir $t->path('pictures');
for my $width (375, 1280) {
    for my $dark (0, 1) {
        my $name = "$width-" . ($dark ? 'dark' : 'light');
        my $view = $browser->open($c->url . '/', width => $width, height => 812, dark => $dark);
        is $view->eval('document.documentElement.scrollWidth'), $width, "$name: nothing sticks out";
        my $worst = $view->eval(contrast());
        cmp_ok $worst, '>=', 4.5, "$name: the least contrast of text is $worst";
        is_deeply [ $view->complaints ], [], "$name: no complaints";
        $t->write("pictures/$name.png", $view->picture);
        like $t->read("pictures/$name.png"), qr/^\x89PNG/, "$name: a picture";
    }
}

# Gone: the page says so by itself.
$live->call('Page.bringToFront');
$c->stop;
$t->wait_for(sub { ($live->texts('#state'))[0] =~ /does not answer/ }, 'the page to notice');
pass 'the page notices when the coordinator is gone';

# The least contrast (WCAG 2) of any text with what is behind it.
sub contrast {
    return <<'JS';
(() => {
    const luminance = (c) => {
        const [r, g, b] = c.map((v) => v / 255)
            .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const colour = (text) => text.match(/[\d.]+/g).map(Number);
    let worst = 21;
    for (const e of document.querySelectorAll('body *')) {
        if (![...e.childNodes].some((n) => n.nodeType == 3 && n.data.trim()))
            continue;
        let behind = e, ground;
        do {
            ground = colour(getComputedStyle(behind).backgroundColor);
            behind = behind.parentElement;
        } while (ground[3] === 0 && behind);
        const [a, b] = [luminance(colour(getComputedStyle(e).color).slice(0, 3)),
            luminance(ground.slice(0, 3))].sort((x, y) => y - x);
        worst = Math.min(worst, (a + 0.05) / (b + 0.05));
    }
    return Math.round(worst * 100) / 100;
})()
JS
}

$t->done;
