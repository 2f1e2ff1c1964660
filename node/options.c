/*
 * The command line of offload-node (options.h).
 *
 * Owns: names, defaults and bounds of options.  Must not start anything.
 */
#include "node/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/daemon.h"
#include "offload/manifest.h"

#define SIZE_DEFAULT (UINT64_C(20) << 30)
#define RATE_DEFAULT (UINT64_C(50) << 20)

enum {
    OPT_LISTEN = 256,
    OPT_URL,
    OPT_COORDINATOR,
    OPT_STORAGE,
    OPT_SIZE,
    OPT_RATE,
    OPT_ZONE,
    OPT_CIDR,
    OPT_WEIGHT,
    OPT_SITE,
    OPT_INVITATION,
    OPT_ALLOW_NET,
    OPT_REQUIRE_TICKETS,
    OPT_KEY,
    OPT_LOG_LEVEL,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"url", required_argument, NULL, OPT_URL},
    {"coordinator", required_argument, NULL, OPT_COORDINATOR},
    {"storage", required_argument, NULL, OPT_STORAGE},
    {"size", required_argument, NULL, OPT_SIZE},
    {"rate", required_argument, NULL, OPT_RATE},
    {"zone", required_argument, NULL, OPT_ZONE},
    {"cidr", required_argument, NULL, OPT_CIDR},
    {"weight", required_argument, NULL, OPT_WEIGHT},
    {"site", required_argument, NULL, OPT_SITE},
    {"invitation", required_argument, NULL, OPT_INVITATION},
    {"allow-net", required_argument, NULL, OPT_ALLOW_NET},
    {"require-tickets", no_argument, NULL, OPT_REQUIRE_TICKETS},
    {"key", required_argument, NULL, OPT_KEY},
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0}};

static const char help[] =
    "Usage: offload-node --url URL --storage DIR --coordinator URL[,X] ...\n"
    "Keeps, checks and serves files for sites that use Offload.\n"
    "\n"
    "  --url URL            public URL of this node, http(s)://host[:port]\n"
    "  --listen ADDR:PORT   where to listen (*:8100)\n"
    "  --coordinator URL[,X]  who assigns contents; X: its public key, which\n"
    "                       is asked for at URL/v1/key if not given here;\n"
    "                       repeatable\n"
    "  --storage DIR        where contents are kept\n"
    "  --size BYTES         how much of it may be used, as 500M or 2T (20G)\n"
    "  --rate BYTES         upload per second, 0: unlimited (50M)\n"
    "  --zone ZONE          where the node is, for sites that choose by it\n"
    "  --cidr CIDR          network that the node is near to; repeatable\n"
    "  --weight PERCENT     how much of size and rate coordinators may count "
    "on\n"
    "                       (100)\n"
    "  --site URL           serve contents of this site only; repeatable\n"
    "  --invitation TOKEN   what a coordinator's operator gave this node, or "
    "a\n"
    "                       file with it: a path with a '/'\n"
    "  --allow-net CIDR     addresses to fetch from although they are not\n"
    "                       public; repeatable\n"
    "  --require-tickets    serve nothing without a site's ticket\n"
    "  --key FILE           private key, made at the first start\n"
    "                       (DIR/node.pem)\n"
    "  --log-level LEVEL    error, warn, info or debug (info)\n"
    "  --help, --version\n";

static int
complain(const char *option, const char *value, const char *why)
{
    fprintf(stderr, "offload-node: --%s %s: %s\n", option, value, why);
    return 2;
}

static int
set_coordinator(struct options *o, const char *value)
{
    const char *comma = strchr(value, ',');
    size_t len = comma == NULL ? strlen(value) : (size_t)(comma - value);
    struct ol_key *key;
    struct ol_error err;

    if (o->coordinator_count == OPTIONS_COORDINATORS)
        return complain("coordinator", value, "more than 16");
    if (ol_origin_parse_bare(
            value, len, &o->coordinators[o->coordinator_count].url, &err) != 0)
        return complain("coordinator", value, err.text);
    if (comma != NULL) {
        if (ol_key_from_x(comma + 1, strlen(comma + 1), &key, &err) != 0)
            return complain("coordinator", value, err.text);
        snprintf(o->coordinators[o->coordinator_count].x, OL_KEY_CHARS + 1,
                 "%s", ol_key_x(key));
        ol_key_free(key);
    }
    for (size_t i = 0; i < o->coordinator_count; i++)
        if (strcmp(o->coordinators[i].url.text,
                   o->coordinators[o->coordinator_count].url.text) == 0)
            return complain("coordinator", value, "given twice");
    o->coordinator_count++;
    return -1;
}

static int
set_cidr(struct options *o, const char *value)
{
    struct ol_cidr cidr;
    struct ol_error err;

    if (o->cidr_count == OL_CIDRS_MAX)
        return complain("cidr", value, "more than 64");
    if (ol_cidr_parse(value, &cidr, &err) != 0)
        return complain("cidr", value, err.text);
    o->cidrs[o->cidr_count++] = value;
    return -1;
}

