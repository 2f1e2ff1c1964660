# The files that the demo's site holds: real ones, from the Debian archive.
#
# Owns: fetching two packages with apt, checking them against the archive's
# own SHA-256, and keeping them in build/demo, so that a second demo needs no
# network.  Knows nothing of Offload.

package Files;

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA;
use File::Basename qw(basename dirname);
use File::Copy qw(copy);
use File::Find;
use File::Glob qw(:bsd_glob);
use File::Path qw(make_path remove_tree);

my $CACHE = dirname(__FILE__) . '/../build/demo';

# Puts the site together; returns {name, sha256, size} of its large file.
sub site {
    my ($folder, $package) = @_;

    my $large = package_file($package);
    my $manual = package_file('debian-policy');
    my $path = "$folder/$large->{name}";

    make_path($folder);
    copy($large->{path}, $path) or die "$path: $!\n";
    # As old as it really is: a file that has just changed is looked at twice.
    utime((stat $large->{path})[8, 9], $path);

    my $unpacked = "$folder.unpacked";
    run('dpkg', '-x', $manual->{path}, $unpacked);
    rename "$unpacked/usr/share/doc/debian-policy", "$folder/debian-policy"
        or die "$folder/debian-policy: $!\n";
    remove_tree($unpacked);

    # Links into packages that are not here.
    find({ no_chdir => 1, wanted => sub { unlink if -l && !-e } }, $folder);
    return { %$large, size => -s $path };
}

# One package, from the cache or else the archive.
sub package_file {
    my ($package) = @_;

    make_path($CACHE);
    my $cache = abs_path($CACHE);
    fetch($package, $cache) unless -s "$cache/$package.sha256";

    open my $f, '<', "$cache/$package.sha256" or die "$package: $!\n";
    my ($sha256, $name) = split ' ', <$f>;
    my $path = "$cache/$name";
    if (!-e $path || sha256($path) ne $sha256) {
        unlink "$cache/$package.sha256";
        die "$path is damaged: run this again to fetch it anew\n";
    }
    return { name => $name, path => $path, sha256 => $sha256 };
}

sub fetch {
    my ($package, $cache) = @_;

    # A folder of its own: apt names the file, with a version in it.
    my $folder = "$cache/fetch.$$";
    make_path($folder);
    print "fetching Debian's package $package\n";
    apt_get($folder, 'download', $package)
        or update_lists() && apt_get($folder, 'download', $package)
        or die "apt-get download $package failed: is the network up?\n";
    my ($path) = glob "$folder/*.deb";

    # Of the candidate, which apt-get download takes.
    my ($expected) = qx(apt-cache show --no-all-versions \Q$package\E)
        =~ /^SHA256: ([0-9a-f]{64})$/m
        or die "apt-cache show $package names no SHA256\n";
    my $got = sha256($path);
    die "$path has SHA-256 $got, the archive says $expected\n"
        unless $got eq $expected;

    # Without the epoch, which apt writes as "1%3a".
    my $name = basename($path) =~ s/_\d+%3a/_/r;
    rename $path, "$cache/$name" or die "$cache/$name: $!\n";
    open my $f, '>', "$cache/$package.sha256.$$" or die "$package: $!\n";
    print $f "$got  $name\n";
    close $f or die "$package: $!\n";
    rename "$cache/$package.sha256.$$", "$cache/$package.sha256"
        or die "$package: $!\n";
    remove_tree($folder);
}

sub apt_get {
    my ($folder, @args) = @_;

    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        chdir $folder or die "$folder: $!\n";
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        # apt's own user may not reach the folder.
        exec 'apt-get', '-q', ($> == 0 ? ('-o', 'APT::Sandbox::User=root')
            : ()), @args;
        exit 127;
    }
    waitpid $pid, 0;
    return $? == 0;
}

sub update_lists {
    print "updating apt's lists\n";
    my @root = $> == 0 ? () : 'sudo';
    return system(@root, 'apt-get', 'update', '-qq') == 0;
}

sub sha256 { Digest::SHA->new(256)->addfile($_[0], 'b')->hexdigest }

sub run {
    system(@_) == 0 or die "@_ failed\n";
}

1;
