/*
 * The state behind tracker.h, shared by tracker.c (announces and scrapes),
 * looks.c (what Redis is asked) and writes.c (what it is told).  For these
 * alone.
 */
#ifndef COORDINATOR_TRACKER_STATE_H
#define COORDINATOR_TRACKER_STATE_H

#include "coordinator/limits.h"
#include "coordinator/store/swarms.h"
#include "coordinator/tracker/announce.h"
#include "coordinator/tracker/table.h"
#include "coordinator/tracker/tracker.h"

#define LOOKS_MAX 4096   /* asked of Redis at a time */
#define LOOKS_PER_S 1000 /* at swarms that are known; else the sample does */
#define STRANGERS_PER_S 20000
/*
 * A seedbox with a thousand torrents starts within a minute or so, and a client
 * with two addresses and hybrid torrents announces four times at once.
 */
#define ANNOUNCES ((struct limit){2000, 20, 1})
/*
 * Infohashes that were not registered; who has asked for some is let have half
 * of the looks that there are for swarms that are not known.
 */
#define STRANGERS ((struct limit){200, 1, 1})
#define STRANGERS_SOME 8
#define SCRAPES_PER_S 20000 /* infohashes; else what is known here */
/* A swarm is looked at again when it is announced so long after the last time;
 * if it had few announces since then, that one waits for it. */
#define LOOK_STALE_MS 2000
#define LOOK_FEW 8
/* After TRACKER_LATE_MS the sample has to do, and does for so long. */
#define LOOK_SLOW_MS 5000
#define LOOK_BUCKETS 1024
#define DOUBTS_MAX 1024
/* Redis did not know the swarm: looked at again after this, it is dropped, but
 * not so soon after Redis has lost everything. */
#define DOUBT_MS 3000
#define DOUBT_GRACE_MS 120000
#define TRACKER_TICK_MS 250
#define REWRITE_TICK_MS 10
#define REWRITE_SWARMS 1024 /* in one tick */
/* Whether Redis takes writes is asked so often; what it did not take is
 * written again after that, as often as it needs. */
#define REWRITE_AGAIN_MS 2000
/* Writes may arrive so much later than a look that is sent after them. */
#define REWRITE_LAG_S 3

LIST_HEAD(wait_list, tracker_wait);

struct look {
    struct tracker *tracker;
    uint8_t infohash[SWARM_HASH_BYTES];
    uint32_t sent_s;
    int64_t sent_ms;
    struct wait_list waits;
    TAILQ_ENTRY(look) link; /* oldest first */
    LIST_ENTRY(look) bucket;
};

struct allowance { /* so many a second */
    int64_t second;
    unsigned left;
};

struct doubt {
    uint8_t infohash[SWARM_HASH_BYTES];
    int64_t due_ms;
};

struct tracker {
    struct app *app;
    struct limits announces, strangers; /* by address */
    struct table table;
    uint64_t random;
    uint32_t epoch;   /* rises when Redis is another one */
    int64_t fresh_ms; /* when that was */

    TAILQ_HEAD(look_list, look) looks;
    LIST_HEAD(look_bucket, look) look_buckets[LOOK_BUCKETS];
    TAILQ_HEAD(scrape_list, scrape) scrapes; /* oldest first */
    unsigned look_count, wait_count;
    int64_t slow_until_ms;
    struct allowance looks_left, scrapes_left;
    struct allowance strangers_left[2]; /* [1]: of those who asked in vain */
    struct doubt doubts[DOUBTS_MAX];    /* a ring, in the order they are due */
    size_t doubt_first, doubt_count;

    size_t rewrite;   /* entries that are still to be written; from the last */
    bool rewrite_all; /* not only what is marked as unwritten */
    bool rewrite_again; /* some are marked since it began */
    bool full, probing; /* full: Redis takes no writes */
    unsigned breaks;    /* of the connection for writes, that are made good */
    int64_t probed_ms;
    uv_timer_t tick, rewriting;
    unsigned handles;
};

uint64_t tracker_random(struct tracker *tracker);
uint32_t tracker_life_s(const struct tracker *tracker);
/* A number for the address's country, 0 if it is not known. */
uint8_t tracker_zone(const struct tracker *tracker, const struct ol_addr *addr);
/* Found, and its counts are about the Redis of now. */
struct entry *tracker_find(struct tracker *tracker, const uint8_t *infohash);

/* looks.c */
struct look *look_find(struct tracker *tracker, const uint8_t *infohash);
/* entry: NULL if it is not known.  0, -EAGAIN, -ENOTCONN. */
int look_start(struct tracker *tracker, const uint8_t *infohash,
               struct entry *entry, int64_t now_ms);
/* Ends waits that Redis keeps waiting, and looks at what is doubted. */
void looks_tick(struct tracker *tracker, int64_t now_ms);
bool allowance_take(struct allowance *allowance, unsigned per_s,
                    int64_t now_ms);

/* writes.c */
void writes_send(struct tracker *tracker, struct entry *entry,
                 const struct announce_plan *plan, uint32_t now_s);
/* All samples are written again, or just what Redis has not been told. */
void rewrite_start(struct tracker *tracker, bool all);
/* Starts it if something was not taken, or may have been lost. */
void rewrite_tick(struct tracker *tracker, int64_t now_ms);
/* Whether Redis has been told all of the sample, as far as is known. */
bool rewrite_is_done(const struct tracker *tracker);

#endif
