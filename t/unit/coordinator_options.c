/*
 * The options of offload-coordinator, by command line and file, and where Redis
 * is.
 */
#include "../../coordinator/options.c"
#include "../../coordinator/store/redis_url.c"

#include <unistd.h>

#include "tap.h"

static int
parse(struct options *o, struct ol_error *err, const char *args)
{
    static char copy[600];
    char *argv[40] = {(char *)(uintptr_t) "offload-coordinator"};
    int argc = 1;

    snprintf(copy, sizeof(copy), "%s", args);
    for (char *p = strtok(copy, " "); p != NULL; p = strtok(NULL, " "))
        argv[argc++] = p;
    return options_parse(argc, argv, o, err);
}

static void
refused(const char *args, const char *why)
{
    struct ol_error err = {""};
    struct options o;

    is_int(parse(&o, &err, args), -EINVAL, "refused: %s", args);
    has_str(err.text, why, "it says why");
}

static void
test_options(void)
{
    struct ol_error err = {""};
    struct options o;

    is_int(parse(&o, &err, ""), 0, "no option is needed");
    is_str(o.listen, "127.0.0.1:8090", "listens on loopback");
    is_str(o.redis, "redis://127.0.0.1:6379", "Redis is there too");
    is_str(o.key, "coordinator.pem", "the key is in this folder");
    is_int(o.holders, 3, "three holders");
    is_int(parse(&o, &err,
                 "--listen *:1 --redis unix:/r --key k --allow-net 10.0.0.0/8 "
                 "--allow-net ::1 --holders 16 --log-level debug"),
           0, "all of them");
    ok(o.holders == 16 && o.allow.count == 2 && o.level == LOG_DEBUG_,
       "are taken");
    is_str(o.listen, "*:1", "and this");
    is_int(parse(&o, &err, "--help"), 0, "--help");
    is_int(o.what, OPTIONS_HELP, "is help");
    is_int(parse(&o, &err, "--version"), 0, "--version");
    is_int(o.what, OPTIONS_VERSION, "is the version");

    is_int(parse(&o, &err,
                 "--listen=*:1 --listen-tls *:2 --tls-cert c --tls-key k "
                 "--workers 4 --trusted-proxy ::1 --admin-net 10.0.0.0/8 "
                 "--holders-max 5 --admission invite --nodes-file n "
                 "--invitations i --geoip g --audit-rate 1M --tracker off "
                 "--announce-interval 900"),
           0, "and all the others");
    ok(o.workers == 4 && o.proxies.count == 1 && o.holders_max == 5 &&
           o.admission == ADMISSION_INVITE && o.audit_rate == 1 << 20 &&
           !o.tracker && o.announce_interval == 900,
       "are taken");
    is_int(o.admins.count, 1, "a list takes the place of its default");
    is_str(o.listen_tls, "*:2", "the port with TLS");

    refused("--key", "--key needs a value");
    refused("--key k --nonsense", "unknown option --nonsense");
    refused("--key k --nonsense=3", "unknown option --nonsense");
    refused("--key k more", "unexpected argument \"more\"");
    refused("--key k --holders 0", "--holders");
    refused("--key k --holders 99", "from 1 to ");
    refused("--key k --holders 3x", "\"3x\"");
    refused("--holders 3 --holders-max 2", "more than --holders-max 2");
    refused("--key k --allow-net 10.0.0.0/33", "--allow-net");
    refused("--key k --log-level loud",
            "\"loud\" is not error, warn, info or debug");
    refused("--workers 65", "from 1 to 64");
    refused("--listen-tls *:2", "needs --tls-cert and --tls-key");
    refused("--tls-cert c", "need --listen-tls");
    refused("--admission list", "needs --nodes-file");
    refused("--admission invite", "needs --invitations");
    refused("--tracker yes", "\"yes\" is not off or on");
    refused("--audit-rate fast", "\"fast\" is not a size");
    is_int(parse(&o, &err, "--config /nonexistent"), -ENOENT, "no file");
    has_str(err.text, "cannot read /nonexistent: No such file", "its name");
}

/* A file of options. */

static char file[] = "/tmp/offload-options-XXXXXX";

