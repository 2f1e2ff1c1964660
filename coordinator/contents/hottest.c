/*
 * Which of a site's contents are asked for most: told to the store, for all
 * coordinators' status pages.
 *
 * Must not know what is made of it.
 */
#include "coordinator/contents/table.h"

#include <string.h>

#include "coordinator/options.h"
#include "coordinator/store/history.h"

#define HOTTEST_LEAST 0.05 /* requests per hour; below: not asked for */

/* Sorted, the hottest first; what is beyond HOT_PUT_MAX falls out. */
struct hottest {
    struct hot_content list[HOT_PUT_MAX];
    size_t count;
};

static void
hottest_add(struct hottest *hottest, const struct hot_content *hot)
{
    size_t at = hottest->count;

    if (at == HOT_PUT_MAX && hottest->list[at - 1].demand >= hot->demand)
        return;
    if (at < HOT_PUT_MAX)
        hottest->count++;
    else
        at--;
    while (at > 0 && hottest->list[at - 1].demand < hot->demand) {
        hottest->list[at] = hottest->list[at - 1];
        at--;
    }
    hottest->list[at] = *hot;
}

/* No more than the nodes that serve the site have room for, but the least. */
static unsigned
wanted_told(const struct contents *contents, const struct content *c)
{
    unsigned least = contents->app->options->holders;
    size_t placed = c->placed_count > least ? c->placed_count : least;

    return placed < c->demand.wanted ? (unsigned)placed : c->demand.wanted;
}

void
hottest_tell(const struct contents *contents)
{
    const struct content *c;
    struct hottest hottest = {.count = 0};
    struct hot_content hot;
    int64_t now = app_ticks_ms();

    TAILQ_FOREACH(c, &contents->all, link)
    {
        if (c->demand.hour < HOTTEST_LEAST || c->offered == 0)
            continue;
        hot = (struct hot_content){c->hex, demand_hour(&c->demand, now),
                                   wanted_told(contents, c)};
        if (hot.demand >= HOTTEST_LEAST)
            hottest_add(&hottest, &hot);
    }
    store_hot_put(contents->app->store, app_now(), hottest.list, hottest.count);
}
