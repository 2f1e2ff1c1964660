/*
 * The download of one version of a file, from its peers and its origin into an
 * output.
 */
#ifndef CLIENT_SWARM_H
#define CLIENT_SWARM_H

#include <stdbool.h>
#include <stdint.h>

#include "client/output.h"
#include "client/progress.h"
#include "client/report.h"
#include "client/session.h"
#include "offload/manifest.h"

struct swarm;

struct swarm_options { /* all borrowed until swarm_free */
    struct session *session;
    struct output *output;
    struct report *report;
    struct progress *progress;
    const char *origin;                 /* "https://example.org" */
    const char *path;                   /* of the file there, with its query */
    const uint8_t *table;               /* of the content */
    const struct ol_manifest *manifest; /* only during swarm_create */
    int64_t date; /* the origin's clock, when it gave the manifest */
};

enum outcome swarm_create(const struct swarm_options *options,
                          struct swarm **ret, struct ol_error *err);
/* Memory is freed by the loop's next turns. */
void swarm_free(struct swarm *swarm);

/*
 * OUTCOME_OK: all is in the output (or *ret_renew: a new manifest would help;
 * merge one if it can be had, then run again).  OUTCOME_CHANGED: the origin
 * has another version.
 */
enum outcome swarm_run(struct swarm *swarm, bool *ret_renew,
                       struct ol_error *err);
/* The same content: a newer ticket, perhaps other peers. */
int swarm_merge(struct swarm *swarm, const struct ol_manifest *manifest,
                int64_t date);
/* The output has got on. */
void swarm_poke(struct swarm *swarm);

#endif
