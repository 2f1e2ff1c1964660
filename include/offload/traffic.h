/*
 * Judgements about traffic: whether a server sends so much that it wants help,
 * and whether those who pull from it have used up what they may.  Time is
 * passed in; nothing here reads a clock or keeps a lock.
 */
#ifndef OL_TRAFFIC_H
#define OL_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether help is asked for: once `rate` is over `above`, and from then on
 * (`was`) until it is below four fifths of it.
 */
bool ol_traffic_busy(uint64_t rate, uint64_t above, bool was);

/*
 * Whether a sample that was used for the tick `old` begins anew for `tick`. Not
 * if another process was ahead and has used it for a later one; unless that is
 * so much later that the clock was set back.
 */
bool ol_traffic_anew(uint64_t old, uint64_t tick);

/*
 * Bytes that may be sent: `rate` a second come in, one second's worth is kept.
 * Whoever finds any may take as much as he wants, so it goes below zero, by
 * what comes in during OL_BUDGET_WAIT_MAX at most, and the next ones wait:
 * nobody can shut the others out for longer.  All zeros: a full one.
 */
struct ol_budget {
    int64_t level;    /* thousandths of a byte */
    uint64_t last_ms; /* 0: never used */
};

/* Bytes a second; more is taken for this, and 0 for 1. */
#define OL_BUDGET_RATE_MAX (UINT64_C(1) << 40)
#define OL_BUDGET_WAIT_MAX 60 /* seconds */

/* 0: they are taken.  Else none are, and it is how many seconds to wait. */
unsigned ol_budget_take(struct ol_budget *budget, uint64_t rate,
                        uint64_t now_ms, uint64_t bytes);
/* It turned out that more (> 0) or fewer (< 0) bytes were sent. */
void ol_budget_correct(struct ol_budget *budget, uint64_t rate, int64_t bytes);

#endif
