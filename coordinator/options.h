/*
 * The options of offload-coordinator: its command line, and a file of the same
 * names.
 */
#ifndef COORDINATOR_OPTIONS_H
#define COORDINATOR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "net/log.h"
#include "offload/error.h"
#include "offload/netaddr.h"

#define OPTIONS_FILE_MAX (64u << 10) /* bytes of a file of options */

enum options_what { OPTIONS_RUN, OPTIONS_TEST, OPTIONS_HELP, OPTIONS_VERSION };
enum options_admission {
    ADMISSION_OPEN,
    ADMISSION_LIST,  /* the ids in `nodes_file` */
    ADMISSION_INVITE /* these, and who brings a token of `invitations` */
};

struct options {
    enum options_what what;
    const char *config; /* file of options, or NULL */
    const char *listen, *redis, *key;
    const char *listen_tls, *tls_cert, *tls_key; /* NULL: no TLS */
    unsigned workers;                            /* 1 .. METRICS_WORKERS */
    struct ol_cidrs allow;                       /* --allow-net */
    struct ol_cidrs proxies;                     /* --trusted-proxy */
    struct ol_cidrs admins;        /* --admin-net; default: loopback */
    unsigned holders, holders_max; /* of each content, least and most */
    enum options_admission admission;
    const char *nodes_file, *invitations; /* NULL: none */
    const char *geoip;          /* MaxMind database of countries, or NULL */
    uint64_t audit_rate;        /* bytes per second in all; 0: no audits */
    bool tracker;               /* BitTorrent */
    unsigned announce_interval; /* seconds */
    enum log_level level;
    /* Of the file as first and as last read; strings above point into both. */
    char *text, *text_again;
};

/*
 * The file that --config names, then the command line, which wins.  0, or
 * -EINVAL or -errno of the file: err says which option, or which file and
 * line, and why.  argv must outlive the options.
 */
int options_parse(int argc, char **argv, struct options *ret,
                  struct ol_error *err);
/*
 * Takes over from `next` what may change while the process runs; what may not
 * keeps its value, and `warn` is told of it.  `next` is used up.  Strings that
 * may change are freed at the next update: nobody keeps one of `o`.
 */
void options_update(struct options *o, struct options *next,
                    void (*warn)(const char *name));
void options_free(struct options *o);
void options_help(FILE *out);

#endif
