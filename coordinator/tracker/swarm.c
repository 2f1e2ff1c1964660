/*
 * The sample of a swarm's peers: sets of slots in buckets of eight.
 *
 * A slot is the member (6 or 18 bytes), a byte of flags, one of zone, and 4 of
 * expiry in seconds since 1970, 0 if it is free.  Must not know who announces,
 * Redis, or what is answered.
 */
#include "coordinator/tracker/swarm.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MAX (SWARM_SET_MAX / SWARM_WAYS)
#define PREFIX_V4 3 /* a /24 */
#define PREFIX_V6 6 /* a /48 */
#define NEAR_KEPT 4 /* of one network, in its bucket */
/* So much fuller may its bucket be than the peer's own. */
#define NEAR_FIRST 2
#define ZONE_LOOKS 4   /* at so many peers, for each that is wanted */
#define NETWORKS 64    /* told apart in one handout: 6 bits of a hash */
#define LINE 64        /* bytes of the cache */
#define EXPECT_MAX 256 /* bytes of each set */
#define TAIL_BYTES 6   /* flags, zone, expiry */

static size_t
slot_bytes(enum swarm_kind kind)
{
    return swarm_member_bytes(kind) + TAIL_BYTES;
}

static uint32_t
slot_expiry(const uint8_t *slot, size_t member)
{
    uint32_t expires_s;

    memcpy(&expires_s, slot + member + 2, sizeof(expires_s));
    return expires_s;
}

static unsigned
slot_flags(const uint8_t *slot, size_t member)
{
    return slot[member];
}

static void
slot_set(uint8_t *slot, size_t member, const struct swarm_peer *peer)
{
    memcpy(slot, peer->member, member);
    slot[member] = (uint8_t)peer->flags;
    slot[member + 1] = peer->zone;
    memcpy(slot + member + 2, &peer->expires_s, sizeof(peer->expires_s));
}

/* Where a peer may lie. */

static uint64_t
mix(uint64_t h)
{
    h *= UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

static uint64_t
hash(uint64_t seed, const uint8_t *bytes, size_t len)
{
    uint64_t h = seed, word;

    for (; len > 0; bytes += word == 0 ? 8 : word) {
        uint64_t part = 0;

        word = len < 8 ? len : 0;
        memcpy(&part, bytes, word == 0 ? 8 : word);
        h = mix(h ^ part);
        len -= word == 0 ? 8 : word;
    }
    return h;
}

struct home {
    uint8_t *bucket[2]; /* its network's, and its own */
    size_t bytes, member;
};

static size_t
prefix_bytes(size_t member)
{
    return member == SWARM_V4_BYTES ? PREFIX_V4 : PREFIX_V6;
}

/* The network as a number.  A slot has 8 bytes, whatever its member has. */
static uint64_t
network_of(const uint8_t *slot, size_t member)
{
    uint64_t word;

    memcpy(&word, slot, sizeof(word));
    return be64toh(word) >> (64 - 8 * prefix_bytes(member));
}

static size_t
network_bucket(const struct swarm_set *set, uint64_t seed,
               const uint8_t *member, size_t bytes)
{
    return hash(~seed, member, prefix_bytes(bytes)) & (set->buckets - 1u);
}

static void
home_find(const struct swarm_set *set, uint64_t seed, enum swarm_kind kind,
          const uint8_t *member, struct home *ret)
{
    size_t own;

    ret->member = swarm_member_bytes(kind);
    ret->bytes = slot_bytes(kind);
    own = hash(seed, member, ret->member) & (set->buckets - 1u);
    ret->bucket[0] =
        set->slots + network_bucket(set, seed, member, ret->member) *
                         SWARM_WAYS * ret->bytes;
    ret->bucket[1] = set->slots + own * SWARM_WAYS * ret->bytes;
}

static uint8_t *
slot_find(const struct swarm_set *set, uint64_t seed, enum swarm_kind kind,
          const uint8_t *member)
{
    struct home home;

    if (set->buckets == 0)
        return NULL;
    home_find(set, seed, kind, member, &home);
    for (size_t i = 0; i < 2 * SWARM_WAYS; i++) {
        uint8_t *slot =
            home.bucket[i / SWARM_WAYS] + i % SWARM_WAYS * home.bytes;

        if (memcmp(slot, member, home.member) == 0 &&
            slot_expiry(slot, home.member) != 0)
            return slot;
    }
    return NULL;
}

/* What one bucket has for a newcomer. */
struct room {
    size_t free, near; /* slots, and peers of its network */
    uint8_t *slot;     /* a free one, or one whose peer has expired */
    uint8_t *worst;    /* the one of another network that ends first */
};

static void
room_look(const struct home *home, size_t which, const uint8_t *member,
          uint32_t now_s, struct room *ret)
{
    uint32_t least = UINT32_MAX, expires_s;

    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < SWARM_WAYS; i++) {
        uint8_t *slot = home->bucket[which] + i * home->bytes;

        expires_s = slot_expiry(slot, home->member);
        if (expires_s <= now_s) {
            ret->free++;
            ret->slot = slot;
        } else if (which == 0 &&
                   memcmp(slot, member, prefix_bytes(home->member)) == 0) {
            ret->near++;
        } else if (expires_s < least) {
            least = expires_s;
            ret->worst = slot;
        }
    }
}

