/*
 * The command line of offload-coordinator, and where Redis is.
 */
#include "../../coordinator/options.c"
#include "../../coordinator/store/redis_url.c"

#include "tap.h"

static int
parse(struct options *o, struct ol_error *err, const char *args)
{
    static char copy[400];
    char *argv[20] = {(char *)(uintptr_t) "offload-coordinator"};
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

    refused("--key", "--key needs a value");
    refused("--key k --nonsense", "unknown option --nonsense");
    refused("--key k more", "unexpected argument \"more\"");
    refused("--key k --holders 0", "--holders");
    refused("--key k --holders 17", "from 1 to 16");
    refused("--key k --holders 3x", "\"3x\"");
    refused("--key k --allow-net 10.0.0.0/33", "--allow-net");
    refused("--key k --log-level loud", "\"loud\"");
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
}

int
main(void)
{
    test_options();
    test_redis_url();
    return tap_done();
}
