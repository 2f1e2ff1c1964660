/*
 * The command line of offload-coordinator.
 *
 * Must not know what the options are for.
 */
#include "coordinator/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/contents/placement.h"

#define HOLDERS_DEFAULT 3

const char options_help[] =
    "Usage: offload-coordinator [OPTION]...\n"
    "Tells origins which nodes hold their files, and nodes which files to "
    "hold.\n"
    "\n"
    "  --listen ADDR:PORT  where to listen (127.0.0.1:8090; *:8090 for all)\n"
    "  --redis URL         unix:/path or redis://[:password@]host[:port][/db]\n"
    "                      (redis://127.0.0.1:6379)\n"
    "  --key FILE          this coordinator's key; made if it is not there\n"
    "                      (coordinator.pem)\n"
    "  --allow-net CIDR    sites and nodes may be there though it is not a\n"
    "                      public network; repeatable\n"
    "  --holders N         how many nodes hold each file (3, at most 16)\n"
    "  --log-level LEVEL   error, warn, info or debug (info)\n"
    "  --help, --version\n";

enum { OPT_LISTEN = 256, OPT_REDIS, OPT_KEY, OPT_ALLOW, OPT_HOLDERS, OPT_LOG };

static const struct option long_options[] = {
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"redis", required_argument, NULL, OPT_REDIS},
    {"key", required_argument, NULL, OPT_KEY},
    {"allow-net", required_argument, NULL, OPT_ALLOW},
    {"holders", required_argument, NULL, OPT_HOLDERS},
    {"log-level", required_argument, NULL, OPT_LOG},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static int
holders_parse(const char *text, unsigned *ret, struct ol_error *err)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || n < 1 ||
        n > PLACEMENT_HOLDERS_MAX)
        return ol_error_set(err, EINVAL,
                            "--holders: \"%s\" is not a number from 1 to %d",
                            text, PLACEMENT_HOLDERS_MAX);
    *ret = (unsigned)n;
    return 0;
}

static int
option_take(int c, struct options *o, struct ol_error *err)
{
    struct ol_error why;

    switch (c) {
    case OPT_LISTEN:
        o->listen = optarg;
        return 0;
    case OPT_REDIS:
        o->redis = optarg;
        return 0;
    case OPT_KEY:
        o->key = optarg;
        return 0;
    case OPT_HOLDERS:
        return holders_parse(optarg, &o->holders, err);
    case OPT_ALLOW:
        if (ol_cidrs_add(&o->allow, optarg, &why) != 0)
            return ol_error_set(err, EINVAL, "--allow-net: %s", why.text);
        return 0;
    case OPT_LOG:
        if (log_level_parse(optarg, &o->level) != 0)
            return ol_error_set(err, EINVAL,
                                "--log-level: \"%s\" is not error, warn, info "
                                "or debug",
                                optarg);
        return 0;
    case 'h':
        o->what = OPTIONS_HELP;
        return 0;
    case 'V':
        o->what = OPTIONS_VERSION;
        return 0;
    default:
        return -EINVAL;
    }
}

int
options_parse(int argc, char **argv, struct options *ret, struct ol_error *err)
{
    struct options o = {.what = OPTIONS_RUN,
                        .listen = "127.0.0.1:8090",
                        .redis = "redis://127.0.0.1:6379",
                        .key = "coordinator.pem",
                        .workers = 1,
                        .holders = HOLDERS_DEFAULT,
                        .holders_max = PLACEMENT_HOLDERS_MAX,
                        .audit_rate = 2 << 20,
                        .tracker = true,
                        .announce_interval = 1800,
                        .level = LOG_INFO_};
    int c, at;

    optind = 0;
    opterr = 0;
    while (at = optind == 0 ? 1 : optind,
           (c = getopt_long(argc, argv, "+:hV", long_options, NULL)) != -1) {
        if (c == ':')
            return ol_error_set(err, EINVAL, "%s needs a value", argv[at]);
        if (c == '?')
            return ol_error_set(err, EINVAL, "unknown option %s", argv[at]);
        if (option_take(c, &o, err) != 0)
            return -EINVAL;
    }
    if (optind < argc)
        return ol_error_set(err, EINVAL, "unexpected argument \"%s\"",
                            argv[optind]);
    *ret = o;
    return 0;
}
