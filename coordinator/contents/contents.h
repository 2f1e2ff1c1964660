/*
 * The contents of one site that this process pushes to: which nodes are to
 * hold them, which nodes do, and what the site's instances have been told.
 *
 * Work (placing, reading holders from the store) is queued and done in slices
 * that keep the loop responsive.
 */
#ifndef COORDINATOR_CONTENTS_H
#define COORDINATOR_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/app.h"
#include "coordinator/nodes/nodes.h"
#include "coordinator/sites/site_document.h"
#include "coordinator/sites/sync_codec.h"

#define CONTENTS_MAX 65536       /* of one site */
#define CONTENTS_OFFERS_MAX 64   /* files with the same bytes; no more count */
#define CONTENTS_HOLDERS_MAX 64  /* known of one content */
#define CONTENTS_READS_MAX 512   /* asked of the store at a time */
#define CONTENTS_SAMPLED 64      /* looked at for one sample */
#define CONTENTS_SUB_MS 60000    /* a path not named for so long is replaced */
#define CONTENTS_RENEW_MS 10000  /* a slice of all is renewed in the store */
#define CONTENTS_RENEW_ROUNDS 30 /* so each once in five minutes, */
#define CONTENTS_RENEW_FEW 64    /* more often where there are few in all */

struct contents;

struct contents_events {
    void (*on_unsent)(void *arg); /* there is something to tell the site */
    void *arg;
};

/* id, iss: the site's. */
int contents_create(struct app *app, const char *id, const char *iss,
                    const struct contents_events *events,
                    struct contents **ret);
void contents_free(struct contents *contents);

/*
 * An instance (0 ..) offers a content at a path, or does so no longer.  A
 * content that none offers at any is released.  recent: the instance was known
 * before, so that all requests for a path that is new are of late.
 */
void contents_offer(struct contents *contents, unsigned instance,
                    const struct sync_entry *entry, bool recent);
/* The instance starts over: what it offered has to be offered again. */
void contents_forget_offers(struct contents *contents, unsigned instance);

/* Nodes came or went: see catalog.h. */
void contents_nodes_moved(struct contents *contents);
/* Its memory is about to be freed; NULL: that of all. */
void contents_node_forget(struct contents *contents, struct node *node);
/* The store is up (again); fresh: it has to be told everything. */
void contents_refresh(struct contents *contents, bool fresh);

size_t contents_count(const struct contents *contents);
bool contents_settled(const struct contents *contents); /* no work is left */

/* What an instance has not been told yet. */
size_t contents_unsent(const struct contents *contents, unsigned instance);
/* Takes at most max of them; the pointers last until the next call. */
size_t contents_take(struct contents *contents, unsigned instance,
                     struct sync_content *ret, size_t max);

/*
 * A full state: those with candidates that the instance offers.  start returns
 * how many there are, and nothing counts as unsent any more; take walks on from
 * there; end counts as unsent what was not reached.
 */
size_t contents_full_start(struct contents *contents, unsigned instance);
size_t contents_full_take(struct contents *contents, unsigned instance,
                          struct sync_content *ret, size_t max);
void contents_full_end(struct contents *contents, unsigned instance);

/*
 * Any content with any of its holders that are alive, by a random number;
 * false if there is none.  Pointers last until the next call.
 */
struct contents_holding {
    const char *root, *sub; /* hex; a path of the site */
    uint64_t size;
    struct node *node;
    bool complete;
};
bool contents_sample(const struct contents *contents, uint32_t random,
                     struct contents_holding *ret);

#endif