/*
 * Of a full bucket the one that ends first of those whose network has most
 * there: a flood from one network drives out its own, not others.
 */
static uint8_t *
bucket_worst(uint8_t *bucket, const struct home *home)
{
    uint64_t networks[SWARM_WAYS];
    unsigned same[SWARM_WAYS] = {0};
    size_t worst = 0;
    uint32_t least = UINT32_MAX, expires_s;

    for (size_t i = 0; i < SWARM_WAYS; i++) {
        networks[i] = network_of(bucket + i * home->bytes, home->member);
        for (size_t k = 0; k < i; k++) {
            bool is_same = networks[i] == networks[k];

            same[i] += is_same;
            same[k] += is_same;
        }
    }
    for (size_t i = 0; i < SWARM_WAYS; i++) {
        expires_s = slot_expiry(bucket + i * home->bytes, home->member);
        if (same[i] > same[worst] ||
            (same[i] == same[worst] && expires_s < least)) {
            worst = i;
            least = expires_s;
        }
    }
    return bucket + worst * home->bytes;
}

/*
 * A slot that is free or whose peer has expired, in its network's bucket unless
 * its own is clearly emptier; else NULL, and *ret_worst is who has to go: one
 * of another network, as long as few of the peer's are in that bucket, or one
 * of its own bucket.
 */
static uint8_t *
slot_free(const struct swarm_set *set, uint64_t seed, enum swarm_kind kind,
          const uint8_t *member, uint32_t now_s, uint8_t **ret_worst)
{
    struct home home;
    struct room network, own;

    *ret_worst = NULL;
    if (set->buckets == 0)
        return NULL;
    home_find(set, seed, kind, member, &home);
    room_look(&home, 0, member, now_s, &network);
    room_look(&home, 1, member, now_s, &own);
    if (network.free > 0 || own.free > 0)
        return network.free > 0 && network.free + NEAR_FIRST >= own.free
                   ? network.slot
                   : own.slot;
    *ret_worst = network.near < NEAR_KEPT ? network.worst
                                          : bucket_worst(home.bucket[1], &home);
    return NULL;
}

void
swarm_expect(const struct swarm *swarm)
{
    for (int kind = 0; kind < SWARM_KINDS; kind++) {
        const struct swarm_set *set = &swarm->sets[kind];
        size_t bytes = (size_t)set->buckets * SWARM_WAYS *
                       slot_bytes((enum swarm_kind)kind);

        if (bytes > EXPECT_MAX)
            bytes = EXPECT_MAX;
        for (size_t at = 0; at < bytes; at += LINE)
            __builtin_prefetch(set->slots + at);
    }
}

/* Comings and goings. */

static void
set_count(struct swarm_set *set, int32_t change)
{
    if (!set->full) {
        set->delta += change;
        set->since += change;
    }
}

/* Twice the buckets, or the first one.  What finds no place there is lost. */
static int
set_grow(struct swarm_set *set, struct swarm_memory *memory,
         enum swarm_kind kind, uint32_t now_s)
{
    size_t bytes = slot_bytes(kind), member = swarm_member_bytes(kind);
    struct swarm_set grown = *set;
    size_t old = (size_t)set->buckets * SWARM_WAYS;
    size_t added;

