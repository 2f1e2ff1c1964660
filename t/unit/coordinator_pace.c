/*
 * Buckets of tokens: a burst, then the refill; keys apart from each other;
 * clocks that jump.
 */
#include "../../coordinator/pace.c"

#include "tap.h"

static struct pace pace;

static int
take(const char *key, int64_t now, int times)
{
    int got = 0;

    while (times-- > 0)
        got += pace_take(&pace, key, strlen(key), now);
    return got;
}

static void
test_bucket(void)
{
    pace_init(&pace, 42, (struct pace_limit){.burst = 5, .refill_ms = 100});
    is_int(take("a", 1000, 10), 5, "a burst");
    is_int(take("b", 1000, 10), 5, "another key has its own");
    is_int(take("a", 1099, 10), 0, "nothing before the refill");
    is_int(take("a", 1100, 10), 1, "then one");
    is_int(take("a", 1350, 10), 2, "and so on");
    is_int(take("a", 1400, 10), 1, "parts of a refill are not lost");
    is_int(take("a", 100000, 10), 5, "never more than the burst");
    is_int(take("a", 50000, 10), 0, "a clock set back gives nothing");
    is_int(take("a", 50100, 10), 1, "and does not stop the refill");
}

static void
test_many(void)
{
    char key[32];
    int got = 0;

    pace_init(&pace, 7, (struct pace_limit){.burst = 1, .refill_ms = 1000});
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "http://node%d.example", i);
        got += take(key, 1, 1);
    }
    ok(got > 850, "few of 1000 keys share a slot (%d)", got);
    for (int i = 0; i < 100000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        got += take(key, 1, 1);
    }
    ok(got <= PACE_SLOTS, "all of them together are bounded (%d)", got);
}

static void
test_source(void)
{
    struct ol_addr a, b;
    uint8_t x[16], y[16];
    size_t len;

    must(ol_addr_parse("192.0.2.1", &a) == 0);
    must(ol_addr_parse("192.0.2.2", &b) == 0);
    len = pace_source(&a, x);
    pace_source(&b, y);
    ok(memcmp(x, y, len) != 0, "two IPv4 addresses are two sources");
    must(ol_addr_parse("2001:db8::1", &a) == 0);
    must(ol_addr_parse("2001:db8::ffff:1", &b) == 0);
    len = pace_source(&a, x);
    pace_source(&b, y);
    ok(memcmp(x, y, len) == 0, "one /64 is one source");
    must(ol_addr_parse("2001:db8:0:1::1", &b) == 0);
    pace_source(&b, y);
    ok(memcmp(x, y, len) != 0, "two are two");
}

int
main(void)
{
    test_bucket();
    test_many();
    test_source();
    return tap_done();
}
