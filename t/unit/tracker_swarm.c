/*
 * The sample of a swarm: against a plain list while there is room, bounded
 * beyond it; handouts without the asker, doubles or the dead, near ones among
 * them, and everybody's turn.
 */
#include "../../coordinator/tracker/swarm.c"

#include "tap.h"

#define NOW 1000000
#define LIFE 3600

static struct swarm swarm;
static struct swarm_memory memory = {.seed = 42, .limit = 1 << 20};
static uint64_t state = 88172645463325252ull;

static uint64_t
random_next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void
member_make(uint8_t *to, enum swarm_kind kind, uint32_t n)
{
    memset(to, 0, swarm_member_bytes(kind));
    n = n * 2654435761u; /* all different */
    memcpy(to, &n, 4);
    to[swarm_member_bytes(kind) - 1] = 1;
}

static int
put(enum swarm_kind kind, const uint8_t *member, uint32_t expires_s,
    unsigned flags)
{
    const struct swarm_peer peer = {
        .member = member, .expires_s = expires_s, .flags = flags};

    return swarm_put(&swarm, &memory, kind, &peer, NOW);
}

/* Puts, removes and finds against a list of what has to be there. */
static void
test_model(enum swarm_kind kind)
{
    enum { PEERS = 300 };
    bool there[PEERS] = {false};
    uint8_t member[SWARM_V6_BYTES], out[PEERS * SWARM_V6_BYTES];
    unsigned wrong = 0, live = 0, bad_hand = 0;
    size_t bytes = swarm_member_bytes(kind);

    for (int i = 0; i < 100000; i++) {
        uint32_t n = random_next() % PEERS;
        struct swarm_peer found;
        struct swarm_asker asker = {
            .member = member, .now_s = NOW, .random = random_next()};
        size_t max, count, want;

        member_make(member, kind, n);
        if (random_next() % 2 != 0) {
            wrong += put(kind, member, NOW + LIFE, 0) != !there[n];
            live += !there[n];
            there[n] = true;
        } else {
            wrong += swarm_remove(&swarm, &memory, kind, member) != there[n];
            live -= there[n];
            there[n] = false;
        }
        wrong += swarm_find(&swarm, &memory, kind, member, &found) != there[n];
        wrong += swarm_count(&swarm, kind) != live;
        wrong += swarm.sets[kind].used != live;
        if (i % 16 != 0)
            continue;
        max = random_next() % 90;
        count = swarm_hand(&swarm, &memory, kind, &asker, out, max);
        want = live - there[n] < max ? live - there[n] : max;
        bad_hand += count != want;
        for (size_t k = 0; k < count; k++) {
            bad_hand += memcmp(out + k * bytes, member, bytes) == 0;
            bad_hand +=
                !swarm_find(&swarm, &memory, kind, out + k * bytes, &found);
            for (size_t m = 0; m < k; m++)
                bad_hand +=
                    memcmp(out + k * bytes, out + m * bytes, bytes) == 0;
        }
    }
    is_int(wrong, 0, "as a plain list would have it");
    is_int(bad_hand, 0,
           "handouts: all that are wanted, nobody twice, not the "
           "asker");
    ok(!swarm.sets[kind].full, "nobody had to go");
    is_int(memory.peers, live, "and all are counted");
    swarm_clear(&swarm, &memory);
    is_int(memory.used + memory.peers, 0, "nothing is left of it");
}

static void
test_bound(void)
{
    uint8_t member[SWARM_V4_BYTES], out[50 * SWARM_V4_BYTES];
    struct swarm_peer found;
    unsigned near = 0, kept = 0;
    struct swarm_asker asker = {.member = member, .now_s = NOW};

    for (uint32_t i = 0; i < 100000; i++) {
        member_make(member, SWARM_L4, i);
        put(SWARM_L4, member, NOW + 1 + i % LIFE, 0);
    }
    is_int(memory.used, SWARM_SET_MAX * 12,
           "100,000 peers: the sample is full");
    ok(swarm.sets[SWARM_L4].full, "so it is known to be a part");
    ok(swarm.sets[SWARM_L4].used <= SWARM_SET_MAX, "and no more");
    for (uint32_t i = 99990; i < 100000; i++) {
        member_make(member, SWARM_L4, i);
        kept += swarm_find(&swarm, &memory, SWARM_L4, member, &found);
    }
    ok(kept >= 9, "the last ones are there");
    for (uint8_t i = 0; i < 8; i++) {
        memcpy(member, (uint8_t[]){192, 0, 2, i, 0x1a, 0xe1}, sizeof(member));
        put(SWARM_L4, member, NOW + LIFE, 0);
    }
    is_int(swarm_hand(&swarm, &memory, SWARM_L4, &asker, out, 50), 50, "50");
    for (int i = 0; i < 50; i++)
        near += memcmp(out + i * 6, member, 3) == 0;
    ok(near >= 3, "near peers are among them");
    ok(near <= 20, "and far ones, too");
    swarm_clear(&swarm, &memory);
}