    if (set->buckets >= BUCKETS_MAX)
        return -ENOSPC;
    grown.buckets = set->buckets == 0 ? 1 : (uint16_t)(2 * set->buckets);
    added = ((size_t)grown.buckets - set->buckets) * SWARM_WAYS * bytes;
    if (memory->used + added > memory->limit)
        return -ENOSPC;
    grown.slots = calloc(grown.buckets, SWARM_WAYS * bytes);
    if (grown.slots == NULL)
        return -ENOSPC;
    grown.used = 0;
    for (size_t i = 0; i < old; i++) {
        const uint8_t *slot = set->slots + i * bytes;
        uint8_t *to, *worst;

        if (slot_expiry(slot, member) == 0)
            continue;
        to = slot_free(&grown, memory->seed, kind, slot, now_s, &worst);
        if (to == NULL)
            continue;
        grown.used += slot_expiry(to, member) == 0;
        memcpy(to, slot, bytes);
    }
    memory->used += added;
    memory->peers -= set->used - grown.used;
    free(set->slots);
    *set = grown;
    return 0;
}

bool
swarm_find(const struct swarm *swarm, const struct swarm_memory *memory,
           enum swarm_kind kind, const uint8_t *member, struct swarm_peer *ret)
{
    const uint8_t *slot =
        slot_find(&swarm->sets[kind], memory->seed, kind, member);
    size_t bytes = swarm_member_bytes(kind);

    if (slot == NULL)
        return false;
    ret->member = member;
    ret->expires_s = slot_expiry(slot, bytes);
    ret->flags = slot_flags(slot, bytes);
    ret->zone = slot[bytes + 1];
    return true;
}

int
swarm_put(struct swarm *swarm, struct swarm_memory *memory,
          enum swarm_kind kind, const struct swarm_peer *peer, uint32_t now_s)
{
    struct swarm_set *set = &swarm->sets[kind];
    size_t member = swarm_member_bytes(kind);
    uint8_t *slot = slot_find(set, memory->seed, kind, peer->member), *worst;
    bool learnt = peer->flags & SWARM_LEARNT;

    if (slot != NULL) {
        slot_set(slot, member, peer);
        return 0;
    }
    while ((slot = slot_free(set, memory->seed, kind, peer->member, now_s,
                             &worst)) == NULL &&
           set_grow(set, memory, kind, now_s) == 0) {
    }
    if (slot == NULL && worst == NULL)
        return -ENOMEM;
    if (slot == NULL) {
        set->full = true;
        slot = worst;
    } else if (slot_expiry(slot, member) == 0) {
        set->used++;
        memory->peers++;
    } else {
        set_count(set, -1); /* the one that has expired */
    }
    slot_set(slot, member, peer);
    if (!learnt)
        set_count(set, 1);
    return 1;
}

bool
swarm_remove(struct swarm *swarm, struct swarm_memory *memory,
             enum swarm_kind kind, const uint8_t *member)
{
    struct swarm_set *set = &swarm->sets[kind];
    uint8_t *slot = slot_find(set, memory->seed, kind, member);

    if (slot == NULL)
        return false;
    memset(slot, 0, slot_bytes(kind));
    set->used--;
    memory->peers--;
    set_count(set, -1);
    return true;
}

void
swarm_sweep(struct swarm *swarm, struct swarm_memory *memory,
            enum swarm_kind kind, uint32_t before_s)
{
    struct swarm_set *set = &swarm->sets[kind];
    size_t bytes = slot_bytes(kind), member = swarm_member_bytes(kind);

    for (size_t i = 0; i < (size_t)set->buckets * SWARM_WAYS; i++) {
        uint8_t *slot = set->slots + i * bytes;
        unsigned flags = slot_flags(slot, member);
        uint32_t expires_s = slot_expiry(slot, member);

        slot[member] = (uint8_t)(flags & ~(unsigned)SWARM_LEARNT);
        if (expires_s != 0 && expires_s < before_s &&
            (flags & (SWARM_LEARNT | SWARM_UNWRITTEN)) == 0) {
            memset(slot, 0, bytes);
            set->used--;
            memory->peers--;
        }
    }
}

void
swarm_clear(struct swarm *swarm, struct swarm_memory *memory)
{
    for (int kind = 0; kind < SWARM_KINDS; kind++) {
        struct swarm_set *set = &swarm->sets[kind];

        memory->peers -= set->used;
        memory->used -= (size_t)set->buckets * SWARM_WAYS *
                        slot_bytes((enum swarm_kind)kind);
        free(set->slots);
        memset(set, 0, sizeof(*set));
    }
}

