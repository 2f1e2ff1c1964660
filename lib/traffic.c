/*
 * Judgements about traffic (offload/traffic.h): pure arithmetic that cannot
 * overflow, whatever the rates, times and sizes are.
 */
#include "offload/traffic.h"

#define SECOND_MS 1000
#define DEBT_S OL_BUDGET_WAIT_MAX /* what comes in during it can be owed */
#define BACKWARDS_MS 60000        /* other processes are behind as much */
#define TICKS_AHEAD 240           /* likewise */
#define BYTES_MAX (UINT64_C(1) << 50)

bool
ol_traffic_busy(uint64_t rate, uint64_t above, bool was)
{
    return was ? rate >= above - above / 5 : rate > above;
}

bool
ol_traffic_anew(uint64_t old, uint64_t tick)
{
    int64_t later = (int64_t)(tick - old);

    return later > 0 || later < -TICKS_AHEAD;
}

static uint64_t
clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static void
set_level(struct ol_budget *budget, uint64_t rate, int64_t level)
{
    int64_t full = (int64_t)(rate * SECOND_MS);
    int64_t least = -DEBT_S * full;

    budget->level = level > full ? full : level < least ? least : level;
}

static void
fill(struct ol_budget *budget, uint64_t rate, uint64_t now_ms)
{
    uint64_t ms;

    if (budget->last_ms == 0) {
        budget->level = (int64_t)(rate * SECOND_MS);
    } else if (now_ms >= budget->last_ms) {
        ms = now_ms - budget->last_ms;
        if (ms > (DEBT_S + 1) * SECOND_MS)
            ms = (DEBT_S + 1) * SECOND_MS;
        set_level(budget, rate, budget->level + (int64_t)(rate * ms));
    } else if (budget->last_ms - now_ms <= BACKWARDS_MS) {
        return;
    }
    budget->last_ms = now_ms > 0 ? now_ms : 1;
}

unsigned
ol_budget_take(struct ol_budget *budget, uint64_t rate, uint64_t now_ms,
               uint64_t bytes)
{
    uint64_t wait_ms;

    rate = clamp(rate, 1, OL_BUDGET_RATE_MAX);
    fill(budget, rate, now_ms);
    if (budget->level <= 0) {
        wait_ms = (uint64_t)-budget->level / rate + 1;
        return (unsigned)clamp((wait_ms + SECOND_MS - 1) / SECOND_MS, 1,
                               OL_BUDGET_WAIT_MAX);
    }
    bytes = clamp(bytes, 0, BYTES_MAX);
    set_level(budget, rate, budget->level - (int64_t)bytes * SECOND_MS);
    return 0;
}

void
ol_budget_correct(struct ol_budget *budget, uint64_t rate, int64_t bytes)
{
    const int64_t max = (int64_t)BYTES_MAX;

    rate = clamp(rate, 1, OL_BUDGET_RATE_MAX);
    bytes = bytes > max ? max : bytes < -max ? -max : bytes;
    set_level(budget, rate, budget->level - bytes * SECOND_MS);
}
