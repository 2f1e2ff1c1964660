# status, metrics and peers are for the machine's own users: not for those of a
# proxy on it.

use Offload::Test;

my $t = Offload::Test->new;
my $key = $t->key('coordinator');
my $nginx = $t->nginx(<<'CONF', SITE => $t->key('site')->{file}, X => $key->{x});
%%MODULES%%
events {}
http {
    offload_zone        1m;
    offload_state       %%DIR%%/state;
    offload_key         %%SITE%%;
    offload_site        http://127.0.0.1:%%PORT%%;
    offload_coordinator http://127.0.0.1:9999 %%X%%;
    root                %%DIR%%/html;

    server {
        listen 127.0.0.1:%%PORT%%;
        location /.well-known/offload/ { offload_endpoint; }
    }
    server {
        listen 127.0.0.1:%%PORT_1%%;
        location /.well-known/offload/ { offload_endpoint open; }
    }
    server {
        listen 127.0.0.1:%%PORT_2%%;
        location / {
            proxy_pass       http://127.0.0.1:%%PORT%%;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }
    }
}
CONF

sub ask {
    my ($server, $what, %headers) = @_;
    return $t->http(GET => $nginx->url($server) . "/.well-known/offload/$what",
        headers => \%headers)->{status};
}

my %by = ('X-Forwarded-For' => '203.0.113.9', 'x-real-ip' => '203.0.113.9',
    Forwarded => 'for=203.0.113.9', VIA => '1.1 cache');
for my $what (qw(status metrics peers?path=/f.bin)) {
    is ask(0, $what), 200, "$what: from here";
    is ask(0, $what, 'X-Forwarded' => 'x', 'X-Via' => 'x'), 200, "$what: with other headers";
    is ask(0, $what, $_ => $by{$_}), 403, "$what: with $_" for sort keys %by;
    is ask(2, $what), 403, "$what: through a proxy";
    is ask(1, $what, %by), 200, "$what: open";
}
is ask(2, 'key'), 200, 'what is for everyone is for those of a proxy, too';

$t->done;
