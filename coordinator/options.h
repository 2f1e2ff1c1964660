/*
 * The command line of offload-coordinator.
 */
#ifndef COORDINATOR_OPTIONS_H
#define COORDINATOR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "net/log.h"
#include "offload/error.h"
#include "offload/netaddr.h"

enum options_what { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };
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
};

/* 0, or -EINVAL: err says which option and why. */
int options_parse(int argc, char **argv, struct options *ret,
                  struct ol_error *err);
extern const char options_help[];

#endif
