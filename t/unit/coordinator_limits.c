/*
 * How often an address may do something: a burst, then so many a period; each
 * address for itself, a /64 as one; private ones without end.
 */
#include "../../coordinator/limits.c"

#include "tap.h"

#define BURST 2000
#define PER_S 20

static struct limits limits = {.seed = 42, .limit = {BURST, PER_S, 1}};
static struct limits slow = {.seed = 43, .limit = {3, 1, 30}};

static unsigned
take(const char *text, uint32_t now_s, unsigned times)
{
    struct ol_addr addr;
    unsigned got = 0;

    must(ol_addr_parse(text, &addr) == 0);
    while (times-- > 0)
        got += limits_take(&limits, &addr, now_s);
    return got;
}

/* Where a token takes many periods of the clock. */
static void
test_slow(void)
{
    struct ol_addr addr;
    unsigned got = 0;

    must(ol_addr_parse("8.8.8.8", &addr) == 0);
    is_int(limits_left(&slow, &addr, 1000), 3, "slow: all are left");
    for (int i = 0; i < 9; i++)
        got += limits_take(&slow, &addr, 1000);
    is_int(got, 3, "slow: a burst");
    got = 0;
    for (uint32_t now_s = 1000; now_s < 1095; now_s++)
        got += limits_take(&slow, &addr, now_s);
    is_int(got, 3, "slow: one in each 30 s, however often it is asked for");
    is_int(limits_left(&slow, &addr, 1095), 0, "slow: none are left");
    is_int(limits_left(&slow, &addr, 1120), 1, "slow: then one");
    limits_give(&slow, &addr, 1120);
    is_int(limits_left(&slow, &addr, 1120), 2, "what is given back is there");
    limits_give(&slow, &addr, 1120);
    limits_give(&slow, &addr, 1120);
    is_int(limits_left(&slow, &addr, 1120), 3, "up to a burst");
    must(ol_addr_parse("127.0.0.1", &addr) == 0);
    for (int i = 0; i < 9; i++)
        limits_take(&slow, &addr, 1000);
    is_int(limits_left(&slow, &addr, 1000), 3, "slow: loopback has no limit");
}

/* A crowd that is larger than the table: nobody is refused. */
static unsigned
crowd_refused(void)
{
    struct ol_addr addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 8}};
    unsigned refused = 0;

    for (unsigned i = 0; i < 4 * LIMITS_SLOTS; i++) {
        addr.bytes[13] = (uint8_t)(i >> 16);
        addr.bytes[14] = (uint8_t)(i >> 8);
        addr.bytes[15] = (uint8_t)i;
        for (int k = 0; k < 4; k++)
            refused += !limits_take(&limits, &addr, 5000);
    }
    return refused;
}

int
main(void)
{
    is_int(take("8.8.8.8", 1000, 5000), BURST, "a burst");
    is_int(take("8.8.4.4", 1000, 5000), BURST, "another's is its own");
    is_int(take("8.8.8.8", 1000, 10), 0, "then none");
    is_int(take("8.8.8.8", 1001, 100), PER_S, "but so many a second");
    is_int(take("8.8.8.8", 1011, 9999), 10 * PER_S, "as time goes by");
    is_int(take("8.8.8.8", 90000, 9999), BURST, "a burst at most");
    is_int(take("8.8.8.8", 80000, 10), 0, "a clock that is set back: none");
    is_int(take("8.8.8.8", 80001, 100), PER_S, "and goes on from there");
    is_int(take("2a00:1450::1", 1000, 1500), 1500, "IPv6");
    is_int(take("2a00:1450::ffff:2", 1000, 1500), BURST - 1500,
           "of one /64: one");
    is_int(take("127.0.0.1", 1000, 9999), 9999, "loopback: no limit");
    is_int(take("10.1.2.3", 1000, 9999), 9999, "private: no limit");
    is_int(take("fe80::1", 1000, 9999), 9999, "link-local: no limit");
    is_int(crowd_refused(), 0, "a crowd beyond the table: nobody is refused");
    test_slow();
    return tap_done();
}
