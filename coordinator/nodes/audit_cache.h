/*
 * What sites have told audits of contents lately: path with ticket, and table.
 *
 * Sites count who asks them for a manifest as demand, so audits ask but seldom:
 * many audits of few contents must not make these look wanted.  Pure: the time
 * is passed in.
 */
#ifndef COORDINATOR_AUDIT_CACHE_H
#define COORDINATOR_AUDIT_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"
#include "offload/origin.h"

#define AUDIT_CACHE_ENTRIES 32
#define AUDIT_CACHE_TABLE (128u << 10) /* bytes; larger ones are not kept */
#define AUDIT_CACHE_LIFE_S 540         /* a ticket is good for 600 s at least */
#define AUDIT_CACHE_PATH 512           /* with the NUL */

struct audit_known {
    char iss[OL_ORIGIN_MAX]; /* who said so; others may say something else */
    uint8_t root[OL_HASH_BYTES];
    int64_t until_s; /* 0: none */
    char path[AUDIT_CACHE_PATH];
    uint8_t *table;
    size_t table_len;
};

struct audit_cache {
    struct audit_known entries[AUDIT_CACHE_ENTRIES];
};

/* NULL: not there, or too old. */
const struct audit_known *audit_cache_find(const struct audit_cache *cache,
                                           const char *iss,
                                           const uint8_t root[OL_HASH_BYTES],
                                           int64_t now_s);
/* Instead of the oldest; without memory, or if it is too large, it is not. */
void audit_cache_put(struct audit_cache *cache, const char *iss,
                     const uint8_t root[OL_HASH_BYTES], const char *path,
                     const uint8_t *table, size_t table_len, int64_t now_s);
void audit_cache_clear(struct audit_cache *cache);

#endif
