# A headless Chromium that a test looks through: pages as a person would see
# them, on a screen of any size, in light or dark, with or without JavaScript.
#
# Owns: Chromium's DevTools protocol over a pipe (two FIFOs as its descriptors
# 3 and 4; each message ends with a NUL).  Knows nothing of what is shown.

package Offload::Test::Browser;

use strict;
use warnings;

use IO::Select;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX qw(mkfifo);
use Time::HiRes qw(time);

use parent 'Offload::Test::Process';

sub new {
    my ($class, %o) = @_;

    my $t = $o{test};
    my $own = $t->dir . '/browser-' . $t->next('browser');
    mkdir $own or die "$own: $!\n";
    mkfifo("$own/$_", 0600) or die "$own/$_: $!\n" for qw(in out);
    my %fifo;
    for my $name (qw(in out)) {
        open $fifo{$name}, '+<', "$own/$name" or die "$own/$name: $!\n";
        binmode $fifo{$name};
        $fifo{$name}->autoflush(1);
    }
    my @flags = (qw(--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
        --hide-scrollbars --disable-background-networking --disable-component-update
        --disable-sync --disable-dev-shm-usage --remote-debugging-pipe),
        "--user-data-dir=$own/profile");
    return $class->SUPER::new(
        name => 'chromium', log => "$own/log", fifo => \%fifo, buffer => '', id => 0,
        events => [], env => { HOME => $own },
        cmd => [ 'sh', '-c', 'in=$1 out=$2; shift 2; exec chromium "$@" 3<"$in" 4>"$out"',
            'sh', "$own/in", "$own/out", @flags ],
    );
}

# One command; what it answers.
sub call {
    my ($self, $method, $params, $session) = @_;

    my $id = ++$self->{id};
    print { $self->{fifo}{in} } JSON::PP->new->utf8->encode({ id => $id,
        method => $method, params => $params // {},
        $session ? (sessionId => $session) : () }), "\0";
    while (1) {
        my $message = $self->_message($method);
        if (($message->{id} // 0) != $id) {
            push @{ $self->{events} }, $message;
            next;
        }
        die "$method: $message->{error}{message}\n" if $message->{error};
        return $message->{result};
    }
}

sub _message {
    my ($self, $what) = @_;

    my $out = $self->{fifo}{out};
    my $end = time + 30;
    my $length;
    while (($length = index $self->{buffer}, "\0") < 0) {
        die "chromium does not answer: $what\n", $self->tail
            unless $self->running && IO::Select->new($out)->can_read($end - time);
        sysread $out, $self->{buffer}, 65536, length $self->{buffer};
    }
    my $message = substr $self->{buffer}, 0, $length + 1, '';
    chop $message;
    return JSON::PP->new->utf8->decode($message);
}

# A page of its own: width, height, dark => 1, script => 0.
sub open {
    my ($self, $url, %o) = @_;

    my $target = $self->call('Target.createTarget', { url => 'about:blank' })->{targetId};
    my $page = bless { browser => $self, session => $self->call('Target.attachToTarget',
        { targetId => $target, flatten => JSON::PP::true })->{sessionId} },
        'Offload::Test::Browser::Page';
    $page->call("$_.enable") for qw(Page Runtime Log);
    $page->call('Emulation.setDeviceMetricsOverride', { width => $o{width} // 1280,
        height => $o{height} // 900, deviceScaleFactor => 1,
        mobile => ($o{width} // 1280) < 600 ? JSON::PP::true : JSON::PP::false });
    $page->call('Emulation.setEmulatedMedia', { features => [ {
        name => 'prefers-color-scheme', value => $o{dark} ? 'dark' : 'light' } ] });
    $page->call('Emulation.setScriptExecutionDisabled', { value => JSON::PP::true })
        if exists $o{script} && !$o{script};
    $page->go($url);
    return $page;
}

sub stop {
    my ($self) = @_;

    return 0 unless $self->{last_pid};
    eval { $self->call('Browser.close') } if $self->running;
    eval { $self->wait(10) } or $self->kill;
    $self->_leave_no_child;
    return 0;
}

package Offload::Test::Browser::Page;

sub call { my ($self, @call) = @_; $self->{browser}->call(@call[ 0, 1 ], $self->{session}) }

sub go {
    my ($self, $url) = @_;

    my $events = $self->{browser}{events};
    @$events = ();
    $self->call('Page.navigate', { url => $url });
    until (grep { $_->{method} eq 'Page.loadEventFired' } @$events) {
        push @$events, $self->{browser}->_message($url);
    }
}

# The value of an expression; works without the page's own scripts, too.
sub eval {
    my ($self, $expression) = @_;

    my $r = $self->call('Runtime.evaluate', { expression => $expression,
        returnByValue => JSON::PP::true });
    die "$expression: ", $r->{exceptionDetails}{exception}{description}, "\n"
        if $r->{exceptionDetails};
    return $r->{result}{value};
}

# What stands in the elements of a selector, one string each.
sub texts {
    my ($self, $selector) = @_;
    return @{ $self->eval("[...document.querySelectorAll('$selector')].map(e => "
        . "e.innerText.trim().replace(/\\s+/g, ' '))") };
}

# What the browser complained about: refused scripts, failed requests, errors.
sub complaints {
    my ($self) = @_;

    $self->eval('0');
    return map { $_->{params}{entry}{text} // $_->{params}{exceptionDetails}{text} }
        grep { ($_->{method} // '') =~ /^(?:Log\.entryAdded|Runtime\.exceptionThrown)$/
            && ($_->{sessionId} // '') eq $self->{session} }
        @{ $self->{browser}{events} };
}

# The whole page as a PNG; its bytes.
sub picture {
    my ($self) = @_;

    return MIME::Base64::decode_base64($self->call('Page.captureScreenshot',
        { format => 'png', captureBeyondViewport => JSON::PP::true })->{data});
}

1;
