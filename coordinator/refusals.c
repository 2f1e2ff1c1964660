/*
 * What is refused to whom, in two tables of buckets.
 *
 * Must not know HTTP or messages.
 */
#include "coordinator/refusals.h"

#include "coordinator/limits.h"

/* A signature takes a fifth of a millisecond: a burst costs half a second. */
static struct limits messages = {.limit = {2000, 20, 1}};
/* A call that fails takes its place for seconds. */
static struct limits calls = {.limit = {8, 1, 30}};

void
refusals_init(uint64_t seed)
{
    messages.seed = calls.seed = seed;
}

void
refusals_add(const struct ol_addr *from, int status, uint32_t now_s)
{
    if (status < 400 || status >= 500 || status == 429)
        return;
    (void)limits_take(&messages, from, now_s);
    if (status == 403)
        (void)limits_take(&calls, from, now_s);
}

bool
refusals_allow(const struct ol_addr *from, uint32_t now_s)
{
    return limits_left(&messages, from, now_s) > 0;
}

bool
refusals_called_in_vain(const struct ol_addr *from, uint32_t now_s)
{
    return limits_left(&calls, from, now_s) == 0;
}