static int
set_zone(struct options *o, const char *value)
{
    size_t len = strlen(value);

    for (size_t i = 0; i < len; i++)
        if (value[i] <= 0x20 || value[i] > 0x7e)
            return complain("zone", value, "only printable ASCII");
    if (len == 0 || len > OL_ZONE_MAX)
        return complain("zone", value, "1 to 64 characters");
    o->zone = value;
    return -1;
}

static int
set_weight(struct options *o, const char *value)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end != '\0' || n < 1 || n > 100)
        return complain("weight", value, "not a number from 1 to 100");
    o->weight = (unsigned)n;
    return -1;
}

static int
set_site(struct options *o, const char *value)
{
    struct ol_error err;

    if (o->site_count == OPTIONS_SITES)
        return complain("site", value, "more than 64");
    if (ol_origin_parse_bare(value, strlen(value), &o->sites[o->site_count],
                             &err) != 0)
        return complain("site", value, err.text);
    o->site_count++;
    return -1;
}

bool
options_serve(const struct options *o, const char *iss)
{
    for (size_t i = 0; i < o->site_count; i++)
        if (strcmp(o->sites[i].text, iss) == 0)
            return true;
    return o->site_count == 0;
}

/* Its first line, from a file or as it is. */
static int
set_invitation(struct options *o, const char *value)
{
    char line[OPTIONS_INVITATION_MAX + 2];
    const char *token = value;
    size_t len;
    FILE *file;

    if (strchr(value, '/') != NULL) {
        file = fopen(value, "re");
        if (file == NULL)
            return complain("invitation", value, strerror(errno));
        token = fgets(line, sizeof(line), file) == NULL ? "" : line;
        fclose(file);
    }
    len = strcspn(token, "\r\n");
    if (len == 0 || len > OPTIONS_INVITATION_MAX)
        return complain("invitation", value, "1 to 256 characters");
    for (size_t i = 0; i < len; i++)
        if (token[i] < 0x20 || token[i] > 0x7e)
            return complain("invitation", value, "only printable ASCII");
    memcpy(o->invitation, token, len);
    o->invitation[len] = '\0';
    return -1;
}

static int
set_size(const char *option, const char *value, uint64_t min, uint64_t *ret)
{
    if (daemon_size_parse(value, ret) != 0)
        return complain(option, value,
                        "not a number of bytes, as 4096, 64K, 50M or 20G");
    if (*ret < min)
        return complain(option, value, "at least 64M");
    return -1;
}

static int
set_one(int opt, const char *value, struct options *o)
{
    struct ol_error err;

    switch (opt) {
    case OPT_LISTEN:
        o->listen = value;
        return -1;
    case OPT_URL:
        if (ol_origin_parse_bare(value, strlen(value), &o->url, &err) != 0)
            return complain("url", value, err.text);
        if (!ol_origin_port_ok(&o->url))
            return complain("url", value, "port: 80, 443 or at least 1024");
        return -1;
    case OPT_COORDINATOR:
        return set_coordinator(o, value);
    case OPT_STORAGE:
        o->storage = value;
        return -1;
    case OPT_SIZE:
        return set_size("size", value, OPTIONS_SIZE_MIN, &o->size);
    case OPT_RATE:
        return set_size("rate", value, 0, &o->rate);
    case OPT_ZONE:
        return set_zone(o, value);
    case OPT_CIDR:
        return set_cidr(o, value);
    case OPT_WEIGHT:
        return set_weight(o, value);
    case OPT_SITE:
        return set_site(o, value);
    case OPT_INVITATION:
        return set_invitation(o, value);
    case OPT_ALLOW_NET:
        if (ol_cidrs_add(&o->allow, value, &err) != 0)
            return complain("allow-net", value, err.text);
        return -1;
    case OPT_REQUIRE_TICKETS:
        o->require_tickets = true;
        return -1;
    case OPT_KEY:
        o->key_file = value;
        return -1;
    case OPT_LOG_LEVEL:
        if (log_level_parse(value, &o->log_level) != 0)
            return complain("log-level", value,
                            "none of error, warn, info, debug");
        return -1;
    case OPT_HELP:
        fputs(help, stdout);
        return 0;
    case OPT_VERSION:
        puts("offload-node " OL_VERSION);
        return 0;
    default: /* getopt has said what */
        fputs("Try offload-node --help\n", stderr);
        return 2;
    }
}

int
options_parse(int argc, char **argv, struct options *ret)
{
    struct options o = {.listen = "*:8100",
                        .size = SIZE_DEFAULT,
                        .rate = RATE_DEFAULT,
                        .zone = "",
                        .weight = 100,
                        .log_level = LOG_INFO_};
    const char *missing = NULL;
    int opt, rc = -1;

    while (rc < 0 &&
           (opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        rc = set_one(opt, optarg, &o);
    if (rc >= 0)
        return rc;
    if (optind < argc) {
        fprintf(stderr, "offload-node: %s: not an option\n", argv[optind]);
        return 2;
    }
    if (o.storage == NULL)
        missing = "storage DIR";
    if (o.url.text[0] == '\0')
        missing = "url URL";
    if (missing != NULL) {
        fprintf(stderr, "offload-node: --%s is required\n", missing);
        return 2;
    }
    *ret = o;
    return -1;
}
