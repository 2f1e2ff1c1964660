/*
 * One audit's questions: the site for the manifest and the table, the node for
 * a piece.  Knows no store and no consequences.
 */
#ifndef COORDINATOR_AUDIT_PROBE_H
#define COORDINATOR_AUDIT_PROBE_H

#include "coordinator/nodes/audit_cache.h"
#include "net/fetch.h"
#include "offload/bitmap.h"
#include "offload/content.h"
#include "offload/key.h"
#include "offload/manifest.h"

enum audit_result {
    AUDIT_PASSED,
    AUDIT_WRONG_BYTES,
    AUDIT_FAILED, /* the node did not answer, or not with a piece */
    AUDIT_GONE,   /* the node does not have it */
    AUDIT_UNKNOWN /* nothing can be said: the site did not answer, or so */
};

struct audit_probe;
/* Called once, outside of any fetch; the probe may be freed by it. */
typedef void audit_probe_fn(void *arg, enum audit_result result);

struct audit_target {
    const char *iss, *sub, *root; /* hex */
    const char *url;              /* the node's */
    uint64_t size;
    const struct ol_keyset *keys; /* the site's */
};

/* The cache is borrowed, and filled with what the site says. */
int audit_probe_create(struct fetcher *fetcher, struct audit_cache *cache,
                       const struct audit_target *target, audit_probe_fn *done,
                       void *arg, struct audit_probe **ret);
void audit_probe_free(struct audit_probe *probe); /* NULL is legal */
/* It has only these, which are taken over. */
void audit_probe_pieces(struct audit_probe *probe, struct ol_bitmap *take);
/* Asks for a piece, with numbers that are random and now in seconds. */
void audit_probe_start(struct audit_probe *probe, uint32_t random, int64_t now);
/* Asks for another one; after done, which is called again. */
void audit_probe_again(struct audit_probe *probe, uint32_t random);

/* Of the last piece: its index, and bytes per second. */
uint32_t audit_probe_piece(const struct audit_probe *probe);
uint64_t audit_probe_rate(const struct audit_probe *probe);
const char *audit_probe_why(const struct audit_probe *probe); /* it failed */

/* Pure: the random-th of the pieces that are set, of all if pieces is NULL;
 * UINT32_MAX if none is. */
uint32_t audit_pick(const struct ol_bitmap *pieces, uint32_t count,
                    uint32_t random);

#endif
