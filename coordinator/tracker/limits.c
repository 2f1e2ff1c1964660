/*
 * How often one address may announce.
 *
 * Must not know what is refused to it then.
 */
#include "coordinator/tracker/limits.h"

#include <string.h>

static uint64_t
address_hash(const struct limits *limits, const struct ol_addr *addr)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};
    bool v4 = memcmp(addr->bytes, mapped, sizeof(mapped)) == 0;
    uint64_t h = 0;

    memcpy(&h, addr->bytes + (v4 ? 8 : 0), sizeof(h));
    h = (h ^ limits->seed) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

bool
limits_take(struct limits *limits, const struct ol_addr *addr, uint32_t now_s)
{
    uint64_t h = address_hash(limits, addr);
    size_t at = h % LIMITS_SLOTS;
    uint32_t tag = (uint32_t)(h >> 32) | 1, gained;

    if (limits->slots[at].tag != tag) {
        limits->slots[at].tag = tag;
        limits->slots[at].since_s = now_s;
        limits->slots[at].tokens = LIMITS_BURST;
    }
    if (now_s > limits->slots[at].since_s) {
        gained = now_s - limits->slots[at].since_s;
        if (gained > LIMITS_BURST / LIMITS_PER_S)
            gained = LIMITS_BURST / LIMITS_PER_S;
        limits->slots[at].tokens += gained * LIMITS_PER_S;
        if (limits->slots[at].tokens > LIMITS_BURST)
            limits->slots[at].tokens = LIMITS_BURST;
    }
    limits->slots[at].since_s = now_s;
    if (limits->slots[at].tokens > 0) {
        limits->slots[at].tokens--;
        return true;
    }
    return !ol_addr_is_public(addr); /* a proxy, or the operator's own */
}
