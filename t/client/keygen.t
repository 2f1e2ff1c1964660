# `offload keygen`: a key that others can use, in a file that only its owner
# can read, never over another.

use Offload::Test;

my $t = Offload::Test->new;
my $file = $t->path('k.pem');

my $r = $t->offload('keygen', '-o', $file);
is $r->{status}, 0, 'keygen -o FILE' or diag $r->{err};
is((stat $file)[2] & 07777, 0600, 'mode 0600');
my $key = $t->public_key($file);
like $r->{out}, qr/^public key: $key->{x}$/m, 'prints the public key';
like $r->{out}, qr/^id:         $key->{id}$/m, 'and its thumbprint';
like $r->{out}, qr/^file:       \Q$file\E$/m, 'and the file';
like $t->run('openssl', 'pkey', '-in', $file, '-noout', '-text')->{out},
    qr/ED25519 Private-Key/, 'OpenSSL reads it';

my $before = $t->read($file);
$r = $t->offload('keygen', '-o', $file);
is $r->{status}, 1, 'an existing file is refused';
like $r->{err}, qr/\Q$file\E.*exist/i, 'by name';
is $t->read($file), $before, 'and stays as it was';

mkdir $t->path('here');
$r = $t->run({ dir => $t->path('here') }, $t->build . '/offload', 'keygen');
is $r->{status}, 0, 'without -o';
ok -s $t->path('here/offload.pem'), 'it is offload.pem in this folder';
isnt $t->public_key($t->path('here/offload.pem'))->{x}, $key->{x},
    'and another key';

$r = $t->offload('keygen', '-o', $t->path('no/such/k.pem'));
is $r->{status}, 1, 'a folder that is missing';
like $r->{err}, qr/No such file/, 'is told';
is $t->offload('keygen', 'extra')->{status}, 2, 'arguments are refused';

$t->done;
