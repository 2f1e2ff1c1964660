/*
 * One download from its URL to its place, whatever way it has to go.
 */
#ifndef CLIENT_DOWNLOAD_H
#define CLIENT_DOWNLOAD_H

#include <stdbool.h>

#include "client/report.h"

struct download_options {
    const char *url;
    const char *output; /* a path, "-" */
    bool direct;        /* from the origin alone, unverified */
    bool no_report;     /* say nothing of the peers to the origin */
    bool quiet;
};

/* Fills *report (zeroed by the caller but for url), its error included. */
enum outcome download(const struct download_options *options,
                      struct report *report);

#endif
