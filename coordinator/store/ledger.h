/*
 * Calls of the store about the ledger (doc/protocol.md section 8): what is
 * owed to each node, by site and day.  Rules and call-backs are as in store.h.
 */
#ifndef COORDINATOR_STORE_LEDGER_H
#define COORDINATOR_STORE_LEDGER_H

#include "coordinator/store/store.h"

#define STORE_LEDGER_DAY 8     /* characters: "20261130" */
#define STORE_LEDGER_DAYS 31   /* in one call */
#define STORE_LEDGER_LINES 256 /* the same */
#define STORE_LEDGER_NODES 64  /* the same */
#define STORE_LEDGER_ACCOUNT 64

/* One account as its owner has told it; its numbers only grow. */
struct store_account {
    const char *node, *site, *iss;
    const char *name; /* no other account of the node and site has it */
    bool claim;       /* by the node; else by the site */
    uint64_t bytes, failed;
};
struct store_ledger_sums {
    uint64_t confirmed, claimed, credited, failed;
};
/* What it adds to the ledger; nothing, if it has not grown.  rc -ENOENT: nobody
 * knows the site; -ENOSPC: too many sites, or nodes that are unknown. */
typedef void store_account_fn(void *arg, int rc,
                              const struct store_ledger_sums *added);
/* Books what it has grown by on the day of now_s, in one step. [log n] */
int store_account_tell(struct store *store, const struct store_account *account,
                       int64_t now_s, store_account_fn *done, void *arg);

struct store_ledger_line {
    int64_t day;    /* since 1970 */
    uint64_t place; /* of the site in this ledger, from 1 on */
    const char *iss;
    struct store_ledger_sums sums; /* failed: 0 */
};
/* sums: all that was ever booked.  rc -ENOENT: the node has no ledger. */
typedef void store_ledger_fn(void *arg, int rc,
                             const struct store_ledger_sums *sums,
                             const struct store_ledger_line *lines,
                             size_t count);
/*
 * The lines of `days` (1 .. STORE_LEDGER_DAYS) days from `day` on, of the first
 * one from `place` on; the first STORE_LEDGER_LINES of them. [sites of these
 * days]
 */
int store_ledger(struct store *store, const char *node, int64_t day,
                 unsigned days, uint64_t place, store_ledger_fn *done,
                 void *arg);
/* At most STORE_LEDGER_NODES nodes with a ledger, in order, after that one.
 * [log n + nodes] */
int store_ledgers(struct store *store, const char *after, store_texts_fn *done,
                  void *arg);

#endif
