/*
 * Places for call-backs: all, those of one source, and when who finds none is
 * told to come again.
 */
#include "../../coordinator/nodes/places.c"
#include "../../coordinator/pace.c"

#include "tap.h"

static struct places places;

static int
take(unsigned source, int64_t now)
{
    struct ol_addr addr;
    char text[32];

    snprintf(text, sizeof(text), "192.0.%u.%u", source >> 8, source & 255);
    must(ol_addr_parse(text, &addr) == 0);
    return places_take(&places, &addr, now);
}

static void
test_all(void)
{
    int got = 0, last = -1;

    places_init(&places, 64);
    for (unsigned i = 0; i < 70; i++) {
        int place = take(i, 0);

        got += place >= 0;
        if (place >= 0)
            last = place;
    }
    is_int(got, 64, "so many places");
    is_int(take(99, 0), -EBUSY, "and no more");
    places_give(&places, last, 1);
    is_int(take(99, 2), last, "one that is free is taken again");
}

static void
test_source(void)
{
    int got = 0, place = 0;

    places_init(&places, 64);
    for (unsigned i = 0; i < 20; i++)
        got += take(1, 0) >= 0;
    is_int(got, 8, "one source has its share");
    is_int(take(1, 0), -EDQUOT, "and no more");
    ok((place = take(2, 0)) >= 0, "another one has places");
    places_give(&places, place, 1);
    places_init(&places, 4);
    ok(take(1, 0) >= 0, "of few places one is a share");
    is_int(take(1, 0), -EDQUOT, "and one alone");
}

/* 10,000 come at once to 64 places of which 640 have become free a second. */
static void
test_crowd(void)
{
    unsigned due[61] = {0}, longest = 0, most = 0;

    places_init(&places, 64);
    places.rate = 640;
    for (unsigned i = 0; i < 10000; i++) {
        unsigned wait = places_retry_s(&places, 0, i);

        due[wait]++;
        if (wait > longest)
            longest = wait;
    }
    for (unsigned i = 0; i <= 60; i++)
        if (due[i] > most)
            most = due[i];
    ok(longest >= 15 && longest <= 25, "the last one waits %u s", longest);
    ok(most < 640 * 3 / 2, "at most %u come in one second", most);
    is_int(due[0], 0, "none at once");
    ok(places_retry_s(&places, 60000, 0) <= 2, "later the queue is empty");
    ok(places_retry_s(&places, 1000, 0) <= 2, "a clock set back is no wait");
}

static void
test_slow(void)
{
    unsigned wait = 0, least = 60;

    places_init(&places, 64);
    for (int s = 0; s < 60; s++)
        for (int i = 0; i < 13; i++) {
            places_give(&places, take(1, 1000 * s), 1000 * s + 500);
            places_retry_s(&places, 1000 * s + 500, 0);
        }
    ok(places.rate > 12 && places.rate < 14,
       "each is taken for 5 s: %.1f become free a second", places.rate);
    for (unsigned i = 0; i < 10000; i++) {
        wait = places_retry_s(&places, 60000, i);
        if (i > 5000 && wait < least)
            least = wait;
    }
    ok(wait <= 60, "nobody is sent away for more than a minute");
    ok(least > 20, "nor comes all at once then (from %u s on)", least);
}

int
main(void)
{
    test_all();
    test_source();
    test_crowd();
    test_slow();
    return tap_done();
}
