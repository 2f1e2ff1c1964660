/*
 * How often strangers may make this process call a foreign server.
 *
 * Pure: must not know who calls whom.
 */
#include "coordinator/pace.h"

#include <string.h>

void
pace_init(struct pace *pace, uint64_t seed, struct pace_limit limit)
{
    memset(pace, 0, sizeof(*pace));
    pace->seed = seed;
    pace->limit = limit;
}

/* FNV-1a from a random start, mixed at the end: quick, and not to be guessed.
 */
static uint64_t
hash(uint64_t seed, const uint8_t *key, size_t len)
{
    uint64_t h = seed ^ UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        h = (h ^ key[i]) * UINT64_C(0x100000001b3);
    h ^= h >> 32;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

bool
pace_take(struct pace *pace, const void *key, size_t len, int64_t now_ms)
{
    size_t at = hash(pace->seed, key, len) % PACE_SLOTS;
    int64_t gained;

    if (!pace->slots[at].used) {
        pace->slots[at].used = true;
        pace->slots[at].tokens = pace->limit.burst;
        pace->slots[at].since_ms = now_ms;
    }
    gained = (now_ms - pace->slots[at].since_ms) / pace->limit.refill_ms;
    if (gained < 0) /* the clock was set back */
        pace->slots[at].since_ms = now_ms;
    if (gained > 0) {
        pace->slots[at].since_ms += gained * pace->limit.refill_ms;
        pace->slots[at].tokens =
            gained < pace->limit.burst - pace->slots[at].tokens
                ? pace->slots[at].tokens + (uint32_t)gained
                : pace->limit.burst;
    }
    if (pace->slots[at].tokens == 0)
        return false;
    pace->slots[at].tokens--;
    return true;
}

size_t
pace_source(const struct ol_addr *addr, uint8_t ret[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};

    memcpy(ret, addr->bytes, 16);
    return memcmp(addr->bytes, mapped, sizeof(mapped)) == 0 ? 16 : 8;
}
