/*
 * How much of a node's worth counts: few steps up by age and audits, halvings
 * that are forgiven, rates that audits have not seen.
 */
#include "../../coordinator/nodes/trust.c"

#include "tap.h"

#define HOUR 3600
#define DAY 86400

static void
is_factor(const struct trust_facts *facts, int64_t now_s, double want,
          const char *what)
{
    double factor = trust_factor(facts, now_s);

    ok(factor > want - 1e-9 && factor < want + 1e-9, "%s: %g", what, factor);
}

static void
test_growth(void)
{
    struct trust_facts f = {.born_s = 1000, .audited = true};

    is_factor(&f, 1000, 0.25, "new");
    is_factor(&f, 1000 + 30 * DAY, 0.25, "old, never audited");
    f.passed = 1;
    is_factor(&f, 1000 + HOUR - 1, 0.25, "audited, not an hour old");
    is_factor(&f, 1000 + HOUR, 0.5, "an hour old");
    is_factor(&f, 1000 + DAY, 0.5, "a day old, audited once");
    f.passed = 4;
    is_factor(&f, 1000 + DAY - 1, 0.5, "audited enough, not a day old");
    is_factor(&f, 1000 + DAY, 1, "all of it");
    is_factor(&f, 0, 0.25, "a clock that went back");
    f.passed = 0;
    f.audited = false;
    is_factor(&f, 1000 + HOUR, 0.5, "without audits age alone counts");
    is_factor(&f, 1000 + DAY, 1, "all of it then");
    f.vouched = true;
    is_factor(&f, 1000, 1, "who is on the list counts at once");
}

static void
test_lowered(void)
{
    struct trust_facts f = {.vouched = true, .low = 2, .low_s = 5000};

    is_factor(&f, 5000, 0.25, "lowered twice");
    is_factor(&f, 4000, 0.25, "a clock that went back");
    is_factor(&f, 5000 + DAY, 0.5, "one is forgiven after a day");
    is_factor(&f, 5000 + 2 * DAY, 1, "both after two");
    is_factor(&f, 5000 + 2000 * (int64_t)DAY, 1, "long ago");
    f.low = 1000;
    is_factor(&f, 5000, 1.0 / 32, "never lower than that");
}

static void
test_rate(void)
{
    struct trust_facts f = {.audited = true, .passed = 3, .rate = 1 << 30};

    is_int(trust_rate(&f), 1 << 30, "hardly audited: as it says");
    f.passed = 4;
    is_int(trust_rate(&f), TRUST_RATE_MIN, "nothing seen: the least");
    f.peak = 1 << 20;
    is_int(trust_rate(&f), 8 << 20, "eight times what was seen");
    f.peak = (1 << 20) + 1;
    is_int(trust_rate(&f), 16 << 20, "in powers of two");
    f.rate = 2 << 20;
    is_int(trust_rate(&f), 2 << 20, "never more than it says");
    f.rate = 0;
    is_int(trust_rate(&f), 16 << 20, "unlimited is no more");
    f.peak = UINT64_MAX;
    ok(trust_rate(&f) >= UINT64_MAX / 2, "the largest peak ends");
    f.audited = false;
    is_int(trust_rate(&f), 0, "without audits: as it says");
}

int
main(void)
{
    test_growth();
    test_lowered();
    test_rate();
    return tap_done();
}
