/*
 * Places for call-backs: how many may be under way, how many of one source,
 * and when to come again for those who find none.
 *
 * Who is put off joins a queue that is only counted: it grows by one with each
 * of them and shrinks as fast as places have lately become free, so that a
 * crowd spreads over the time that it takes.  Pure: time and randomness are
 * passed in.
 */
#ifndef COORDINATOR_PLACES_H
#define COORDINATOR_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "offload/netaddr.h"

#define PLACES_MAX 64
#define PLACES_SHARE 8 /* a source has one in so many, and at least one */
/* Nodes wait no longer: their idle connections are not yet closed then. */
#define PLACES_RETRY_MAX_S 45

struct places {
    unsigned count, taken;
    struct place {
        bool taken;
        uint8_t source[16]; /* pace_source's prefix, then zeros */
        int64_t since_ms;
    } places[PLACES_MAX];
    double rate;  /* places that became free per second, in a crowd */
    double queue; /* who has been put off and not come again */
    int64_t queue_ms;
    unsigned freed; /* since since_ms */
    int64_t since_ms;
};

/* count: 1 .. PLACES_MAX. */
void places_init(struct places *p, unsigned count);
/* -EBUSY: none is free; -EDQUOT: that source has its share; else which. */
int places_take(struct places *p, const struct ol_addr *source, int64_t now_ms);
void places_give(struct places *p, int place, int64_t now_ms);
/* In how many seconds who is put off now shall come again; counts him. */
unsigned places_retry_s(struct places *p, int64_t now_ms, unsigned random);

#endif
