/*
 * Judgements about traffic: when a server is busy, and that a budget lets
 * through its rate over time, whatever is taken, given back, or asked.
 */
#include "../../lib/traffic.c"

#include "tap.h"

static void
test_busy(void)
{
    ok(!ol_traffic_busy(0, 1, false), "nothing is sent");
    ok(!ol_traffic_busy(1000, 1000, false), "as much as the limit");
    ok(ol_traffic_busy(1001, 1000, false), "more");
    ok(ol_traffic_busy(1000, 1000, true), "it was busy: still");
    ok(ol_traffic_busy(800, 1000, true), "four fifths: still");
    ok(!ol_traffic_busy(799, 1000, true), "below: no more");
    ok(!ol_traffic_busy(900, 1000, false), "and not again at 90 %%");
    ok(!ol_traffic_busy(0, UINT64_MAX, true), "the largest limit");
    ok(ol_traffic_busy(UINT64_MAX, UINT64_MAX, true), "and rate");
}

static void
test_anew(void)
{
    ok(!ol_traffic_anew(80, 80), "the same quarter of a second");
    ok(ol_traffic_anew(80, 88), "when its turn comes again");
    ok(!ol_traffic_anew(88, 80), "not by who is behind");
    ok(ol_traffic_anew(8000, 80), "a clock that was set back");
    ok(ol_traffic_anew(0, 80), "the first time");
}

static void
test_wait(void)
{
    struct ol_budget b = {0};

    ok(ol_budget_take(&b, 1000, 5000, 3500) == 0, "a full one, beyond it");
    ok(ol_budget_take(&b, 1000, 5000, 1) == 3, "2.5 s are 3");
    ok(ol_budget_take(&b, 1000, 7500, 1) == 1, "zero is not enough");
    ok(ol_budget_take(&b, 1000, 7501, 1) == 0, "one byte is");
    ok(ol_budget_take(&b, 1000, 7501, 1) == 1, "it was the last one");
    b = (struct ol_budget){0};
    ok(ol_budget_take(&b, 1, 1, 1000000) == 0, "a slow one");
    ok(ol_budget_take(&b, 1, 1, 1) == 60, "a minute at most");
    ok(ol_budget_take(&b, 1, 60001, 1) == 1, "and a minute's debt");
    ok(ol_budget_take(&b, 1, 60002, 1) == 0, "at most");
}

static void
test_clock(void)
{
    struct ol_budget b = {0};

    ol_budget_take(&b, 1000, 100000, 5000);
    ok(ol_budget_take(&b, 1000, 99500, 1) == 5, "a process is behind");
    ok(ol_budget_take(&b, 1000, 95000, 1) == 5, "another by seconds");
    ok(ol_budget_take(&b, 1000, 104000, 1) == 1, "that gave nothing");
    ok(ol_budget_take(&b, 1000, 10, 1) == 1, "the clock began again");
    ok(ol_budget_take(&b, 1000, 2000, 1) == 0, "and goes on");
    b = (struct ol_budget){0};
    ok(ol_budget_take(&b, 1000, 0, 9000) == 0, "at time 0");
    ok(ol_budget_take(&b, 1000, 0, 1) == 9, "is a time too");
}

static void
test_correct(void)
{
    struct ol_budget b = {0};

    ol_budget_take(&b, 1000, 1, 9000);
    ol_budget_correct(&b, 1000, -9000);
    ok(b.level == 1000000, "all given back: full");
    ol_budget_correct(&b, 1000, -9000);
    ok(b.level == 1000000, "but not fuller");
    ol_budget_correct(&b, 1000, 4000);
    ok(ol_budget_take(&b, 1000, 1, 1) == 4, "more was sent");
    ol_budget_correct(&b, OL_BUDGET_RATE_MAX, INT64_MAX);
    ol_budget_correct(&b, UINT64_MAX, INT64_MIN);
    ok(ol_budget_take(&b, UINT64_MAX, UINT64_MAX, UINT64_MAX) == 0,
       "the largest numbers");
    ok(ol_budget_take(&b, 0, UINT64_MAX, 0) <= 60, "and the smallest");
}

/* Somebody asks every 7 ms, for another number of bytes each time. */
static void
test_rate(void)
{
    for (uint64_t rate = 100; rate <= 100000000; rate *= 1000) {
        struct ol_budget b = {0};
        uint64_t taken = 0, largest = 0;

        for (uint64_t ms = 1; ms < 600000; ms += 7) {
            uint64_t bytes = ms * 2654435761u % (3 * rate);

            if (ol_budget_take(&b, rate, ms, bytes) == 0)
                taken += bytes;
            if (bytes > largest)
                largest = bytes;
        }
        ok(taken >= 595 * rate && taken <= 601 * rate + largest,
           "%llu in ten minutes at %llu a second", (unsigned long long)taken,
           (unsigned long long)rate);
    }
}

int
main(void)
{
    test_busy();
    test_anew();
    test_wait();
    test_clock();
    test_correct();
    test_rate();
    return tap_done();
}
