/*
 * Which piece an audit asks for: any that the node says it has, none else; and
 * what is remembered of contents that were audited lately.
 */
#include "../../coordinator/nodes/audit_cache.c"
#include "../../coordinator/nodes/audit_probe.c"

#include "tap.h"

static void
test_pick(void)
{
    struct ol_bitmap b;
    unsigned seen[12] = {0}, wrong = 0;

    must(ol_bitmap_init(&b, 12) == 0);
    is_int(audit_pick(&b, 12, 5), UINT32_MAX, "it has none");
    is_int(audit_pick(NULL, 0, 5), UINT32_MAX, "there is none");
    is_int(audit_pick(NULL, 12, 29), 5, "it has all");
    ol_bitmap_put(&b, 0, true);
    ol_bitmap_put(&b, 7, true);
    ol_bitmap_put(&b, 11, true);
    for (uint32_t random = 0; random < 3000; random++) {
        uint32_t piece = audit_pick(&b, 12, random * 2654435761u);

        wrong += piece >= 12 || !ol_bitmap_get(&b, piece);
        seen[piece < 12 ? piece : 0]++;
    }
    is_int(wrong, 0, "never one that it lacks");
    ok(seen[0] > 900 && seen[7] > 900 && seen[11] > 900, "each as often");
    is_int(audit_pick(&b, 12, UINT32_MAX), 0, "the largest number");
    ol_bitmap_clear(&b);
}

static void
test_cache(void)
{
    static struct audit_cache cache;
    static uint8_t large[AUDIT_CACHE_TABLE + 1];
    uint8_t root[OL_HASH_BYTES] = {1}, table[2][OL_HASH_BYTES] = {{7}};
    const struct audit_known *known;

    ok(audit_cache_find(&cache, "http://a", root, 0) == NULL,
       "nothing is known");
    audit_cache_put(&cache, "http://a", root, "/c/a?e=1", table[0],
                    sizeof(table), 1000);
    known = audit_cache_find(&cache, "http://a", root,
                             1000 + AUDIT_CACHE_LIFE_S - 1);
    ok(known != NULL && known->table_len == 64 && known->table[0] == 7,
       "a table is kept");
    is_str(known == NULL ? "" : known->path, "/c/a?e=1", "and its path");
    ok(audit_cache_find(&cache, "http://b", root, 1000) == NULL,
       "another site has not said so");
    ok(audit_cache_find(&cache, "http://a", root, 1000 + AUDIT_CACHE_LIFE_S) ==
           NULL,
       "not for ever");
    for (uint8_t i = 2; i < 2 + AUDIT_CACHE_ENTRIES; i++) {
        root[0] = i;
        audit_cache_put(&cache, "http://a", root, "/c/b", table[0],
                        sizeof(table), 1000 + i);
    }
    ok(audit_cache_find(&cache, "http://a", root, 1100) != NULL,
       "the last one is there");
    root[0] = 1;
    ok(audit_cache_find(&cache, "http://a", root, 1100) == NULL,
       "the first one is not");
    root[0] = 99;
    audit_cache_put(&cache, "http://a", root, "/c/d", large, sizeof(large),
                    1100);
    ok(audit_cache_find(&cache, "http://a", root, 1100) == NULL,
       "too large a table");
    audit_cache_clear(&cache);
}

int
main(void)
{
    test_pick();
    test_cache();
    return tap_done();
}
