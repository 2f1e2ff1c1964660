/*
 * What the status page shows beyond the tables of a process: the hottest
 * contents, and the bytes that nodes sent over time.  All coordinators of one
 * Redis add to it and read the same.
 *
 * Rules of calls and call-backs are those of store.h.
 */
#ifndef COORDINATOR_STORE_HISTORY_H
#define COORDINATOR_STORE_HISTORY_H

#include "coordinator/store/store.h"

#define HISTORY_MINUTES 60
#define HISTORY_SLOTS 144 /* of ten minutes: a day */
#define HISTORY_DAYS 30
#define HOT_PAGE 50
#define HOT_PUT_MAX 64 /* in one call */

/* Bytes by which nodes' claims and their credit have grown. */
struct history_point {
    uint64_t claimed, credited;
};
/* Oldest first; the last one of each is what it is now. */
struct store_history {
    struct history_point minutes[HISTORY_MINUTES];
    struct history_point slots[HISTORY_SLOTS];
    struct history_point days[HISTORY_DAYS];
};

/* Counts them to now_s; 0 and 0: nothing is sent. [1] */
void store_history_add(struct store *store, int64_t now_s, uint64_t claimed,
                       uint64_t credited);
typedef void store_history_fn(void *arg, int rc,
                              const struct store_history *history);
/* [points] */
int store_history_read(struct store *store, int64_t now_s,
                       store_history_fn *done, void *arg);

/* A content, its demand in requests per hour, and how many nodes are to hold
 * it.  Forgotten if it is not put again for ten minutes; demand 0: at once. */
struct hot_content {
    const char *root; /* hex */
    double demand;
    unsigned wanted;
};
/* At most HOT_PUT_MAX; the hottest 256 are kept. [count log n] */
void store_hot_put(struct store *store, int64_t now_s,
                   const struct hot_content *list, size_t count);

typedef void store_hot_fn(void *arg, int rc, const struct hot_content *list,
                          size_t count, uint64_t total);
/* At most HOT_PAGE, the hottest first; total: of all that are kept.
 * [log n + page] */
int store_hot_read(struct store *store, int64_t now_s, store_hot_fn *done,
                   void *arg);

struct store_content_state {
    const char *iss, *sub;
    uint64_t size, holders, incomplete; /* incomplete: some of the holders */
};
typedef void store_content_state_fn(void *arg, int rc,
                                    const struct store_content_state *state);
/* rc -ENOENT: no such content. [log n] */
int store_content_state(struct store *store, const char *root, int64_t now_s,
                        store_content_state_fn *done, void *arg);

struct store_overview {
    uint64_t sites, bans, contents;
    uint64_t memory, memory_max; /* bytes; max 0: no limit */
    bool aof;                    /* what must last is written to disk */
    const char *version;         /* of Redis */
};
typedef void store_overview_fn(void *arg, int rc,
                               const struct store_overview *overview);
/* [1] */
int store_overview(struct store *store, store_overview_fn *done, void *arg);

#endif
