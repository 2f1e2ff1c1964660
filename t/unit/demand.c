/*
 * Demand: up within seconds, down over minutes, no flapping, restarts, and
 * limits; over thousands of random courses.
 */
#include "../../coordinator/contents/demand.c"

#include <stdlib.h>

#include "tap.h"

#define MIB (1024.0 * 1024)

static const struct demand_offer offer = {
    .least = 3, .most = 24, .spare_bps = 10 * MIB};

static double
uniform(void)
{
    return (double)rand() / ((double)RAND_MAX + 1);
}

static void
test_counters(void)
{
    struct demand d = {0};

    is_int(demand_grown(1000, 1010), 10, "a counter grows");
    is_int(demand_grown(1010, 1010), 0, "or does not");
    is_int(demand_grown(1010, 7), 7, "what is less has begun again");
    is_int(demand_grown(0, UINT64_MAX >> 11), DEMAND_STEP_MAX,
           "a wild one grows by so much at most");
    demand_add(&d, 10, 1 << 20, 1);
    ok(fabs(demand_rate(&d, 1 << 20, 1) - 1) < 1e-9,
       "ten requests in ten seconds' window: one per second");
    demand_add(&d, 40, 1 << 20, 1);
    ok(fabs(demand_rate(&d, 1 << 20, 1) - 5) < 1e-9, "more are added");
    ok(fabs(demand_rate(&d, 1 << 20, 10001) - 5 / M_E) < 1e-9, "they fade");
    ok(demand_rate(&d, 1 << 20, -5) == demand_rate(&d, 1 << 20, 1),
       "a clock that goes back changes nothing");
}

static void
test_heat(void)
{
    struct demand d = {0};

    is_int(demand_heat(&d, 5), 0, "no requests, no heat");
    demand_add(&d, 1, 1, 0);
    is_int(demand_heat(&d, 0), 1, "one an hour");
    demand_add(&d, 126, 1, 0);
    is_int(demand_heat(&d, 0), 7, "127 an hour");
    is_int(demand_heat(&d, DEMAND_HOUR_MS), 5, "an hour later, a third");
}

static void
test_one_request(void)
{
    static const uint64_t sizes[] = {300000, 1 << 28, 4ull << 30, 1ull << 40};

    for (unsigned i = 0; i < 4; i++) {
        struct demand d = {0};

        demand_add(&d, 1, sizes[i], 0);
        ok(demand_bps(&d, sizes[i], 0) <= DEMAND_CLIENT_BPS + 1,
           "a request is no more than a client takes (%llu bytes)",
           (unsigned long long)sizes[i]);
        is_int(demand_wanted(&d, sizes[i], &offer, 0), 3, "and moves nothing");
    }
}

/* A few requests at once, of nodes that nobody has measured, or that are slow:
 * no node is to fetch it for less than a request of its own. */
static void
test_few_requests(void)
{
    static const struct {
        unsigned requests, wanted, slow;
    } cases[] = {{1, 3, 3}, {3, 3, 3}, {5, 5, 5}, {10, 10, 10}, {100, 24, 24}};
    struct demand_offer slow = {.least = 3, .most = 24, .spare_bps = 125000},
                        unlimited = slow;

    unlimited.spare_bps = 12500000;
    for (unsigned i = 0; i < 5; i++) {
        struct demand d = {0}, e = {0};
        uint64_t size = 139000000;

        demand_add(&d, cases[i].requests, size, 1);
        demand_add(&e, cases[i].requests, size, 1);
        is_int(demand_wanted(&d, size, &unlimited, 1), cases[i].wanted,
               "%u requests at once: so many nodes", cases[i].requests);
        is_int(demand_wanted(&e, size, &slow, 1), cases[i].slow,
               "also of slow ones");
    }
}

/* Nodes that are busy with this content have not less to spare for it. */
static void
test_own_load(void)
{
    const struct demand_offer idle = {3, 24, 10 * MIB, 0, 5},
                              busy = {3, 24, 2 * MIB, 8 * MIB, 5},
                              foreign = {3, 24, 2 * MIB, 8 * MIB, 500};

    is_int(needed(40 * MIB, 0.5, &idle), 8, "of idle nodes so many");
    is_int(needed(40 * MIB, 0.5, &busy), 8, "as many while they serve it");
    is_int(needed(40 * MIB, 0.5, &foreign), 24, "more if they serve others");
}

/* Requests at a steady rate, told every quarter of a second. */
static int64_t
course(struct demand *d, uint64_t *counter, uint64_t size, double rate,
       int64_t from, int64_t until, unsigned *ups, unsigned *downs)
{
    uint64_t last;
    double due = 0;
    unsigned before, after;

    for (; from < until; from += 250) {
        due += rate / 4;
        last = *counter;
        *counter += (uint64_t)due;
        due -= floor(due);
        before = d->wanted;
        demand_add(d, demand_grown(last, *counter), size, from);
        after = demand_wanted(d, size, &offer, from);
        *ups += before != 0 && after > before;
        *downs += after < before;
    }
    return from;
}

