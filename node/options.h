/*
 * The command line of offload-node.
 */
#ifndef NODE_OPTIONS_H
#define NODE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/log.h"
#include "offload/key.h"
#include "offload/netaddr.h"
#include "offload/origin.h"

#define OPTIONS_COORDINATORS 16
#define OPTIONS_SITES 64
#define OPTIONS_INVITATION_MAX 256 /* characters */
#define OPTIONS_SIZE_MIN (UINT64_C(64) << 20)

struct options {
    const char *listen;
    struct ol_origin url;
    size_t coordinator_count;
    struct {
        struct ol_origin url;
        char x[OL_KEY_CHARS + 1]; /* pinned public key, or "" */
    } coordinators[OPTIONS_COORDINATORS];
    const char *storage;
    const char *key_file; /* NULL: STORAGE/node.pem */
    uint64_t size;        /* bytes */
    uint64_t rate;        /* bytes per second, 0: unlimited */
    const char *zone;     /* "" if none */
    size_t cidr_count;
    const char *cidrs[OL_CIDRS_MAX];
    unsigned weight;   /* percent of size and rate, 1 .. 100 */
    size_t site_count; /* 0: all are served */
    struct ol_origin sites[OPTIONS_SITES];
    char invitation[OPTIONS_INVITATION_MAX + 1]; /* "" if none */
    struct ol_cidrs allow;
    bool require_tickets;
    enum log_level log_level;
};

/* Whether contents of that site are taken. */
bool options_serve(const struct options *o, const char *iss);

/*
 * -1: go on.  Else the exit status: 0 after --help and --version, 2 after a
 * message on stderr.  Strings are borrowed from argv.
 */
int options_parse(int argc, char **argv, struct options *ret);

#endif
