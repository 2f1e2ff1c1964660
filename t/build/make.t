# What the Makefile offers: help, a header's dependents, installation, and
# that nothing is installed when nothing is missing.

use Offload::Test;

my $t = Offload::Test->new;

sub make {
    return $t->run({ env => { MAKEFLAGS => '', MAKELEVEL => 0, V => '',
        B => 'build/release', FLAVOUR => 'release' } },
        'make', '--no-print-directory', @_);
}

my $help = make('help');
is $help->{status}, 0, 'make help';
like $help->{out}, qr/^ *$_ +\S/m, "tells of $_"
    for qw(all module run stop test check asan asan-nginx ubsan tsan bench
    bench-module install clean deps loc);

my $start = Time::HiRes::time();
my $deps = $t->run('mk/deps.sh', 'build', 'run', 'test');
is_deeply $deps, { status => 0, out => '', err => '' },
    'with all packages there, deps does nothing';
cmp_ok Time::HiRes::time() - $start, '<', 1, 'at once';

like make('FLAVOUR=nonsense', 'all')->{err}, qr/FLAVOUR=nonsense is not known/,
    'an unknown flavour';

# What is installed is complete, and the units name the programs' place.
SKIP: {
    skip 'only the release build is installed', 10
        unless Offload::Test::build() =~ m{/release$};
    my $root = $t->dir . '/root';
    is make('install', "DESTDIR=$root", 'PREFIX=/usr')->{status}, 0, 'install';
    ok -f "$root/$_", "installs $_"
        for qw(usr/bin/offload usr/bin/offload-node usr/bin/offload-coordinator
        usr/share/man/man1/offload.1 usr/share/man/man8/offload-node.8
        usr/share/doc/offload/README.md
        usr/lib/nginx/modules/ngx_http_offload_module.so);
    for my $daemon (qw(offload-coordinator offload-node)) {
        my $unit = $t->read("$root/usr/lib/systemd/system/$daemon.service");
        like $unit, qr{^ExecStart=/usr/bin/$daemon }m, "unit of $daemon";
    }
}

# A header that changes makes those objects anew that include it, and only
# those.  The copy has the objects' times, so that only the change counts.
my $copy = $t->dir . '/copy';
is $t->run('sh', '-c', "mkdir $copy && git ls-files -z | grep -zv '^demo/' "
    . "| xargs -0 cp -p --parents -t $copy")->{status}, 0, 'a copy';
my @objects = map { "build/release/obj/lib/$_.o" } qw(bitmap ticket);
sub compiled {
    my $r = make('-C', $copy, @objects, @_);
    is $r->{status}, 0, 'make';
    return join ' ', sort $r->{out} =~ m{^CC +\S+/(\w+\.o)$}mg;
}
is compiled(), 'bitmap.o ticket.o', 'two objects are built';
is compiled(), '', 'then nothing is to do';
$t->write('copy/include/offload/bitmap.h',
    $t->read('copy/include/offload/bitmap.h') . "/* changed */\n");
is compiled(), 'bitmap.o', 'a header changed: those that include it';
is compiled('CFLAGS=-DX'), 'bitmap.o ticket.o', 'other flags: all';

$t->done;
