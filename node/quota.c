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
    return item->released ? &quota->released : &quota->kept;
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
    TAILQ_INIT(&quota->kept);
    TAILQ_INIT(&quota->released);
}

void
quota_insert(struct quota *quota, struct quota_item *item)
{
    quota->used += item->bytes;
    TAILQ_INSERT_HEAD(list_of(quota, item), item, link);
}

void
quota_remove(struct quota *quota, struct quota_item *item)
{
    quota->used -= item->bytes;
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
    item->released = released;
    TAILQ_INSERT_HEAD(list_of(quota, item), item, link);
}

bool
quota_reserve(struct quota *quota, struct quota_item *item, uint64_t bytes)
{
    if (bytes > quota_free(quota))
        return false;
    quota->used += bytes;
    item->bytes += bytes;
    return true;
}

void
quota_return(struct quota *quota, struct quota_item *item, uint64_t bytes)
{
    quota->used -= bytes;
    item->bytes -= bytes;
}

uint64_t
quota_free(const struct quota *quota)
{
    return quota->used < quota->limit ? quota->limit - quota->used : 0;
}

static struct quota_item *
victim_in(struct quota *quota, struct quota_list *list)
{
    for (unsigned step = 0; step < VICTIM_STEPS; step++) {
        struct quota_item *item = TAILQ_LAST(list, quota_list);

        if (item == NULL)
            return NULL;
        if (item->users == 0 && item->demand == 0)
            return item;
        item->demand /= 2;
        to_front(quota, item);
    }
    return NULL;
}

struct quota_item *
quota_victim(struct quota *quota, bool kept_too)
{
    struct quota_item *item = victim_in(quota, &quota->released);

    return item == NULL && kept_too ? victim_in(quota, &quota->kept) : item;
}
