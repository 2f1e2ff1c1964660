/*
 * Places for call-backs, and the queue of those who found none.
 *
 * Pure: must not know who is called, nor the clock.
 */
#include "coordinator/nodes/places.h"

#include <errno.h>
#include <string.h>

#include "coordinator/pace.h"

#define RATE_FIRST 4 /* of each place, before any is known */
#define RATE_MIN 1.0
#define WINDOW_MS 2000 /* the rate is measured for so long at a time */
#define HURRY 0.8      /* of the rate is for those who come again */
#define SPREAD_S 2     /* of the shortest time */

void
places_init(struct places *p, unsigned count)
{
    memset(p, 0, sizeof(*p));
    p->count = count < 1 ? 1 : count > PLACES_MAX ? PLACES_MAX : count;
    p->rate = RATE_FIRST * p->count;
}

int
places_take(struct places *p, const struct ol_addr *source, int64_t now_ms)
{
    unsigned same = 0, share = p->count / PLACES_SHARE;
    uint8_t prefix[16] = {0};
    size_t len;
    int at = -1;

    if (p->taken >= p->count)
        return -EBUSY;
    len = pace_source(source, prefix);
    memset(prefix + len, 0, sizeof(prefix) - len);
    for (unsigned i = 0; i < p->count; i++) {
        if (!p->places[i].taken)
            at = (int)i;
        else
            same += memcmp(p->places[i].source, prefix, sizeof(prefix)) == 0;
    }
    if (same >= (share > 0 ? share : 1))
        return -EDQUOT;
    p->taken++;
    p->places[at].taken = true;
    p->places[at].since_ms = now_ms;
    memcpy(p->places[at].source, prefix, sizeof(prefix));
    return at;
}

void
places_give(struct places *p, int place, int64_t now_ms)
{
    p->places[place].taken = false;
    p->taken--;
    if (now_ms > p->places[place].since_ms)
        p->freed++; /* what was refused at once took none from others */
}

/* As long as nobody is put off, the rate is that of those who come. */
static void
rate_measure(struct places *p, int64_t now_ms)
{
    int64_t past = now_ms - p->since_ms;

    if (past >= 0 && past < WINDOW_MS)
        return;
    if (past >= WINDOW_MS && now_ms - p->queue_ms < WINDOW_MS)
        p->rate = (p->rate + p->freed * 1000.0 / (double)past) / 2;
    if (p->rate < RATE_MIN)
        p->rate = RATE_MIN;
    p->since_ms = now_ms;
    p->freed = 0;
}

unsigned
places_retry_s(struct places *p, int64_t now_ms, unsigned random)
{
    double each_ms, wait_s;

    rate_measure(p, now_ms);
    each_ms = 1000 / (p->rate * HURRY);
    if (now_ms > p->queue_ms)
        p->queue -= (double)(now_ms - p->queue_ms) / each_ms;
    p->queue_ms = now_ms;
    if (p->queue < 0)
        p->queue = 0;
    if (p->queue * each_ms < PLACES_RETRY_MAX_S * 1000)
        p->queue++;
    wait_s = 1 + p->queue * each_ms / 1000 + random % SPREAD_S;
    return wait_s < PLACES_RETRY_MAX_S
               ? (unsigned)wait_s
               : PLACES_RETRY_MAX_S - random % (PLACES_RETRY_MAX_S / 2);
}
