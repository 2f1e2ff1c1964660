/*
 * Fetching of missing pieces: one fetch per piece, however many want it; from
 * the places that pull_plan.h names, checked, written, then told to all.
 *
 * Limits: PULLS_ACTIVE at a time within PULL_MEMORY bytes of buffers (one is
 * always allowed), at most half of both for prefetching and PULLS_OF_SITE
 * quarters for the contents of one site; PULLS_MAX with those that wait.  Each
 * attempt has a time limit, so each want ends.  While pieces cannot be written,
 * none are fetched but one at a time, after pauses that grow.
 */
#ifndef NODE_PULL_H
#define NODE_PULL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "node/contents.h"

#define PULLS_MAX 1024
#define PULLS_ACTIVE 16
#define PULLS_OF_SITE                                                          \
    3 /* quarters, so that a slow one does not stop others                     \
       */
#define PULL_MEMORY (64u << 20)

struct node;
struct pull;
struct puller;

enum want_kind {
    WANT_CHECK,      /* only if it is on disk, to be checked */
    WANT_DEMAND,     /* a request with a good ticket waits for it */
    WANT_HOP,        /* the same, from a node: from the origin only */
    WANT_BACKGROUND, /* prefetching */
};

struct want { /* embedded in who wants a piece */
    TAILQ_ENTRY(want) link;
    /*
     * 0: the piece is there.  -ESTALE: the content has been dropped.
     * -EHOSTUNREACH: nobody could give it.  -ENOSPC: the disk, or the
     * budget, takes no more now.  -EIO: no memory to check it.
     * -EACCES: WANT_CHECK only, and it is not there.
     */
    void (*done)(struct want *want, int error);
    enum want_kind kind;
    struct pull *pull; /* NULL: not waiting */
};

int puller_create(struct node *node, struct puller **ret);
/* Ends all that is under way but jobs, without calling back. */
void puller_stop(struct puller *puller);
void puller_free(struct puller *puller);

/*
 * The content is held and open; the piece is not ready.  Calls back later, if
 * 0.  -EBUSY: too many pulls wait.
 */
int pull_want(struct puller *puller, struct content *content, uint32_t index,
              struct want *want);
/* No call-back any more.  Legal if it does not wait. */
void pull_unwant(struct want *want);
/* Somebody waits for this piece. */
bool pull_exists(const struct content *content, uint32_t index);
/* Whether another background pull of that many bytes would start at once. */
bool pull_has_room(const struct puller *puller, uint32_t bytes);
/*
 * The manifest of an open content lacks something that may be in the site's
 * present one: fetches that, if it was not done a short while ago.
 */
void pull_renew(struct puller *puller, struct content *content);
/* Whether the site of an open content has its share of those already. */
bool pull_site_busy(const struct puller *puller, const struct content *content);

#endif
