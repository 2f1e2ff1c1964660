/*
 * A walk through the ledger in the store, page by page: of one node, or of all
 * in the order of their ids.
 *
 * A page has at most LEDGER_LINES lines and costs at most LEDGER_CALLS calls of
 * the store, one after the other; it may have no line though more follow.
 */
#ifndef COORDINATOR_LEDGER_WALK_H
#define COORDINATOR_LEDGER_WALK_H

#include "coordinator/ledger/query.h"

#define LEDGER_LINES 1000
#define LEDGER_CALLS 256

struct ledger_walk;

struct ledger_visitor {
    void (*line)(void *arg, const char *node,
                 const struct store_ledger_line *line);
    /*
     * The page has ended; the walk may go on, or be freed.  next: where, NULL:
     * there is no more.  sums: all that was ever booked for the one node that
     * was asked for.  rc: 0, or what the store says.
     */
    void (*done)(void *arg, int rc, const struct ledger_cursor *next,
                 const struct store_ledger_sums *sums);
    void *arg;
};

/* node: NULL: all of them. */
int ledger_walk_create(struct store *store, const char *node,
                       const struct ledger_query *query,
                       const struct ledger_visitor *visitor,
                       struct ledger_walk **ret);
/* One page.  0: done is called later, once; -EINVAL: `after` is beyond the
 * period, which no page says; else -errno of the store. */
int ledger_walk_page(struct ledger_walk *walk);
/* Not while a page is under way.  NULL is legal. */
void ledger_walk_free(struct ledger_walk *walk);

#endif
