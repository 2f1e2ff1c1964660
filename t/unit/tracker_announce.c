/*
 * What an announce does and what it is answered, rule by rule, and by chance:
 * whatever is announced, the counts are those of a plain list, nobody is handed
 * himself, and a seeder is handed leechers alone.
 */
#include "../../coordinator/tracker/announce.c"

#include "../../coordinator/tracker/bencode.c"
#include "../../coordinator/tracker/swarm.c"

#include "tap.h"

#define NOW 1000000
#define LIFE 3600
#define LEECHER 1000

static struct swarm swarm;
static struct swarm_memory memory = {.seed = 7, .limit = 1 << 20};
static struct announce_now now;
static struct announce_answer answer;
static struct announce_plan plan;
static uint64_t state = 88172645463325252ull;

static uint64_t
random_next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static struct announce
peer_of(const char *addr, uint16_t port, uint64_t left)
{
    struct announce a = {.port = port, .left = left, .want = -1};

    must(ol_addr_parse(addr, &a.addr) == 0);
    return a;
}

static void
decide(const struct announce *a)
{
    now.random = random_next();
    now.interval_s = 1800;
    now.life_s = LIFE;
    announce_decide(&swarm, &memory, a, &now, &answer, &plan);
}

static void
announce(const char *addr, uint16_t port, uint64_t left,
         enum announce_event event)
{
    struct announce a = peer_of(addr, port, left);

    a.event = event;
    decide(&a);
}

static void
reset(void)
{
    swarm_clear(&swarm, &memory);
    memset(&swarm, 0, sizeof(swarm));
    memset(&now, 0, sizeof(now));
    now.time_s = NOW;
}

static bool
planned(size_t i, enum announce_write what, enum swarm_kind kind)
{
    return i < plan.count && plan.writes[i].what == what &&
           plan.writes[i].kind == kind;
}

static void
test_roles(void)
{
    reset();
    announce("192.0.2.1", 6881, 0, ANNOUNCE_STARTED);
    ok(planned(0, ANNOUNCE_PUT, SWARM_S4) && plan.expires_s == NOW + LIFE,
       "a seed is written, for its life");
    is_mem(plan.member, "\xc0\0\2\1\x1a\xe1", 6, "in network order");
    is_int(answer.count4, 0, "nobody is there");
    announce("192.0.2.2", 6881, 0, ANNOUNCE_STARTED);
    is_int(answer.count4, 0, "a seeder is not handed a seeder");
    is_int(answer.seeds, 2, "but both count");
    announce("192.0.2.3", 6881, UINT64_MAX, ANNOUNCE_NONE);
    ok(planned(0, ANNOUNCE_PUT, SWARM_L4), "left missing: a leecher");
    is_int(answer.count4, 2, "who is handed both seeders");
    announce("192.0.2.1", 6881, 0, ANNOUNCE_NONE);
    is_int(answer.count4, 1, "a seeder is handed the leecher");
    is_mem(answer.peers4, "\xc0\0\2\3\x1a\xe1", 6, "that one");
    is_int(answer.leechers, 1, "counted");
    announce("192.0.2.3", 6882, 5, ANNOUNCE_NONE);
    is_int(answer.count4, 3, "the same address, another port: another peer");
    announce("192.0.2.3", 6882, 5, ANNOUNCE_PAUSED);
    ok(answer.count4 == 1 && answer.leechers == 2,
       "paused: a leecher that is handed no seeds");
}

static void
test_event(void)
{
    reset();
    announce("192.0.2.1", 1, 5, ANNOUNCE_STARTED);
    announce("192.0.2.1", 1, 0, ANNOUNCE_COMPLETED);
    ok(planned(0, ANNOUNCE_COMPLETE, SWARM_S4) && plan.count == 1,
       "completed: moved in one step");
    ok(answer.seeds == 1 && answer.leechers == 0 && answer.downloaded == 1,
       "and counted");
    announce("192.0.2.1", 1, 0, ANNOUNCE_COMPLETED);
    is_int(plan.count, 0, "completed again: nothing to do");
    is_int(answer.downloaded, 1, "and not counted");
    announce("192.0.2.1", 1, 5, ANNOUNCE_COMPLETED);
    ok(planned(0, ANNOUNCE_PUT, SWARM_L4) &&
           planned(1, ANNOUNCE_REMOVE, SWARM_S4),
       "completed with something left: a leecher");
    announce("192.0.2.2", 1, 5, ANNOUNCE_STARTED);
    announce("192.0.2.1", 1, 5, ANNOUNCE_STOPPED);
    ok(planned(0, ANNOUNCE_REMOVE, SWARM_S4) &&
           planned(1, ANNOUNCE_REMOVE, SWARM_L4) && plan.count == 2,
       "stopped: gone as either");
    ok(answer.count4 == 0 && answer.leechers == 1, "and handed nobody");
    announce("192.0.2.9", 1, 5, ANNOUNCE_STOPPED);
    ok(answer.seeds == 0 && answer.leechers == 1,
       "a stranger that stops changes nothing");
}

