/*
 * The budget of bytes on disk and the order of eviction (quota.h).
 *
 * Owns: the sum and the two lists.  Must not know what the bytes are.
 */
#include "node/quota.h"

#include <stddef.h>

#define VICTIM_STEPS 256 /* items looked at in one call */

static struct quota_list *
list_of(struct quota *quota, const struct quota_item *item)
{
    return item->released ? &quota->released : &quota->kept[item->heat];
}

/* What is released is as good as free: it goes as soon as it is in the way. */
static void
released_count(struct quota *quota, const struct quota_item *item,
               uint64_t bytes)
{
    if (item->released)
        quota->releasable += bytes;
}

static void
to_front(struct quota *quota, struct quota_item *item)
{
    TAILQ_REMOVE(list_of(quota, item), item, link);
    TAILQ_INSERT_HEAD(list_of(quota, item), item, link);
}

void
quota_init(struct quota *quota, uint64_t limit)
{
    quota->limit = limit;
    quota->used = 0;
    quota->releasable = 0;
    for (size_t i = 0; i < QUOTA_HEATS; i++)
        TAILQ_INIT(&quota->kept[i]);
    TAILQ_INIT(&quota->released);
}

void
quota_insert(struct quota *quota, struct quota_item *item)
{
    quota->used += item->bytes;
    released_count(quota, item, item->bytes);
    TAILQ_INSERT_HEAD(list_of(quota, item), item, link);
}

void
quota_remove(struct quota *quota, struct quota_item *item)
{
    quota->used -= item->bytes;
    released_count(quota, item, -item->bytes);
    item->bytes = 0;
    TAILQ_REMOVE(list_of(quota, item), item, link);
}

void
quota_touch(struct quota *quota, struct quota_item *item)
{
    if (item->demand < QUOTA_DEMAND_MAX)
        item->demand++;
    to_front(quota, item);
}

void
quota_set_released(struct quota *quota, struct quota_item *item, bool released)
{
    if (item->released == released)
        return;
    TAILQ_REMOVE(list_of(quota, item), item, link);
    released_count(quota, item, -item->bytes);
    item->released = released;
    released_count(quota, item, item->bytes);
    TAILQ_INSERT_HEAD(list_of(quota, item), item, link);
}

void
quota_set_heat(struct quota *quota, struct quota_item *item, unsigned heat)
{
    uint8_t to = (uint8_t)(heat < QUOTA_HEATS ? heat : QUOTA_HEATS - 1);

    if (item->heat == to)
        return;
    TAILQ_REMOVE(list_of(quota, item), item, link);
    item->heat = to;
    TAILQ_INSERT_HEAD(list_of(quota, item), item, link);
}

bool
quota_reserve(struct quota *quota, struct quota_item *item, uint64_t bytes)
{
    if (bytes > quota_free(quota))
        return false;
    quota->used += bytes;
    item->bytes += bytes;
    released_count(quota, item, bytes);
    return true;
}

void
quota_return(struct quota *quota, struct quota_item *item, uint64_t bytes)
{
    quota->used -= bytes;
    item->bytes -= bytes;
    released_count(quota, item, -bytes);
}

uint64_t
quota_room(const struct quota *quota)
{
    uint64_t kept = quota->used - quota->releasable;

    return kept < quota->limit ? quota->limit - kept : 0;
}

uint64_t
quota_free(const struct quota *quota)
{
    return quota->used < quota->limit ? quota->limit - quota->used : 0;
}

/*
 * Second chances are given in turn.  When the steps are used up, the one with
 * the least demand of those seen goes: what is hotter must not go instead.
 */
static struct quota_item *
victim_in(struct quota *quota, struct quota_list *list, unsigned *steps)
{
    struct quota_item *first = TAILQ_FIRST(list), *least = NULL;

    while (*steps > 0) {
        struct quota_item *item = TAILQ_LAST(list, quota_list);

        if (item == NULL)
            return NULL;
        --*steps;
        if (item->users == 0 && item->demand == 0)
            return item;
        item->demand /= 2;
        if (item->users == 0 && (least == NULL || item->demand < least->demand))
            least = item;
        to_front(quota, item);
        if (item == first && least == NULL)
            return NULL; /* all are in use */
    }
    return least;
}

struct quota_item *
quota_victim(struct quota *quota, int heat)
{
    unsigned steps = VICTIM_STEPS;
    struct quota_item *item = victim_in(quota, &quota->released, &steps);

    for (int i = 0; item == NULL && i <= heat && i < QUOTA_HEATS; i++)
        item = victim_in(quota, &quota->kept[i], &steps);
    return item;
}
