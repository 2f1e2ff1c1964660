# Redis by a name, with a user and a password, in a database of its own; and
# what is said when that is wrong, or when Redis may lose what should last.

use lib 't/lib', 't/coordinator/lib';
use Offload::Test;

my $t = Offload::Test->new;
my $port = $t->port;
my $redis = $t->redis;
my $cli = sub { $redis->cli(@_) };

sub healthy {
    my ($c, $seconds) = @_;
    return $t->wait_for(
        sub { $t->http(GET => $c->url . '/healthz')->{status} == 200 },
        'the coordinator to reach Redis', $seconds);
}

# By its socket, in database 3.
$cli->('ACL', 'SETUSER', 'me', 'on', '>p@ss:%', '~*', '&*', '+@all');
my $c = $t->coordinator(redis => $redis->url . '?db=3');
healthy($c);
is $cli->('-n', 3, 'EXISTS', 'salt'), 1, 'database 3 is used';
is $cli->('-n', 0, 'EXISTS', 'salt'), 0, 'and 0 is not';
unlike $c->log, qr/append-only|maxmemory/, 'a careful Redis is not warned of';
$c->stop;

# By its host's name, as a user.  A name is looked up without waiting.
$cli->('CONFIG', 'SET', 'bind', '127.0.0.1 -::1');
$cli->('CONFIG', 'SET', 'port', $port);
$cli->('CONFIG', 'SET', 'requirepass', 'secret');
my @auth = ('-a', 'secret', '--no-auth-warning');
$cli->(@auth, 'CONFIG', 'SET', 'appendonly', 'no');
$cli->(@auth, 'CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru');
$c = $t->coordinator(redis => "redis://me:p%40ss%3a%25\@localhost:$port/5");
healthy($c);
is $cli->(@auth, '-n', 5, 'EXISTS', 'salt'), 1, 'a user and its database';
like $c->log, qr/warn: redis: its append-only file is off/, 'AOF is off';
like $c->log, qr/warn: redis: its maxmemory-policy may throw away/,
    'a policy that evicts what should last';
$c->stop;

$c = $t->coordinator(redis => "redis://:secret\@127.0.0.1:$port");
healthy($c);
pass 'a password alone is the default user\'s';
$c->stop;

$c = $t->coordinator(redis => "redis://me:wrong\@127.0.0.1:$port");
$t->wait_for(sub { $c->log =~ /WRONGPASS/ }, 'a word about the password');
is $t->http(GET => $c->url . '/healthz')->{status}, 503,
    'a wrong password: it runs, without Redis';
$c->stop;
$c = $t->coordinator(redis => "redis://host.invalid:$port");
$t->wait_for(sub { $c->log =~ /warn: redis: host\.invalid: / },
    'a word about the name', 40);
pass 'a name that is not known';
$c->stop;

# What no try could cure ends it at once, and tells no password.
for my $case ([ 'rediss://:secret@localhost' => qr/rediss.*stunnel/ ],
    [ 'redis://:se%cret@localhost' => qr/the URL is not unix:/ ]) {
    my $r = $t->run(Offload::Test::build() . '/offload-coordinator',
        '--listen', '127.0.0.1:' . $t->port, '--redis', $case->[0],
        '--key', $t->path('new.pem'));
    is $r->{status}, 1, "$case->[0] is refused";
    like $r->{err}, $case->[1], 'with a clear word';
    unlike $r->{err}, qr/se%?cret/, 'that tells no password';
}

$cli->(@auth, 'CONFIG', 'SET', 'requirepass', '');
$t->done;