static void
test_fair(void)
{
    enum { PEERS = 500, TIMES = 4000, EACH = 50 };
    static unsigned given[PEERS];
    uint8_t member[SWARM_V6_BYTES], out[EACH * SWARM_V6_BYTES];
    unsigned least = TIMES, most = 0;

    for (uint32_t i = 0; i < PEERS; i++) {
        member_make(member, SWARM_S6, i);
        member[16] = (uint8_t)(i >> 8);
        member[17] = (uint8_t)i;
        put(SWARM_S6, member, NOW + LIFE, 0);
    }
    for (int i = 0; i < TIMES; i++) {
        struct swarm_asker asker = {.now_s = NOW, .random = random_next()};
        size_t count = swarm_hand(&swarm, &memory, SWARM_S6, &asker, out, EACH);

        for (size_t k = 0; k < count; k++)
            given[out[k * 18 + 16] << 8 | out[k * 18 + 17]]++;
    }
    for (int i = 0; i < PEERS; i++) {
        least = given[i] < least ? given[i] : least;
        most = given[i] > most ? given[i] : most;
    }
    ok(least >= TIMES * EACH / PEERS / 2, "everybody has a turn (%u)", least);
    ok(most <= TIMES * EACH / PEERS * 2, "nobody has all (%u)", most);
    swarm_clear(&swarm, &memory);
}

static void
test_zone(void)
{
    uint8_t member[SWARM_V4_BYTES], out[40 * SWARM_V4_BYTES];
    struct swarm_asker asker = {.now_s = NOW, .random = 99, .zone = 7};
    struct swarm_peer peer = {.member = member, .expires_s = NOW + LIFE}, found;
    unsigned own = 0;

    for (uint32_t i = 0; i < 160; i++) { /* one in eight is of the zone */
        member_make(member, SWARM_L4, i);
        peer.zone = i % 8 == 0 ? 7 : 3;
        swarm_put(&swarm, &memory, SWARM_L4, &peer, NOW);
    }
    is_int(swarm_hand(&swarm, &memory, SWARM_L4, &asker, out, 40), 40, "40");
    for (int i = 0; i < 40; i++)
        own += swarm_find(&swarm, &memory, SWARM_L4, out + i * 6, &found) &&
               found.zone == 7;
    ok(own >= 8 && own < 30, "more of the asker's zone than by chance (%u)",
       own);
    swarm_clear(&swarm, &memory);
}

static void
test_expiry(void)
{
    uint8_t member[SWARM_V4_BYTES], out[80 * SWARM_V4_BYTES];
    struct swarm_asker asker = {.now_s = NOW + 100, .random = 5};

    for (uint32_t i = 0; i < 40; i++) {
        member_make(member, SWARM_S4, i);
        put(SWARM_S4, member, NOW + (i < 30 ? 100 : 101), 0);
    }
    is_int(swarm_hand(&swarm, &memory, SWARM_S4, &asker, out, 80), 10,
           "the dead are not handed out");
    swarm_clear(&swarm, &memory);
}

