# A crowd of nodes in one process (bench/crowd): more than a machine can run.
#
#   my $crowd = Offload::Test::Crowd->new(test => $t, coordinators => [$c],
#       nodes => 1000, args => [...]);
#   $crowd->last->{registered}
#
# Owns: its command line and its reports, a line of JSON a second.

package Offload::Test::Crowd;

use strict;
use warnings;

use JSON::PP qw(decode_json);

use parent 'Offload::Test::Process';

sub new {
    my ($class, %o) = @_;

    my $t = $o{test};
    my $name = 'crowd-' . $t->next('crowd');
    my $out = $t->dir . "/$name.out";
    my $port = $t->port;
    my @to = map { ('--coordinator', $_->url =~ m{^http://(.+)$}) }
        @{ $o{coordinators} };

    return $t->add(sub {
        $class->SUPER::new(
            name => $name,
            log  => $t->dir . "/$name.log",
            out  => $out,
            cmd  => [
                Offload::Test::build() . '/crowd', @to,
                '--nodes', $o{nodes}, '--port', $port, @{ $o{args} // [] },
            ],
        );
    });
}

# The latest whole report, {} before the first one.
sub last {
    my ($self) = @_;

    open my $in, '<', $self->{out} or return {};
    my $size = -s $in;
    seek $in, $size > 4096 ? $size - 4096 : 0, 0;
    my @lines = grep { /^\{.*\}\n\z/ } <$in>;
    return @lines ? decode_json($lines[-1]) : {};
}

1;