static void
test_writes(void)
{
    reset();
    announce("2001:db8::9", 1, 0, ANNOUNCE_NONE);
    ok(planned(0, ANNOUNCE_PUT, SWARM_S6) &&
           planned(1, ANNOUNCE_REMOVE, SWARM_L6),
       "a seed that is new here: it may have been a leecher elsewhere");
    reset();
    announce("2001:db8::1", 1, 5, ANNOUNCE_NONE);
    ok(planned(0, ANNOUNCE_PUT, SWARM_L6) && plan.count == 1,
       "a leecher that is new here was none");
    now.time_s += LIFE / 10 - 1;
    announce("2001:db8::1", 1, 5, ANNOUNCE_NONE);
    is_int(plan.count, 0, "an end that moves by less than a tenth is not told");
    now.time_s += 1;
    announce("2001:db8::1", 1, 5, ANNOUNCE_NONE);
    ok(planned(0, ANNOUNCE_PUT, SWARM_L6) && plan.count == 1,
       "by a tenth it is, nothing else");
    announce("2001:db8::1", 1, 0, ANNOUNCE_NONE);
    ok(planned(0, ANNOUNCE_PUT, SWARM_S6) &&
           planned(1, ANNOUNCE_REMOVE, SWARM_L6),
       "another role is told at once");
    announce("2001:db8::1", 0, 5, ANNOUNCE_NONE);
    ok(plan.count == 0 && answer.leechers == 0 && answer.count6 == 1,
       "no port: answered, not stored");
    now.limited = true;
    announce("2001:db8::2", 1, 5, ANNOUNCE_NONE);
    ok(plan.count == 0 && answer.count6 == 0 && answer.failure == NULL &&
           answer.interval > 0 && answer.seeds == 1,
       "over the limit: an ordinary answer without peers");
}

static void
test_want(void)
{
    static const struct {
        int32_t want;
        size_t gets;
    } cases[] = {{-1, 50}, {-2147483647, 50}, {0, 0},          {1, 1},
                 {80, 80}, {81, 80},          {2147483647, 80}};
    char addr[32];
    struct announce a;

    reset();
    for (int i = 0; i < 300; i++) {
        snprintf(addr, sizeof(addr), "192.0.%d.%d", i / 200, i % 200);
        announce(addr, 1, i % 2 ? 0 : 5, ANNOUNCE_NONE);
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        a = peer_of("198.51.100.1", 1, 5);
        a.want = cases[i].want;
        decide(&a);
        is_int(answer.count4, cases[i].gets, "numwant %d", a.want);
    }
}

static void
test_families(void)
{
    struct announce a;

    reset();
    announce("192.0.2.1", 1, 0, ANNOUNCE_NONE);
    announce("2001:db8::1", 1, 0, ANNOUNCE_NONE);
    a = peer_of("192.0.2.2", 1, 5);
    decide(&a);
    ok(answer.count4 == 1 && answer.count6 == 1, "HTTP: both families");
    a.want = 1;
    decide(&a);
    ok(answer.count4 == 1 && answer.count6 == 0, "its own first");
    a = peer_of("2001:db8::2", 1, 5);
    a.want = 1;
    decide(&a);
    ok(answer.count4 == 0 && answer.count6 == 1, "of IPv6, too");
    a.protocol = ANNOUNCE_UDP;
    a.want = -1;
    decide(&a);
    ok(answer.count4 == 0 && answer.count6 == 1, "UDP: its own alone");
    is_int(answer.seeds, 2, "counts are of both");
}

static void
test_interval(void)
{
    uint32_t least = UINT32_MAX, most = 0;
    unsigned wrong = 0;

    reset();
    for (int i = 0; i < 10000; i++) {
        announce("192.0.2.1", 1, 0, ANNOUNCE_NONE);
        least = answer.interval < least ? answer.interval : least;
        most = answer.interval > most ? answer.interval : most;
        wrong += answer.min_interval > answer.interval ||
                 answer.min_interval < answer.interval * 3 / 4;
    }
    ok(least >= 1620 && most <= 1980, "within a tenth of the interval");
    ok(least < 1640 && most > 1960, "all of it");
    is_int(wrong, 0, "min interval is near it: some announce that often");
}

