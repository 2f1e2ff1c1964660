/*
 * The upload rate (rate.h): a token bucket, refilled while somebody waits.
 *
 * Owns: tokens and the queue.  Must not know what is sent to whom.
 */
#include "node/rate.h"

#include <errno.h>
#include <stdlib.h>

#define TICK_MS 10
#define BURST_MS 100 /* tokens kept while nobody sends */

TAILQ_HEAD(waiters, rate_waiter);

struct rate {
    uint64_t bps;
    uint64_t tokens; /* bytes that may go now */
    uint64_t filled_ms;
    uint64_t total;
    struct waiters waiters;
    uv_timer_t timer;
};

static void
refill(struct rate *rate)
{
    uint64_t now = uv_now(rate->timer.loop);
    uint64_t past = now - rate->filled_ms;
    uint64_t most = rate->bps * BURST_MS / 1000;

    if (past == 0)
        return;
    if (past > BURST_MS)
        past = BURST_MS;
    /* Slow rates gain less than a byte a tick: wait for a whole one. */
    if (rate->bps * past < 1000)
        return;
    rate->tokens += rate->bps * past / 1000;
    rate->filled_ms = now;
    if (most < RATE_QUANTUM)
        most = RATE_QUANTUM;
    if (rate->tokens > most)
        rate->tokens = most;
}

/* Wakes as many as the tokens feed; each of them asks again. */
static void
on_tick(uv_timer_t *timer)
{
    struct rate *rate = timer->data;
    struct rate_waiter *waiter;
    uint64_t promised = 0;

    refill(rate);
    while (promised < rate->tokens &&
           (waiter = TAILQ_FIRST(&rate->waiters)) != NULL) {
        rate_cancel(rate, waiter);
        promised += RATE_QUANTUM;
        waiter->wake(waiter);
    }
    if (TAILQ_EMPTY(&rate->waiters))
        uv_timer_stop(&rate->timer);
}

int
rate_create(uv_loop_t *loop, uint64_t bps, struct rate **ret)
{
    struct rate *rate = calloc(1, sizeof(*rate));

    if (rate == NULL)
        return -ENOMEM;
    rate->bps = bps;
    TAILQ_INIT(&rate->waiters);
    uv_timer_init(loop, &rate->timer);
    rate->timer.data = rate;
    rate->filled_ms = uv_now(loop);
    *ret = rate;
    return 0;
}

static void
on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void
rate_free(struct rate *rate)
{
    if (rate != NULL)
        uv_close((uv_handle_t *)&rate->timer, on_closed);
}

bool
rate_limited(const struct rate *rate)
{
    return rate->bps != 0;
}

size_t
rate_take(struct rate *rate, size_t max, struct rate_waiter *waiter)
{
    if (rate->bps != 0) {
        refill(rate);
        if (rate->tokens == 0) {
            if (waiter->waiting) /* woken for another reason: keeps its turn */
                return 0;
            waiter->waiting = true;
            TAILQ_INSERT_TAIL(&rate->waiters, waiter, link);
            if (!uv_is_active((uv_handle_t *)&rate->timer))
                uv_timer_start(&rate->timer, on_tick, TICK_MS, TICK_MS);
            return 0;
        }
        if (max > RATE_QUANTUM)
            max = RATE_QUANTUM;
        if (max > rate->tokens)
            max = (size_t)rate->tokens;
        rate->tokens -= max;
        rate_cancel(rate, waiter);
    }
    rate->total += max;
    return max;
}

void
rate_cancel(struct rate *rate, struct rate_waiter *waiter)
{
    if (!waiter->waiting)
        return;
    waiter->waiting = false;
    TAILQ_REMOVE(&rate->waiters, waiter, link);
}

void
rate_count(struct rate *rate, uint64_t bytes)
{
    rate->total += bytes;
}

uint64_t
rate_total(const struct rate *rate)
{
    return rate->total;
}