/* What Redis tells: it is in its count, and what it does not have goes. */
static void
test_learn(void)
{
    uint8_t member[SWARM_V4_BYTES];
    struct swarm_peer found;
    unsigned there = 0;

    for (uint32_t i = 0; i < 20; i++) {
        member_make(member, SWARM_S4, i);
        put(SWARM_S4, member, NOW + 10, i == 3 ? SWARM_UNWRITTEN : 0);
    }
    member_make(member, SWARM_S4, 4);
    put(SWARM_S4, member, NOW + LIFE, 0); /* was heard since */
    for (uint32_t i = 10; i < 30; i++) {
        member_make(member, SWARM_S4, i);
        put(SWARM_S4, member, NOW + 10, SWARM_LEARNT);
    }
    is_int(swarm_count(&swarm, SWARM_S4), 20, "the learnt are not counted");
    swarm_sweep(&swarm, &memory, SWARM_S4, NOW + LIFE);
    for (uint32_t i = 0; i < 30; i++) {
        member_make(member, SWARM_S4, i);
        there += swarm_find(&swarm, &memory, SWARM_S4, member, &found);
    }
    is_int(there, 22, "the told, the unwritten and the newer stay");
    is_int(swarm.sets[SWARM_S4].used, 22, "no more");
    swarm_clear(&swarm, &memory);
}

static void
test_memory(void)
{
    uint8_t member[SWARM_V4_BYTES];

    memory.limit = 16 * 12;
    for (uint32_t i = 0; i < 1000; i++) {
        member_make(member, SWARM_S4, i);
        put(SWARM_S4, member, NOW + LIFE, 0);
    }
    ok(memory.used <= memory.limit, "no set grows beyond the limit");
    is_int(put(SWARM_S6, (uint8_t[18]){1}, NOW + LIFE, 0), -ENOMEM,
           "nor does a new one");
    swarm_clear(&swarm, &memory);
    memory.limit = 1 << 20;
}

/* A peer of the network that floods, by its port or its last byte. */
static void
flood_make(uint8_t *to, enum swarm_kind kind, uint32_t n)
{
    size_t bytes = swarm_member_bytes(kind);

    memset(to, 0xee, bytes);
    to[bytes - 3] = (uint8_t)(n >> 16);
    to[bytes - 2] = (uint8_t)(n >> 8);
    to[bytes - 1] = (uint8_t)n;
}

static unsigned
honest_count(enum swarm_kind kind, unsigned honest)
{
    uint8_t member[SWARM_V6_BYTES];
    struct swarm_peer found;
    unsigned count = 0;

    for (uint32_t i = 0; i < honest; i++) {
        member_make(member, kind, i);
        count += swarm_find(&swarm, &memory, kind, member, &found);
    }
    return count;
}

/* Peers of honest networks in so many handouts of 50, on average. */
static unsigned
honest_handed(enum swarm_kind kind)
{
    uint8_t member[SWARM_V6_BYTES] = {1}, out[50 * SWARM_V6_BYTES];
    size_t bytes = swarm_member_bytes(kind);
    unsigned handed = 0;

    for (int i = 0; i < 100; i++) {
        struct swarm_asker asker = {
            .member = member, .now_s = NOW, .random = random_next()};
        size_t count = swarm_hand(&swarm, &memory, kind, &asker, out, 50);

        for (size_t k = 0; k < count; k++)
            handed += memcmp(out + k * bytes, "\xee\xee\xee", 3) != 0;
    }
    return handed / 100;
}

/* One network announces without end, and ends later than all others. */
static void
test_flood(enum swarm_kind kind, unsigned honest)
{
    uint8_t member[SWARM_V6_BYTES];

    for (uint32_t i = 0; i < honest; i++) {
        member_make(member, kind, i);
        put(kind, member, NOW + LIFE, 0);
    }
    for (uint32_t i = 0; i < 100000; i++) {
        flood_make(member, kind, i);
        put(kind, member, NOW + 2 * LIFE, 0);
    }
    ok(honest_count(kind, honest) >= honest * 7 / 10,
       "a flood of one network: of %u others %u stay", honest,
       honest_count(kind, honest));
    /* One may share its counter with the flood. */
    ok(honest_handed(kind) >= (honest < 37 ? honest - 1 : 37),
       "and %u of 50 are handed out", honest_handed(kind));
    swarm_clear(&swarm, &memory);
    memset(&swarm, 0, sizeof(swarm));
}

int
main(void)
{
    test_model(SWARM_S4);
    test_model(SWARM_L6);
    test_bound();
    test_fair();
    test_zone();
    test_expiry();
    test_learn();
    test_memory();
    for (int kind = SWARM_L4; kind < SWARM_KINDS; kind += 2) {
        test_flood((enum swarm_kind)kind, 10);
        test_flood((enum swarm_kind)kind, 300);
        test_flood((enum swarm_kind)kind, 900);
    }
    return tap_done();
}