static void
test_step(void)
{
    struct demand d = {0};
    unsigned ups = 0, downs = 0, wanted;
    uint64_t counter = 0, size = 10 << 20;
    int64_t now = course(&d, &counter, size, 0, 0, 60000, &ups, &downs);

    is_int(d.wanted, 3, "no demand: the least");
    now = course(&d, &counter, size, 6, now, now + 5000, &ups, &downs);
    ok(d.wanted >= 5, "60 MiB/s: more within five seconds (%u)", d.wanted);
    now = course(&d, &counter, size, 6, now, now + 55000, &ups, &downs);
    ok(d.wanted >= 12 && d.wanted <= 13,
       "within a minute as many as carry it at half their load (%u)", d.wanted);
    is_int(downs, 0, "never down meanwhile");
    wanted = d.wanted;
    now = course(&d, &counter, size, 0, now, now + 240000, &ups, &downs);
    is_int(d.wanted, wanted, "no demand for four minutes: as many");
    now = course(&d, &counter, size, 0, now, now + 240000, &ups, &downs);
    ok(d.wanted < wanted && wanted - d.wanted <= 4,
       "then one a minute less (%u)", d.wanted);
    course(&d, &counter, size, 0, now, now + 1200000, &ups, &downs);
    is_int(d.wanted, 3, "down to the least");
}

/* Demand that swings between two rates, with any period. */
static void
test_swings(void)
{
    unsigned flaps = 0, late = 0, beyond = 0, fast = 0;

    for (unsigned run = 0; run < 2000; run++) {
        struct demand d = {0};
        uint64_t counter = 0, size = 1 + (uint64_t)(uniform() * (1 << 28));
        double high = 50 * MIB / (double)size * (0.1 + 5 * uniform());
        double low = high * uniform();
        int64_t period = 2000 + (int64_t)(uniform() * 280000), now = 0;
        unsigned ups = 0, downs = 0;

        for (unsigned i = 0; i < 8; i++) {
            now = course(&d, &counter, size, i % 2 ? low : high, now,
                         now + period / 2, &ups, &downs);
            beyond += d.wanted < offer.least || d.wanted > offer.most;
        }
        flaps += downs > 0; /* half a period is less than DEMAND_HOLD_MS */
        late += needed(0.9 * low * (double)size, DEMAND_LOAD_UP, &offer) >
                    d.wanted &&
                now > 5 * (int64_t)window_ms(size);
        ups = downs = 0;
        course(&d, &counter, size, 0, now, now + 900000, &ups, &downs);
        fast += downs > 900000 / DEMAND_DOWN_MS;
    }
    is_int(flaps, 0, "swings of a few minutes never release a node");
    is_int(late, 0, "what is asked for all the time has its holders");
    is_int(beyond, 0, "always within the limits");
    is_int(fast, 0, "never more than one down a minute");
}

/* Rates around one threshold: the two loads keep it from going to and fro. */
static void
test_threshold(void)
{
    struct demand d = {0};
    unsigned ups = 0, downs = 0;
    uint64_t counter = 0, size = 1 << 20;
    int64_t now = 0;

    now = course(&d, &counter, size, 26, now, now + 60000, &ups, &downs);
    for (unsigned i = 0; i < 40; i++)
        now = course(&d, &counter, size, i % 2 ? 24.5 : 25.5, now, now + 600000,
                     &ups, &downs);
    ok(ups <= 4 && downs == 0,
       "six hours around a threshold: no way down (%u, %u)", ups, downs);
}

static void
test_found(void)
{
    const struct demand_offer none = {3, 24, 0, 0, 0},
                              few = {3, 4, 10 * MIB, 0, 1};
    struct demand d = {0};

    demand_found(&d, 9, &offer);
    is_int(demand_wanted(&d, 1, &offer, 1000), 9,
           "what serves goes on when nothing is known yet");
    demand_wanted(&d, 1, &offer, 2000);
    is_int(demand_wanted(&d, 1, &offer, 2000 + DEMAND_HOLD_MS), 8,
           "for a while");
    demand_found(&d, 20, &offer);
    is_int(demand_wanted(&d, 1, &offer, 3000), 8, "but only once");
    ok(demand_yield(&d, &offer, 3000), "one beyond the least can be given up");
    is_int(demand_wanted(&d, 1, &offer, 3000), 7, "then it is one less");
    is_int(demand_wanted(&d, 1, &few, 3000), 4, "another most holds at once");
    d = (struct demand){0};
    ok(!demand_yield(&d, &offer, 3000), "none of the least");
    demand_add(&d, 1000000, 1 << 20, 1);
    is_int(demand_wanted(&d, 1 << 20, &none, 1), 3,
           "nodes that have nothing to spare are no help");
    is_int(demand_wanted(&d, 1 << 20, &offer, 1), 24, "never above the most");
    ok(demand_yield(&d, &offer, 1), "what is hot can yield, too");
    is_int(demand_wanted(&d, 1 << 20, &offer, 2), 23,
           "and does not take it back at once");
    demand_add(&d, 1000000, 1 << 20, DEMAND_YIELD_MS);
    is_int(demand_wanted(&d, 1 << 20, &offer, DEMAND_YIELD_MS + 1), 24,
           "but later");
}

int
main(void)
{
    srand(4);
    test_counters();
    test_heat();
    test_one_request();
    test_few_requests();
    test_own_load();
    test_step();
    test_swings();
    test_threshold();
    test_found();
    return tap_done();
}
