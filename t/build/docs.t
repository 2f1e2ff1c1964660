# Every nginx block of the documentation loads, as it is written; every link
# between pages leads somewhere; each directive and variable has its entry.

use Offload::Test;

my $t = Offload::Test->new;
my %keys;
my $x = $t->key('coordinator')->{x};
$t->run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
    '-nodes', '-subj', '/CN=x', '-keyout', $t->path('tls.key'), '-out', $t->path('tls.crt'));

# What a reader puts in for himself: keys, certificates, folders, ports.
sub filled {
    my ($text) = @_;
    my $n = 0;

    $text =~ s/load_module [^;]+;/%%MODULES%%/;
    $text =~ s{(offload_key\s+)([^;]+);}{
        $1 . ($keys{$2} //= $t->key('key-' . keys %keys)->{file}) . ';'}ge;
    $text =~ s/<[^<>]*id of[^<>]*>/'A' x 42 . chr ord('A') + 4 * $n++/ge;
    $text =~ s/<another public key>/$t->key('another')->{x}/ge;
    $text =~ s/<[^<>]*public key>/$x/g;
    $text =~ s/[^ ]+\.(crt|key);/$t->path("tls.$1") . ';'/ge;
    $text =~ s{(offload_state|proxy_cache_path)\s+/[^ ;]+}{"$1 " . $t->path('state-' . ++$n)}ge;
    $text =~ s/(listen\s+)(\[::\]:|[\d.]+:)?(\d+)/"${1}127.0.0.1:" . (20000 + $3 % 10000)/ge;
    return $text;
}

# Fragments stand where they may: in http, server, or location.
sub wrapped {
    my ($text, $level) = @_;

    if ($text =~ /^\s*http \{/m) {
        $text = "%%MODULES%%\n$text" unless $text =~ /%%MODULES%%/;
        $text .= "\nevents {}\n" unless $text =~ /events/;
        return $text;
    }
    my @needed = map { $text =~ /^\s*\Q$_->[0]\E\s/m ? () : "$_->[0] $_->[1];" }
        [ offload_zone => '1m' ], [ offload_state => $t->path('state') ],
        [ offload_key => $keys{''} //= $t->key('own')->{file} ];
    push @needed, 'offload_site http://www.example.org;' if $text !~ /offload_site|server_name/;
    my $inner = $level eq 'http' ? $text
        : $level eq 'server' ? "server { $text }" : "server { location /x/ { $text } }";
    return "%%MODULES%%\nevents {}\nhttp {\n@needed\n$inner\n}\n";
}

my @pages = ('README.md', sort glob 'doc/*.md');
for my $page (@pages) {
    my $text = $t->read(Cwd::abs_path($page));

    while ($text =~ /^( *)```nginx\n(.*?)^ *```$/msg) {
        my $line = 1 + substr($text, 0, $-[0]) =~ tr/\n//;
        my $block = filled($2);
        my @said;
        for my $level (qw(http server location)) {
            my $why = Offload::Test::Nginx->refusal(test => $t,
                conf => wrapped($block, $level)) // last;
            push @said, "in $level: " . ($why =~ /^(.*emerg.*\n)/m)[0];
        }
        ok @said < 3, "$page:$line loads" or diag(@said);
    }
}

# Where a heading is found on its page.
sub anchors {
    my ($text) = @_;
    return map { lc($_) =~ s/[^\w -]//gr =~ s/ /-/gr => 1 } $text =~ /^#+ (.*)$/mg;
}

for my $page (@pages) {
    my $text = $t->read(Cwd::abs_path($page));
    my $folder = $page =~ s{[^/]*$}{}r;

    $text =~ s/^ *```.*?^ *```$//msg;
    for my $link ($text =~ /\]\(([^()\s]+)\)/g) {
        next if $link =~ /^https?:/;
        my ($file, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
        my $path = $file eq '' ? $page : "$folder$file";
        my $there = -e $path || glob "$path.*";
        $there = { anchors($t->read(Cwd::abs_path($path))) }->{$anchor}
            if $there && defined $anchor;
        ok $there, "$page: $link";
    }
}

# The reference is complete: what the module registers.
my $reference = $t->read(Cwd::abs_path('doc/directives.md'));
my $source = join '', map { $t->read(Cwd::abs_path($_)) } glob 'ngx_module/*_module.c';
my @names = $source =~ /\{ ngx_string\("(offload\w*)"\),\n\s+NGX_/g;
cmp_ok scalar(@names), '>', 15, 'directives';
for my $name (@names) {
    like $reference, qr/^### $name\n\n    Syntax:   $name .*\n    Default:  .+\n    Context:  .+\n/m,
        $name;
    like $reference, qr/^\| .*\[$name\]\(#$name\)/m, "$name: in the table";
}
my $vars = $t->read(Cwd::abs_path('ngx_module/ngx_http_offload_vars.c'));
like $reference, qr/^### \$$_$/m, "\$$_" for $vars =~ /\{ ngx_string\("(\w+)"\), NULL,/g;
my ($outcomes) = $vars =~ /outcomes\[\] = \{\n(.*?)\};/s;
like $reference, qr/^\| `$_` \|/m, "outcome $_" for $outcomes =~ /"(\w+)"/g;
my $metrics = $t->read(Cwd::abs_path('ngx_module/ngx_http_offload_metrics.c'));
for ($metrics =~ /"(offload_\w+)"/g) {
    like $reference, qr/^\|.*`$_(?:\{[a-z,]+\})?`/m, $_;
}
my $endpoint = $t->read(Cwd::abs_path('ngx_module/ngx_http_offload_endpoint.c'));
like $reference, qr/^\| `$_/m, "endpoint: $_"
    for $endpoint =~ /\{ ngx_string\("([\w\/]+)"\), NGX_HTTP_(?:GET|POST)/g;

$t->done;
