/*
 * The upload rate: how many bytes bodies may take now, shared fairly, and how
 * many were sent in all.
 *
 * Each waiter is woken in its turn and gets at most RATE_QUANTUM bytes.
 */
#ifndef NODE_RATE_H
#define NODE_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#define RATE_QUANTUM 16384

struct rate;

struct rate_waiter { /* embedded in who sends */
    TAILQ_ENTRY(rate_waiter) link;
    void (*wake)(struct rate_waiter *waiter);
    bool waiting;
};

/* bps: bytes per second, 0: unlimited. */
int rate_create(uv_loop_t *loop, uint64_t bps, struct rate **ret);
void rate_free(struct rate *rate); /* then run the loop once */
bool rate_limited(const struct rate *rate);

/*
 * Up to max bytes to send now; 0: the waiter is woken when there are more.
 * Who waits already may ask again.
 */
size_t rate_take(struct rate *rate, size_t max, struct rate_waiter *waiter);
void rate_cancel(struct rate *rate, struct rate_waiter *waiter);
/* Bytes that go out without asking. */
void rate_count(struct rate *rate, uint64_t bytes);
uint64_t rate_total(const struct rate *rate);

#endif
