/*
 * The swarms of one process by infohash.
 *
 * Must not know announces or Redis.
 */
#include "coordinator/tracker/table.h"

#include <stdlib.h>
#include <string.h>

#include "offload/encoding.h"

#define EVICT_LOOKS 8 /* the one heard longest ago of so many goes */

/* An infohash is a hash; the seed keeps others from choosing its bucket. */
static uint64_t
table_hash(const struct table *table, const uint8_t *infohash)
{
    uint64_t a, b;

    memcpy(&a, infohash, sizeof(a));
    memcpy(&b, infohash + 8, sizeof(b));
    a = (a ^ table->seed) * UINT64_C(0x9e3779b97f4a7c15);
    a = (a ^ a >> 32 ^ b) * UINT64_C(0xd6e8feb86659fd93);
    return a ^ a >> 32;
}

static struct entry **
bucket(struct table *table, const uint8_t *infohash)
{
    return &table->buckets[table_hash(table, infohash) % TABLE_SWARMS_MAX];
}

void
table_init(struct table *table, uint64_t seed)
{
    table->seed = seed;
    table->memory.seed = ~seed;
    table->memory.limit = TABLE_MEMORY;
}

void
table_clear(struct table *table)
{
    while (table->count > 0)
        table_drop(table, table->all[table->count - 1]);
}

void
table_expect(const struct table *table, const uint8_t *infohash, int step)
{
    size_t at = table_hash(table, infohash) % TABLE_SWARMS_MAX;
    const struct entry *e;

    if (step == 0) {
        __builtin_prefetch(&table->buckets[at]);
        return;
    }
    e = table->buckets[at];
    if (step == 1)
        __builtin_prefetch(e);
    else if (e != NULL)
        swarm_expect(&e->swarm);
}

struct entry *
table_find(struct table *table, const uint8_t *infohash)
{
    struct entry *e = *bucket(table, infohash);

    while (e != NULL &&
           memcmp(e->swarm.infohash, infohash, SWARM_HASH_BYTES) != 0)
        e = e->next;
    return e;
}

static void
table_evict(struct table *table, uint64_t random)
{
    struct entry *oldest = NULL;

    for (int i = 0; i < EVICT_LOOKS; i++, random = random * 25 + 7) {
        struct entry *e = table->all[(random >> 8) % table->count];

        if (oldest == NULL || e->seen_ms < oldest->seen_ms)
            oldest = e;
    }
    table_drop(table, oldest);
}

struct entry *
table_add(struct table *table, const uint8_t *infohash, uint64_t random)
{
    struct entry *e, **at;

    if (table->count == TABLE_SWARMS_MAX)
        table_evict(table, random);
    e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    memcpy(e->swarm.infohash, infohash, SWARM_HASH_BYTES);
    ol_hex_encode(e->swarm.hex, infohash, SWARM_HASH_BYTES);
    at = bucket(table, infohash);
    e->next = *at;
    *at = e;
    e->at = (uint32_t)table->count;
    table->all[table->count++] = e;
    return e;
}

void
table_drop(struct table *table, struct entry *entry)
{
    struct entry **at = bucket(table, entry->swarm.infohash), *last;

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    last = table->all[--table->count];
    table->all[entry->at] = last;
    last->at = entry->at;
    swarm_clear(&entry->swarm, &table->memory);
    free(entry);
}

bool
table_is_stranger(const struct table *table, const uint8_t *infohash,
                  int64_t now_ms)
{
    size_t at = table_hash(table, infohash) % TABLE_STRANGERS;

    return now_ms < table->strangers[at].until_ms &&
           memcmp(table->strangers[at].infohash, infohash, SWARM_HASH_BYTES) ==
               0;
}

void
table_add_stranger(struct table *table, const uint8_t *infohash, int64_t now_ms)
{
    size_t at = table_hash(table, infohash) % TABLE_STRANGERS;

    memcpy(table->strangers[at].infohash, infohash, SWARM_HASH_BYTES);
    table->strangers[at].until_ms = now_ms + TABLE_STRANGER_MS;
}
