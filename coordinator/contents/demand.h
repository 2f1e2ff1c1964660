/*
 * What a content is asked for, and how many nodes should hold it therefore.
 * Pure: the time is passed in, in milliseconds that never go back.
 *
 * Sites tell counters that only grow within an epoch.  A request counts for a
 * window T: as long as it takes DEMAND_CLIENT_BPS to fetch the content, between
 * DEMAND_WINDOW_MIN_MS and DEMAND_WINDOW_MAX_MS; so the rate of requests is
 *
 *     q = sum over requests of exp(-age / T) / T
 *
 * and q x size, bytes per second, is never more for one request than one client
 * can take (of a content that takes longer than T, as much as it takes in T).
 * With s, what a node can spare (bytes per second, the mean of those that are
 * there) with what it already sends of this very content, the content needs
 *
 *     r = ceil(q x size / (s x DEMAND_LOAD_UP)), within least .. most.
 *
 * Each node has to fetch what it is to hold, so there are never more than
 * requests in the last hour.  More are wanted at once.  One less is wanted when
 * as many would be loaded to no more than DEMAND_LOAD_DOWN of what they can
 * spare, and that has been so for DEMAND_HOLD_MS without a break; a further one
 * after DEMAND_DOWN_MS more.
 */
#ifndef COORDINATOR_DEMAND_H
#define COORDINATOR_DEMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEMAND_CLIENT_BPS (8.0 * 1024 * 1024)
#define DEMAND_WINDOW_MIN_MS 10000
#define DEMAND_WINDOW_MAX_MS 600000
#define DEMAND_LOAD_UP 0.5
#define DEMAND_LOAD_DOWN 0.3
#define DEMAND_HOLD_MS 240000
#define DEMAND_DOWN_MS 60000
#define DEMAND_YIELD_MS 60000
#define DEMAND_HOUR_MS 3600000
/* A counter that grows by more in one step is taken to have grown by this: a
 * site can draw nodes to its own contents, but not for long. */
#define DEMAND_STEP_MAX 1000000

/* All zero: nothing is known. */
struct demand {
    uint8_t wanted;     /* nodes; 0: not decided yet */
    int64_t at_ms;      /* of rate and hour */
    double rate;        /* q, requests per second */
    double hour;        /* requests of the last hour, faded */
    int64_t yielded_ms; /* no rise before */
    int64_t low_ms;     /* since when less would do; 0: not */
};

/* By how much a counter has grown; one that is less than before has begun again
 * at 0.  At most DEMAND_STEP_MAX. */
uint64_t demand_grown(uint64_t last, uint64_t counter);
/* So many requests more. */
void demand_add(struct demand *demand, uint64_t requests, uint64_t size,
                int64_t now_ms);

/* Requests per second, now. */
double demand_rate(const struct demand *demand, uint64_t size, int64_t now_ms);
/* Requests per hour, now. */
double demand_hour(const struct demand *demand, int64_t now_ms);
/* floor(log2(1 + requests per hour)) */
unsigned demand_heat(const struct demand *demand, int64_t now_ms);

struct demand_offer {
    unsigned least, most; /* holders; 1 <= least <= most <= 255 */
    double spare_bps;     /* of one node; 0: none has any */
    double busy_bps;      /* less than it could, as it sends so much */
    size_t nodes;         /* that this is the mean of */
};
/* That many serve it already (found when there was no demand to judge by). */
void demand_found(struct demand *demand, unsigned holders,
                  const struct demand_offer *offer);
/* How many nodes should hold it; to be asked now and then while it is more than
 * the least. */
unsigned demand_wanted(struct demand *demand, uint64_t size,
                       const struct demand_offer *offer, int64_t now_ms);
/* Another content needs the room of one: gives up one beyond the least, and
 * wants no more for DEMAND_YIELD_MS.  False: there is none. */
bool demand_yield(struct demand *demand, const struct demand_offer *offer,
                  int64_t now_ms);

#endif
