/*
 * How often one address may do something.
 *
 * Must not know what, nor what is refused to it then.
 */
#include "coordinator/limits.h"

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

/* Its tokens, with what it has gained since. */
static uint32_t *
tokens_find(struct limits *limits, const struct ol_addr *addr, uint32_t now_s)
{
    const struct limit *limit = &limits->limit;
    uint64_t h = address_hash(limits, addr), tokens;
    size_t at = h % LIMITS_SLOTS;
    uint32_t tag = (uint32_t)(h >> 32) | 1, periods;

    if (limits->slots[at].tag != tag) {
        limits->slots[at].tag = tag;
        limits->slots[at].since_s = now_s;
        limits->slots[at].tokens = limit->burst;
    }
    if (now_s < limits->slots[at].since_s) /* the clock was set back */
        limits->slots[at].since_s = now_s;
    periods = (now_s - limits->slots[at].since_s) / limit->period_s;
    limits->slots[at].since_s += periods * limit->period_s;
    tokens = limits->slots[at].tokens + (uint64_t)periods * limit->refill;
    limits->slots[at].tokens =
        tokens < limit->burst ? (uint32_t)tokens : limit->burst;
    return &limits->slots[at].tokens;
}

bool
limits_take(struct limits *limits, const struct ol_addr *addr, uint32_t now_s)
{
    uint32_t *tokens = tokens_find(limits, addr, now_s);

    if (*tokens > 0) {
        --*tokens;
        return true;
    }
    return !ol_addr_is_public(addr); /* a proxy, or the operator's own */
}

void
limits_give(struct limits *limits, const struct ol_addr *addr, uint32_t now_s)
{
    uint32_t *tokens = tokens_find(limits, addr, now_s);

    *tokens += *tokens < limits->limit.burst;
}

uint32_t
limits_left(struct limits *limits, const struct ol_addr *addr, uint32_t now_s)
{
    return ol_addr_is_public(addr) ? *tokens_find(limits, addr, now_s)
                                   : limits->limit.burst;
}
