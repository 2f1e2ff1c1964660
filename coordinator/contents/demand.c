/*
 * Demand: counters to a rate, a rate to a number of holders (demand.h).
 *
 * Pure: must not know nodes, sites or clocks.
 */
#include "coordinator/contents/demand.h"

#include <math.h>

static double
window_ms(uint64_t size)
{
    double ms = (double)size / DEMAND_CLIENT_BPS * 1000;

    if (ms < DEMAND_WINDOW_MIN_MS)
        return DEMAND_WINDOW_MIN_MS;
    return ms < DEMAND_WINDOW_MAX_MS ? ms : DEMAND_WINDOW_MAX_MS;
}

static double
faded(double value, int64_t since_ms, int64_t now_ms, double over_ms)
{
    return now_ms <= since_ms
               ? value
               : value * exp(-(double)(now_ms - since_ms) / over_ms);
}

uint64_t
demand_grown(uint64_t last, uint64_t counter)
{
    uint64_t grown = counter >= last ? counter - last : counter;

    return grown < DEMAND_STEP_MAX ? grown : DEMAND_STEP_MAX;
}

void
demand_add(struct demand *demand, uint64_t requests, uint64_t size,
           int64_t now_ms)
{
    double window = window_ms(size);

    demand->rate = faded(demand->rate, demand->at_ms, now_ms, window);
    demand->hour = faded(demand->hour, demand->at_ms, now_ms, DEMAND_HOUR_MS);
    demand->at_ms = now_ms;
    demand->rate += (double)requests / (window / 1000);
    demand->hour += (double)requests;
}

double
demand_rate(const struct demand *demand, uint64_t size, int64_t now_ms)
{
    return faded(demand->rate, demand->at_ms, now_ms, window_ms(size));
}

double
demand_hour(const struct demand *demand, int64_t now_ms)
{
    return faded(demand->hour, demand->at_ms, now_ms, DEMAND_HOUR_MS);
}

unsigned
demand_heat(const struct demand *demand, int64_t now_ms)
{
    return (unsigned)log2(1 + demand_hour(demand, now_ms));
}

static unsigned
within(double holders, const struct demand_offer *offer)
{
    if (holders <= offer->least)
        return offer->least;
    return holders < offer->most ? (unsigned)holders : offer->most;
}

/* What nodes send of this content is no load that keeps them from sending it.
 */
static unsigned
needed(double bps, double load, const struct demand_offer *offer)
{
    double own = offer->nodes == 0 ? 0 : bps / (double)offer->nodes;

    if (offer->spare_bps <= 0)
        return offer->least; /* more holders have nothing to send with */
    if (own > offer->busy_bps)
        own = offer->busy_bps;
    return within(ceil(bps / ((offer->spare_bps + own) * load)), offer);
}

/* Bytes per second: of each request what a client can take in its window. */
static double
demand_bps(const struct demand *demand, uint64_t size, int64_t now_ms)
{
    double most = DEMAND_CLIENT_BPS * window_ms(size) / 1000;
    double bytes = (double)size < most ? (double)size : most;

    return demand_rate(demand, size, now_ms) * bytes;
}

static unsigned
needed_more(const struct demand *demand, double bps,
            const struct demand_offer *offer, int64_t now_ms)
{
    unsigned up = needed(bps, DEMAND_LOAD_UP, offer);
    unsigned asked = within(floor(demand_hour(demand, now_ms) + 0.5), offer);

    return up < asked ? up : asked;
}

void
demand_found(struct demand *demand, unsigned holders,
             const struct demand_offer *offer)
{
    if (demand->wanted == 0)
        demand->wanted = (uint8_t)within(holders, offer);
}

unsigned
demand_wanted(struct demand *demand, uint64_t size,
              const struct demand_offer *offer, int64_t now_ms)
{
    double bps = demand_bps(demand, size, now_ms);
    unsigned up = needed_more(demand, bps, offer, now_ms);

    if (demand->wanted == 0)
        demand->wanted = (uint8_t)offer->least;
    if (up > demand->wanted && now_ms >= demand->yielded_ms) {
        demand->wanted = (uint8_t)up;
        demand->low_ms = 0;
    } else if (demand->wanted > offer->most) {
        demand->wanted = (uint8_t)offer->most;
    } else if (demand->wanted == offer->least ||
               needed(bps, DEMAND_LOAD_DOWN, offer) >= demand->wanted) {
        demand->low_ms = 0;
    } else if (demand->low_ms == 0) {
        demand->low_ms = now_ms;
    } else if (now_ms - demand->low_ms >= DEMAND_HOLD_MS) {
        demand->wanted--;
        demand->low_ms += DEMAND_DOWN_MS;
    }
    return demand->wanted;
}

bool
demand_yield(struct demand *demand, const struct demand_offer *offer,
             int64_t now_ms)
{
    if (demand->wanted <= offer->least)
        return false;
    demand->wanted--;
    demand->yielded_ms = now_ms + DEMAND_YIELD_MS;
    return true;
}
