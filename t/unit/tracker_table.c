/*
 * Swarms by infohash: found while they are there, bounded in number, the ones
 * that were heard of lately kept; and strangers remembered for a moment.
 */
#include "../../coordinator/tracker/table.c"

#include "../../coordinator/tracker/swarm.c"

#include "tap.h"

static struct table table;

static const uint8_t *
infohash(uint32_t n)
{
    static uint8_t hash[SWARM_HASH_BYTES];

    n *= 2654435761u;
    memset(hash, 7, sizeof(hash));
    memcpy(hash, &n, sizeof(n));
    return hash;
}

static void
test_find(void)
{
    enum { SWARMS = 500 };
    bool there[SWARMS] = {false};
    unsigned wrong = 0, count = 0;
    struct entry *e;

    srand(1);
    for (int i = 0; i < 100000; i++) {
        uint32_t n = (uint32_t)rand() % SWARMS;

        e = table_find(&table, infohash(n));
        wrong += (e != NULL) != there[n];
        if (e != NULL && rand() % 2) {
            table_drop(&table, e);
            there[n] = false;
            count--;
        } else if (e == NULL) {
            e = table_add(&table, infohash(n), (uint64_t)rand());
            must(e != NULL);
            there[n] = true;
            count++;
        }
        wrong += table.count != count;
    }
    is_int(wrong, 0, "as a plain list would have it");
    e = table_add(&table, infohash(1000), 1);
    is_str(e->swarm.hex, "685bb30807070707070707070707070707070707",
           "with its name in hex");
    table_clear(&table);
    ok(table.count == 0 && table_find(&table, infohash(1)) == NULL, "cleared");
}

static void
test_bound(void)
{
    enum { MORE = 20000 };
    unsigned young = 0, old = 0;

    for (uint32_t n = 0; n < TABLE_SWARMS_MAX + MORE; n++) {
        struct entry *e =
            table_add(&table, infohash(n), n * UINT64_C(0x9e3779b97f4a7c15));

        must(e != NULL);
        e->seen_ms = n;
    }
    is_int(table.count, TABLE_SWARMS_MAX, "no more than there may be");
    for (uint32_t n = 0; n < 2 * MORE; n++) {
        old += table_find(&table, infohash(n)) != NULL;
        young += table_find(&table,
                            infohash(TABLE_SWARMS_MAX + MORE - 1 - n)) != NULL;
    }
    ok(young >= 2 * MORE * 99 / 100, "the latest are there (%u)", young);
    ok(old < 2 * MORE * 3 / 4, "some of the oldest went (%u stay)", old);
    table_clear(&table);
    is_int(table.memory.used, 0, "and nothing is left");
}

static void
test_strangers(void)
{
    unsigned known = 0;

    table_add_stranger(&table, infohash(1), 1000);
    ok(table_is_stranger(&table, infohash(1), 1001), "a stranger");
    ok(!table_is_stranger(&table, infohash(2), 1001), "another is none");
    ok(!table_is_stranger(&table, infohash(1), 1000 + TABLE_STRANGER_MS),
       "only for a moment");
    for (uint32_t n = 0; n < 100000; n++)
        table_add_stranger(&table, infohash(n), 1000);
    for (uint32_t n = 0; n < 100000; n++)
        known += table_is_stranger(&table, infohash(n), 1001);
    ok(known <= TABLE_STRANGERS && known > TABLE_STRANGERS / 2,
       "of 100,000 some thousand are remembered");
}

int
main(void)
{
    table_init(&table, 42);
    test_find();
    test_bound();
    test_strangers();
    return tap_done();
}
