/*
 * The contents that were audited lately, in a fixed table.
 *
 * Must not know who asks, nor fetch anything.
 */
#include "coordinator/nodes/audit_cache.h"

#include <stdlib.h>
#include <string.h>

const struct audit_known *
audit_cache_find(const struct audit_cache *cache, const char *iss,
                 const uint8_t root[OL_HASH_BYTES], int64_t now_s)
{
    for (size_t i = 0; i < AUDIT_CACHE_ENTRIES; i++) {
        const struct audit_known *known = &cache->entries[i];

        if (now_s < known->until_s &&
            memcmp(known->root, root, OL_HASH_BYTES) == 0 &&
            strcmp(known->iss, iss) == 0)
            return known;
    }
    return NULL;
}

void
audit_cache_put(struct audit_cache *cache, const char *iss,
                const uint8_t root[OL_HASH_BYTES], const char *path,
                const uint8_t *table, size_t table_len, int64_t now_s)
{
    struct audit_known *oldest = &cache->entries[0];
    uint8_t *copy;

    if (strlen(path) >= sizeof(oldest->path) ||
        strlen(iss) >= sizeof(oldest->iss) || table_len > AUDIT_CACHE_TABLE ||
        audit_cache_find(cache, iss, root, now_s) != NULL)
        return;
    copy = malloc(table_len);
    if (copy == NULL)
        return;
    for (size_t i = 1; i < AUDIT_CACHE_ENTRIES; i++)
        if (cache->entries[i].until_s < oldest->until_s)
            oldest = &cache->entries[i];
    free(oldest->table);
    memcpy(copy, table, table_len);
    memcpy(oldest->root, root, OL_HASH_BYTES);
    memcpy(oldest->iss, iss, strlen(iss) + 1);
    memcpy(oldest->path, path, strlen(path) + 1);
    oldest->table = copy;
    oldest->table_len = table_len;
    oldest->until_s = now_s + AUDIT_CACHE_LIFE_S;
}

void
audit_cache_clear(struct audit_cache *cache)
{
    for (size_t i = 0; i < AUDIT_CACHE_ENTRIES; i++)
        free(cache->entries[i].table);
    memset(cache, 0, sizeof(*cache));
}
