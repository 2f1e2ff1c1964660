/*
 * The command line of offload-coordinator.
 */
#ifndef COORDINATOR_OPTIONS_H
#define COORDINATOR_OPTIONS_H

#include "net/log.h"
#include "offload/error.h"
#include "offload/netaddr.h"

enum options_what { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

struct options {
    enum options_what what;
    const char *listen, *redis, *key; /* borrowed from argv */
    struct ol_cidrs allow;
    unsigned holders;
    enum log_level level;
};

/* 0, or -EINVAL: err says which option and why. */
int options_parse(int argc, char **argv, struct options *ret,
                  struct ol_error *err);
extern const char options_help[];

#endif
