/*
 * The swarms of one process by infohash, and the infohashes that were found
 * not to be registered a moment ago.  Both bounded: beyond, the swarm goes that
 * was not heard of for longest, of some.
 */
#ifndef COORDINATOR_TRACKER_TABLE_H
#define COORDINATOR_TRACKER_TABLE_H

#include "coordinator/tracker/swarm.h"

/*
 * With 16 peers each about 800 bytes a swarm: 100 MB.  Sets stop growing at
 * TABLE_MEMORY; then all is at most 140 MB, however many peers there are.
 */
#define TABLE_SWARMS_MAX 131072
#define TABLE_MEMORY (96u << 20)
#define TABLE_STRANGERS 8192
#define TABLE_STRANGER_MS 2000

struct entry {
    struct swarm swarm;
    struct entry *next;
    uint32_t at;        /* in the table's list */
    uint32_t announces; /* since Redis was asked last */
    uint32_t epoch;     /* of the store that `base` is about */
    bool looking;       /* Redis is being asked */
    bool doubted;       /* Redis did not know it last time */
    int64_t looked_ms, seen_ms;
};

struct table {
    uint64_t seed;
    struct swarm_memory memory;
    struct entry *buckets[TABLE_SWARMS_MAX];
    struct entry *all[TABLE_SWARMS_MAX];
    size_t count;
    struct {
        uint8_t infohash[SWARM_HASH_BYTES];
        int64_t until_ms;
    } strangers[TABLE_STRANGERS];
};

void table_init(struct table *table, uint64_t seed);
void table_clear(struct table *table);

/* It will be looked for soon: fetches into the cache where it hangs, then (when
 * that has arrived) itself, then its peers. */
#define TABLE_EXPECT_STEPS 3
void table_expect(const struct table *table, const uint8_t *infohash, int step);
struct entry *table_find(struct table *table, const uint8_t *infohash);
/* Which is not there; NULL without memory. */
struct entry *table_add(struct table *table, const uint8_t *infohash,
                        uint64_t random);
void table_drop(struct table *table, struct entry *entry);

bool table_is_stranger(const struct table *table, const uint8_t *infohash,
                       int64_t now_ms);
void table_add_stranger(struct table *table, const uint8_t *infohash,
                        int64_t now_ms);

#endif
