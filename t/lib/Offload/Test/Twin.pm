# Two nginx side by side on the same files, with the module and without it:
# what one answers, the other has to answer too.
#
#   my $twin = Offload::Test::Twin->new($t, $conf, SITE => …, X => …);
#   $twin->same('a range', "GET /f.bin HTTP/1.1\r\nHost: %%HOST%%\r\n…");
#   $twin->with, $twin->without              # Offload::Test::Nginx
#
# Owns: the configuration without the module, which is the same text less all
# that is ours; and what two answers may differ in: the port, the date, and
# the headers that are ours.

package Offload::Test::Twin;

use strict;
use warnings;

use Test::More ();

use Offload::Test::Http;

sub new {
    my ($class, $t, $conf, %vars) = @_;

    my $self = bless { t => $t }, $class;
    $self->{with} = $t->nginx($conf, %vars);
    $self->{without} = $t->nginx(_bare($conf), %vars);
    return $self;
}

sub _bare {
    my ($conf) = @_;
    return $conf =~ s/%%MODULES%%//r =~ s/\boffload\w*(?:\s[^;{}]*)?;//gr
        =~ s/\$offload_\w+/""/gr;
}

sub with    { $_[0]{with} }
sub without { $_[0]{without} }

sub reload {
    my ($self, $change) = @_;

    for my $nginx (@$self{qw(with without)}) {
        local $_ = $nginx->conf;
        $change->();
        $nginx->reload($_);
    }
}

# One assertion: what comes back on a connection, byte for byte.  Names in
# "but" are of headers that may differ.
sub same {
    my ($self, $name, $request, %o) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($with, $without);
    # Once more, should a second have gone by between the two.
    for (1, 2) {
        ($with, $without) = map {
            $self->_asked($self->{$_}, $request, %o)
        } qw(with without);
        last if $with eq $without;
    }
    return Test::More::pass($name) if $with eq $without;

    Test::More::fail($name);
    Test::More::diag("$name\n", _printable($request), "\nwith:\n",
        _printable($with), "\nwithout:\n", _printable($without));
    return 0;
}

sub _asked {
    my ($self, $nginx, $request, %o) = @_;

    my $port = $nginx->port($o{port} // 0);
    my ($host) = "127.0.0.1:$port";
    $request =~ s/%%HOST%%/$host/g;
    my ($got, $error) = Offload::Test::Http::exchange('127.0.0.1', $port,
        $request, 20);
    $got .= "\n$error" if defined $error;
    return normal($got, $port, @{ $o{but} // [] });
}

# An answer without what may differ.
sub normal {
    my ($got, $port, @but) = @_;

    my $ours = join '|', qw(Link Digest Repr-Digest Date), @but;
    $got =~ s/^(?:$ours):[^\r\n]*\r?\n//gmi;
    $got =~ s/127\.0\.0\.1:$port\b/HOST/g;
    # The separator of several ranges counts the answers of a worker.
    my %seen;
    $got =~ s/\b(\d{20})\b/'boundary ' . ($seen{$1} \/\/= keys %seen)/ge;
    return $got;
}

sub _printable {
    my ($text) = @_;

    my $head = substr $text, 0, 1500;
    $head =~ s/[^\n -~]/./g;
    return sprintf "%s\n(%d bytes)", $head, length $text;
}

1;
