# A server in front of the node, on the same machine: all of its clients come
# from one address, and more than any other address may have.

use lib 't/lib';
use Offload::Test;
use IO::Socket::INET;

my $t = Offload::Test->new;
my $node = $t->node(coordinator => 'http://127.0.0.1:1');
my ($address) = $node->url =~ m{//(.*)};

my @clients = map { IO::Socket::INET->new($address) // die "connect: $!" } 1 .. 600;
for my $client (@clients) {
    print $client "GET /c/none HTTP/1.1\r\nHost: x\r\n\r\n";
    $client->flush;
}
my $answered = grep { (readline($_) // '') =~ m{^HTTP/1\.1 404 } } @clients;
is $answered, scalar(@clients), 'all are answered';

$t->done;
