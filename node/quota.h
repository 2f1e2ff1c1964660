/*
 * The budget of bytes on disk, and which content goes when it is used up:
 * first what the coordinator released, then what has the least heat, as sites
 * say it; of these what was used least recently; each request that a content
 * has seen gives it a further round, halved every time it is spared.  Never
 * what is in use.  Pure: no files, no clock.
 */
#ifndef NODE_QUOTA_H
#define NODE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define QUOTA_DEMAND_MAX 255
#define QUOTA_HEATS 32 /* 0 .. 31; what is hotter counts as the last */

struct quota_item { /* embedded in what is counted */
    TAILQ_ENTRY(quota_item) link;
    uint64_t bytes;  /* reserved */
    uint32_t demand; /* recent requests */
    uint32_t users;  /* > 0: in use, not to be evicted */
    uint8_t heat;    /* quota_set_heat */
    bool released;
};
TAILQ_HEAD(quota_list, quota_item);

struct quota {
    uint64_t limit, used, releasable;    /* releasable: of what is released */
    struct quota_list kept[QUOTA_HEATS]; /* most recently used first */
    struct quota_list released;
};

void quota_init(struct quota *quota, uint64_t limit);
/* item->bytes, ->heat and ->released say how it starts. */
void quota_insert(struct quota *quota, struct quota_item *item);
void quota_remove(struct quota *quota, struct quota_item *item);
/* A request: it is the most recent one now. */
void quota_touch(struct quota *quota, struct quota_item *item);
void quota_set_released(struct quota *quota, struct quota_item *item,
                        bool released);
void quota_set_heat(struct quota *quota, struct quota_item *item,
                    unsigned heat);

/* False: no room; evict quota_victim() and try again, or give up. */
bool quota_reserve(struct quota *quota, struct quota_item *item,
                   uint64_t bytes);
void quota_return(struct quota *quota, struct quota_item *item, uint64_t bytes);
uint64_t quota_free(const struct quota *quota);
/* With what is released: what a coordinator may place here. */
uint64_t quota_room(const struct quota *quota);

/*
 * The item to evict next, or NULL.  heat: also what is not released, if it is
 * not hotter than this; < 0: none of it.  Looks at a bounded number of items,
 * each of which it moves to the front.
 */
struct quota_item *quota_victim(struct quota *quota, int heat);

#endif
