/*
 * The sites whose contents this node keeps: their keys, fetched from the site
 * itself and from nowhere else, and whether the site may be asked just now.
 *
 * At most SITES_MAX are known; the least recently used is forgotten.
 */
#ifndef NODE_SITE_H
#define NODE_SITE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/fetch.h"
#include "offload/key.h"
#include "offload/origin.h"

#define SITES_MAX 1024

struct sites;

struct site_waiter {
    TAILQ_ENTRY(site_waiter) link;
    /* The keys have come (0), or could not be fetched (-errno). */
    void (*done)(struct site_waiter *waiter, int error);
    struct site *site; /* waited for, NULL if none */
};

struct site {
    char iss[OL_ORIGIN_MAX];
    struct ol_keyset keys; /* count 0: not fetched yet */
    uint64_t keys_ms;      /* loop time of the last success */
    bool keys_tried;
    uint64_t keys_tried_ms; /* of the last attempt */
    uint64_t blocked_ms;    /* the origin is not asked before */
    uint32_t failures;      /* in a row */
    struct fetch *fetch;
    TAILQ_HEAD(, site_waiter) waiters;
    TAILQ_ENTRY(site) link;
    struct sites *sites;
    uint32_t users; /* > 0: not forgotten */
};

int sites_create(uv_loop_t *loop, struct fetcher *fetcher, struct sites **ret);
void sites_free(struct sites *sites);

/* Finds or makes it, and holds it until site_release; NULL: no room. */
struct site *site_hold(struct sites *sites, const char *iss);
void site_release(struct site *site);

/*
 * 0: site->keys may be used now.  -EINPROGRESS: the waiter will be called.
 * -EAGAIN: there are none, and it is too early to ask again.
 * unknown_kid: the keys at hand are not enough; they are fetched again, at
 * most once a minute (else -EAGAIN).
 */
int site_want_keys(struct site *site, bool unknown_kid,
                   struct site_waiter *waiter);
void site_cancel(struct site_waiter *waiter);

/* Whether the origin may be asked for pieces. */
bool site_may_ask(const struct site *site);
/* It gave what it was asked for; did not; or wants to be asked later. */
void site_answered(struct site *site);
void site_failed(struct site *site);
void site_deferred(struct site *site, unsigned retry_s);

#endif