static void
file_write(const char *text)
{
    FILE *f = fopen(file, "w");

    must(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static int
file_parse(struct options *o, struct ol_error *err, const char *text,
           const char *more)
{
    char args[200];

    file_write(text);
    snprintf(args, sizeof(args), "--config %s %s", file, more);
    return parse(o, err, args);
}

static void
file_refused(const char *text, const char *why)
{
    struct ol_error err = {""};
    struct options o;

    is_int(file_parse(&o, &err, text, ""), -EINVAL, "refused: %s", why);
    has_str(err.text, why, "it says why");
    has_str(err.text, file, "and where");
}

static void
test_file(void)
{
    struct ol_error err = {""};
    struct options o;

    is_int(file_parse(&o, &err,
                      "# all\n\n  listen   *:7 \r\nworkers 2\n"
                      "allow-net 10.0.0.0/8\nallow-net ::1\nholders 5",
                      "--holders 4 --allow-net 192.0.2.1"),
           0, "a file of options");
    is_str(o.listen, "*:7", "blanks around a value do not count");
    is_int(o.workers, 2, "a number of the file");
    is_int(o.holders, 4, "the command line wins");
    is_int(o.allow.count, 1, "with a list, too");
    options_free(&o);
    is_int(file_parse(&o, &err, "\r\n# x\r\nworkers 2\r\n\r\n", ""), 0,
           "lines as other systems end them");
    is_int(o.workers, 2, "and what they say");
    options_free(&o);
    is_int(file_parse(&o, &err, "", ""), 0, "an empty file");
    options_free(&o);
    is_int(file_parse(&o, &err, "nonsense", "--help"), 0,
           "for --help the file is not read");
    file_refused("listen *:1\nnonsense 1\n", ":2: unknown option \"nonsense\"");
    file_refused("config x\n", ":1: unknown option \"config\"");
    file_refused("listen\n", ":1: listen needs a value");
    file_refused("#\nkey a\nkey b\n", ":3: key is given twice");
    file_refused("key a\rworkers 7\n", ":1: a carriage return within");
    file_refused("key\r\n", ":1: key needs a value");
    file_refused("workers many\n", ":1: \"many\" is not a number");
    file_refused("--key x\n", "unknown option \"--key\"");
}

static char warned[100];

static void
on_warn(const char *name)
{
    strcat(strcat(warned, name), " ");
}

static void
test_update(void)
{
    struct ol_error err = {""};
    struct options o, next;

    must(file_parse(&o, &err, "listen *:1\nnodes-file a\nworkers 2\n", "") ==
         0);
    must(file_parse(&next, &err,
                    "listen *:2\nnodes-file b\nlog-level warn\n"
                    "workers 3\ntracker off\n",
                    "") == 0);
    options_update(&o, &next, on_warn);
    is_str(warned, "listen workers tracker ", "what stays is told of");
    ok(o.workers == 2 && o.tracker && o.level == LOG_WARN_, "what changes");
    is_str(o.listen, "*:1", "the address stays");
    is_str(o.nodes_file, "b", "a file does not");
    must(file_parse(&next, &err, "listen *:1\nworkers 2\n", "") == 0);
    warned[0] = '\0';
    options_update(&o, &next, on_warn);
    is_str(warned, "", "nothing that stays has changed");
    ok(o.nodes_file == NULL, "an option may go");
    options_free(&o);
}

static void
url_refused(const char *text)
{
    struct ol_error err = {""};
    struct redis_url url;

    is_int(redis_url_parse(text, &url, &err), -EINVAL, "refused: %s", text);
    has_str(err.text, "unix:/path", "it says what is wanted");
}

static void
test_redis_url(void)
{
    struct ol_error err = {""};
    struct redis_url url;

    is_int(redis_url_parse("unix:/run/redis.sock", &url, &err), 0, "a socket");
    is_str(url.path, "/run/redis.sock", "its path");
    redis_url_clear(&url);
    is_int(redis_url_parse("redis://:p@ss@host:1234/5", &url, &err), 0,
           "a host with everything");
    is_str(url.host, "host", "its name");
    is_str(url.password, "p@ss", "its password");
    ok(url.port == 1234 && url.db == 5 && url.path == NULL, "the rest");
    redis_url_clear(&url);
    is_int(redis_url_parse("redis://host", &url, &err), 0, "a bare host");
    ok(url.port == 6379 && url.db == 0 && url.password == NULL, "defaults");
    redis_url_clear(&url);
    is_int(redis_url_parse("redis://me:p%40%3a%2F@[::1]:7/2", &url, &err), 0,
           "a user, an address of IPv6");
    is_str(url.host, "::1", "without the brackets");
    is_str(url.user, "me", "the user");
    is_str(url.password, "p@:/", "a password that is percent-encoded");
    redis_url_clear(&url);
    is_int(redis_url_parse("unix:/run/a%20b?db=3", &url, &err), 0,
           "a socket and a database");
    is_str(url.path, "/run/a b", "its path");
    is_int(url.db, 3, "its number");
    redis_url_clear(&url);
    is_int(redis_url_parse("rediss://:secret@host", &url, &err), -EINVAL,
           "no TLS");
    has_str(err.text, "stunnel", "what to do instead");
    ok(strstr(err.text, "secret") == NULL, "a password is not told");
    url_refused("");
    url_refused("unix:relative");
    url_refused("http://host");
    url_refused("redis://");
    url_refused("redis://host:");
    url_refused("redis://host:0");
    url_refused("redis://host:65536");
    url_refused("redis://host:1/x");
    url_refused("redis://host:1/2/3");
    url_refused("redis://user@host");
    url_refused("redis://:%4@host");
    url_refused("redis://:%00@host");
    url_refused("redis://:%zz@host");
    url_refused("redis://[::1");
    url_refused("redis://[host]");
    url_refused("redis://::1");
    url_refused("unix:/run/s?db=");
    url_refused("unix:/run/s?db=1x");
    url_refused("rediss://host");
}

int
main(void)
{
    int fd = mkstemp(file);

    must(fd >= 0 && close(fd) == 0);
    test_options();
    test_file();
    test_update();
    unlink(file);
    test_redis_url();
    return tap_done();
}
