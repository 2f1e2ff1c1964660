/*
 * One site that has joined: shared by sites.c (lease and document) and sync.c
 * (the exchange with its instances).  For these alone.
 */
#ifndef COORDINATOR_SITE_H
#define COORDINATOR_SITE_H

#include "coordinator/contents/contents.h"
#include "coordinator/sites/site_document.h"
#include "coordinator/sites/sites.h"
#include "offload/origin.h"

struct sync;

struct site {
    struct app *app;
    char id[SITE_ID_CHARS + 1];
    char iss[OL_ORIGIN_MAX];

    bool leased, asking; /* asking: for the lease */
    int64_t lease_until_ms, lease_next_ms, lease_asked_ms;
    unsigned lease_life_ms; /* as asked for */
    int64_t begun_ms;       /* pushing, by the document that is known */

    struct site_document document; /* sync_count 0: none */
    struct site_fetch *fetch;
    int64_t document_next_ms, document_ms; /* next try; last try */
    unsigned document_failures;
    bool retrying;       /* it failed before the one under way */
    int64_t answered_ms; /* the last good answer of an instance; 0: none */

    struct contents *contents; /* while leased */
    struct sync *syncs[SITE_INSTANCES];
    int64_t synced_ms; /* when the store was told of a sync */
    size_t synced_contents;
    int64_t gone_ms; /* since when the store knows it no longer; 0: does */
    int64_t due_ms;  /* when it is looked at next */
    unsigned slot;   /* of the wheel, where it waits for that */
    TAILQ_ENTRY(site) link, wheel_link;
};

/* There is something to do for it: it is looked at in the next tick. */
void site_wake(struct site *site);
/* The document has to be read again, soon, but once a minute at most. */
void site_refetch(struct site *site);

/* sync.c: one instance, while the lease lasts. */
int sync_create(struct site *site, unsigned index, struct sync **ret);
void sync_free(struct sync *sync);
/* The store was away, and may have lost the last that it had taken; fresh: it
 * is another one, so all is told again. */
void sync_refresh(struct sync *sync, bool fresh);
/* Sends what is due. */
void sync_tick(struct sync *sync, int64_t now_ms);
/* When there will be something, as far as that is known. */
int64_t sync_due(const struct sync *sync);

#endif
