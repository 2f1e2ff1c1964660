# Every option that a program tells of is in its manual page, and none else;
# the pages are well-formed.

use Offload::Test;

my $t = Offload::Test->new;

# The long options in a text, without the hyphens' roff escapes.
sub options {
    my ($text) = @_;

    $text =~ s/\\-/-/g;
    my %found = map { $_ => 1 } $text =~ /(?<![\w-])(--[a-z][a-z-]*)/g;
    return join ' ', sort keys %found;
}

# Of a page only what its OPTIONS describe; examples and commands may name
# anything.
sub described {
    my ($page) = @_;

    my ($text) = $t->read(Cwd::abs_path($page)) =~ /^\.SH OPTIONS\n(.*?)^\.SH /ms;
    return options(join '', $text =~ /^\.TP\n(.*\n)/mg);
}

for my $daemon (qw(offload-coordinator offload-node)) {
    my $help = $t->run(Offload::Test::build() . "/$daemon", '--help');
    is $help->{status}, 0, "$daemon --help";
    is options($help->{out}), described("doc/man/$daemon.8"),
        "$daemon: help and manual agree";
}

my $all = join '', map {
    my $help = $t->offload(@$_);
    is $help->{status}, 0, "offload @$_";
    $help->{out};
} ['--help'], map { [$_, '--help'] } qw(get index inspect keygen);
is options($all), described('doc/man/offload.1'),
    'offload: help and manual agree';

for my $page (glob 'doc/man/*') {
    my $r = $t->run({ env => { MANWIDTH => 80, LC_ALL => 'C.UTF-8' } },
        'man', '--warnings', '-Tutf8', '-l', $page);
    is $r->{err}, '', "$page: no warnings";
    is $r->{status}, 0, "$page: can be shown";
}

for my $program (qw(offload offload-coordinator offload-node)) {
    my $r = $t->run(Offload::Test::build() . "/$program", '--version');
    my ($version) = $t->read(Cwd::abs_path('Makefile'))
        =~ /^VERSION := (\S+)$/m;
    is $r->{out}, "$program $version\n", "$program --version";
    like $t->read(Cwd::abs_path('CHANGES')), qr/^\Q$version\E$/m,
        'the version is in CHANGES';
    is $t->run(Offload::Test::build() . "/$program", '--nonsense')->{status},
        2, "$program --nonsense: a usage error";
}

$t->done;