/* Anything, against a list of peers. */
static void
test_random(void)
{
    enum { PEERS = 120 };
    enum { GONE, SEED, LEECH } roles[PEERS] = {GONE};
    unsigned wrong = 0, selves = 0, seeds_to_seeder = 0, short_hand = 0;
    uint32_t seeds = 0, leechers = 0;
    char text[BENCODE_ANNOUNCE_MAX];

    reset();
    for (int i = 0; i < 100000; i++) {
        unsigned n = random_next() % PEERS;
        uint8_t member[6] = {10, 1, (uint8_t)(n / 10), (uint8_t)(n % 10), 0, 9};
        struct announce a = {.port = random_next() % 20 ? 9 : 0,
                             .left = random_next() % 2 ? 0 : 7,
                             .event = (enum announce_event)(random_next() % 5),
                             .want = (int32_t)(random_next() % 100) - 5};
        bool seeder = a.left == 0, stops = a.event == ANNOUNCE_STOPPED;
        size_t others, want;

        memcpy(a.addr.bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
        memcpy(a.addr.bytes + 12, member, 4);
        decide(&a);
        if (a.port != 0) {
            seeds -= roles[n] == SEED;
            leechers -= roles[n] == LEECH;
            roles[n] = stops ? GONE : seeder ? SEED : LEECH;
            seeds += roles[n] == SEED;
            leechers += roles[n] == LEECH;
        }
        wrong += answer.seeds != seeds || answer.leechers != leechers;
        for (size_t k = 0; k < answer.count4; k++) {
            const uint8_t *p = answer.peers4 + 6 * k;
            unsigned other = p[2] * 10u + p[3];

            selves += a.port != 0 && other == n;
            wrong += other >= PEERS || roles[other] == GONE;
            seeds_to_seeder += seeder && roles[other] == SEED;
        }
        others = leechers - (a.port != 0 && roles[n] == LEECH);
        if (!seeder && a.event != ANNOUNCE_PAUSED)
            others += seeds;
        want = a.want < 0 ? 50 : a.want > 80 ? 80 : (size_t)a.want;
        short_hand += answer.count4 != (stops           ? 0
                                        : others < want ? others
                                                        : want);
        wrong += bencode_announce(&answer, text) > sizeof(text);
    }
    is_int(wrong, 0, "counts and peers are those of a plain list");
    is_int(selves, 0, "nobody is handed himself");
    is_int(seeds_to_seeder, 0, "no seeder is handed a seeder");
    is_int(short_hand, 0, "all that are wanted, if there are so many");
}

static void
test_bencode(void)
{
    static struct scrape scrape = {.count = 3};
    char text[BENCODE_SCRAPE_MAX];

    memset(&answer, 0, sizeof(answer));
    answer.seeds = UINT32_MAX;
    answer.interval = 1800;
    answer.count6 = 1;
    text[bencode_announce(&answer, text)] = '\0';
    has_str(text,
            "d8:completei4294967295e10:downloadedi0e10:incompletei0e"
            "8:intervali1800e12:min intervali0e5:peers0:6:peers618:",
            "keys in order, both lists there");
    answer.failure = "no";
    text[bencode_announce(&answer, text)] = '\0';
    is_str(text, "d14:failure reason2:noe", "a failure is nothing else");
    memset(scrape.infohash[0], 'b', 20);
    memset(scrape.infohash[1], 'a', 20);
    memset(scrape.infohash[2], 'b', 20);
    scrape.counts[0] = (struct scrape_counts){1, 2, 3};
    text[bencode_scrape(&scrape, text)] = '\0';
    is_str(text,
           "d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei0e10:downloaded"
           "i0e10:incompletei0ee20:bbbbbbbbbbbbbbbbbbbbd8:completei1e"
           "10:downloadedi2e10:incompletei3eee5:flagsd"
           "20:min_request_intervali60eee",
           "hashes in order, each once");
}

int
main(void)
{
    test_roles();
    test_event();
    test_writes();
    test_want();
    test_families();
    test_interval();
    test_random();
    test_bencode();
    swarm_clear(&swarm, &memory);
    return tap_done();
}