void
swarm_visit(const struct swarm *swarm, enum swarm_kind kind,
            swarm_visit_fn *visit, void *arg)
{
    const struct swarm_set *set = &swarm->sets[kind];
    size_t bytes = slot_bytes(kind), member = swarm_member_bytes(kind);

    for (size_t i = 0; i < (size_t)set->buckets * SWARM_WAYS; i++) {
        const uint8_t *slot = set->slots + i * bytes;
        const struct swarm_peer peer = {.member = slot,
                                        .expires_s = slot_expiry(slot, member),
                                        .flags = slot_flags(slot, member),
                                        .zone = slot[member + 1]};

        if (peer.expires_s != 0)
            visit(arg, &peer);
    }
}

/* Handouts. */

struct handout {
    const struct swarm_set *set;
    const struct swarm_asker *asker;
    size_t member, bytes;
    uint8_t *to;
    size_t count;
    uint64_t seed;
    uint64_t given[SWARM_SET_MAX / 64]; /* a bit for each slot */
    uint8_t networks[NETWORKS];         /* how many of each, by hash */
    size_t share;                       /* of one of these, if all are */
};
enum handout_which { HANDOUT_NEAR, HANDOUT_ZONE, HANDOUT_SPREAD, HANDOUT_ANY };

static void
handout_add(struct handout *h, size_t at, enum handout_which which)
{
    const struct swarm_asker *asker = h->asker;
    const uint8_t *slot = h->set->slots + at * h->bytes;
    uint8_t *network;

    if (slot_expiry(slot, h->member) <= asker->now_s ||
        (h->given[at / 64] >> at % 64 & 1) != 0)
        return;
    if (which == HANDOUT_ZONE && slot[h->member + 1] != asker->zone)
        return;
    if (asker->member != NULL &&
        (memcmp(slot, asker->member, h->member) == 0 ||
         (which == HANDOUT_NEAR &&
          memcmp(slot, asker->member, prefix_bytes(h->member)) != 0)))
        return;
    network = &h->networks[(network_of(slot, h->member) ^ h->seed) *
                               UINT64_C(0x9e3779b97f4a7c15) >>
                           58];
    if (which == HANDOUT_SPREAD && *network >= h->share)
        return;
    ++*network;
    h->given[at / 64] |= UINT64_C(1) << at % 64;
    memcpy(h->to + h->count++ * h->member, slot, h->member);
}

/* Walks over so many slots from `at` on, until there are max peers. */
static void
handout_walk(struct handout *h, size_t at, size_t steps, size_t max,
             enum handout_which which)
{
    size_t slots = (size_t)h->set->buckets * SWARM_WAYS;

    for (; steps > 0 && h->count < max; steps--) {
        handout_add(h, at, which);
        if (++at == slots)
            at = 0;
    }
}

/*
 * If there are more than fit, up to a quarter is near, and as much again of
 * the asker's zone; the rest is spread over networks as long as there are
 * others, so that one network cannot crowd them out.
 */
size_t
swarm_hand(const struct swarm *swarm, const struct swarm_memory *memory,
           enum swarm_kind kind, const struct swarm_asker *asker, uint8_t *ret,
           size_t max)
{
    const struct swarm_set *set = &swarm->sets[kind];
    struct handout h = {.set = set,
                        .asker = asker,
                        .member = swarm_member_bytes(kind),
                        .bytes = slot_bytes(kind),
                        .seed = memory->seed,
                        .share = (max + 3) / 4,
                        .to = ret};
    size_t slots = (size_t)set->buckets * SWARM_WAYS, at, near, steps;

    if (set->used == 0 || max == 0)
        return 0;
    at = (size_t)(asker->random % slots);
    if (set->used > max && asker->member != NULL) {
        near = network_bucket(set, memory->seed, asker->member, h.member);
        handout_walk(&h, near * SWARM_WAYS, SWARM_WAYS, h.share, HANDOUT_NEAR);
    }
    if (set->used > max && asker->zone != 0) {
        steps = ZONE_LOOKS * max * slots / set->used;
        handout_walk(&h, at, steps < slots ? steps : slots, h.count + h.share,
                     HANDOUT_ZONE);
    }
    if (set->used > max)
        handout_walk(&h, at, slots, max, HANDOUT_SPREAD);
    handout_walk(&h, at, slots, max, HANDOUT_ANY);
    return h.count;
}

uint32_t
swarm_count(const struct swarm *swarm, enum swarm_kind kind)
{
    const struct swarm_set *set = &swarm->sets[kind];
    int64_t count = (int64_t)set->base + set->delta;

    return count < 0 ? 0 : (uint32_t)count;
}
