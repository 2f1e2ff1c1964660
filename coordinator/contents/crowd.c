/*
 * What demand makes of a site's contents: how many nodes should hold each, how
 * hot nodes are told that it is, and who gives up room to whom.
 *
 * Must not know which nodes are chosen.
 */
#include "coordinator/contents/catalog.h"
#include "coordinator/contents/table.h"

#include <stdlib.h>

#include "coordinator/options.h"

#define WATCH_MS 1000
#define WATCH_SLICE 1024     /* contents looked at in one turn */
#define CROWDED_ROUNDS 5     /* turns after which want of room is looked at */
#define HEAT_STEP 2          /* nodes are told a change of so much */
#define YIELD_LOOKED_AT 256  /* to find one that gives up room */
#define YIELD_AGAIN_MS 10000 /* by then the node has heard of it */

struct demand_offer
crowd_offer(const struct contents *contents)
{
    const struct options *o = contents->app->options;
    const struct catalog_spare *spare =
        catalog_spare(contents->app->catalog, app_ticks_ms());

    return (struct demand_offer){
        .least = o->holders,
        .most = o->holders_max > o->holders ? o->holders_max : o->holders,
        .spare_bps = spare->spare_bps,
        .busy_bps = spare->busy_bps,
        .nodes = spare->nodes};
}

static void
watch_set(struct contents *contents, struct content *c)
{
    bool wanted = c->crowded || c->demand.wanted > crowd_offer(contents).least;

    if (wanted == c->watched)
        return;
    c->watched = wanted;
    if (!wanted) {
        TAILQ_REMOVE(&contents->watched, c, watched_link);
        catalog_unwatch(contents->app->catalog, c);
        return;
    }
    TAILQ_INSERT_TAIL(&contents->watched, c, watched_link);
    catalog_watch(contents->app->catalog, c);
    if (!uv_is_active((uv_handle_t *)&contents->watch))
        uv_timer_start(&contents->watch, crowd_watch, WATCH_MS, WATCH_MS);
}

void
crowd_forget(struct contents *contents, struct content *c)
{
    if (c->watched) {
        TAILQ_REMOVE(&contents->watched, c, watched_link);
        catalog_unwatch(contents->app->catalog, c);
    }
    c->watched = false;
}

void
crowd_update(struct contents *contents, struct content *c)
{
    const struct demand_offer offer = crowd_offer(contents);
    int64_t now = app_ticks_ms();
    unsigned before = c->demand.wanted, heat;

    if (!c->assigned)
        return; /* it is placed once its holders are read */
    if (demand_wanted(&c->demand, c->size, &offer, now) != before)
        work_add(contents, c, WORK_PLACE);
    heat = demand_heat(&c->demand, now);
    if (abs((int)heat - c->heat) >= HEAT_STEP)
        work_add(contents, c, WORK_TELL);
    watch_set(contents, c);
}

/* Whether the node that it would give up can take the other one then. */
static bool
is_of_use(const struct content *c, const struct content *to)
{
    const struct node *node = c->placed[c->placed_count - 1];

    return node_takes(node, to->site->id) && !content_is_placed(to, node) &&
           placement_room(node->load_free, node->promised) + c->size >=
               to->size;
}

/* The coldest of those that have more nodes than the least, of any site, gives
 * up one to who is below it, or much hotter. */
static void
crowd_yield(struct contents *contents, struct content *to)
{
    const struct demand_offer offer = crowd_offer(contents);
    struct catalog *catalog = contents->app->catalog;
    int64_t now = app_ticks_ms();
    unsigned own = to->placed_count < offer.least
                       ? UINT8_MAX
                       : demand_heat(&to->demand, now);
    unsigned heat, coldest = UINT8_MAX;
    struct content *c, *first = NULL, *found = NULL;

    if (to->yielded_ms != 0 && now - to->yielded_ms < YIELD_AGAIN_MS)
        return;
    for (unsigned i = 0; i < YIELD_LOOKED_AT; i++) {
        c = catalog_watched(catalog);
        if (c == NULL || c == first)
            break;
        if (first == NULL)
            first = c;
        heat = demand_heat(&c->demand, now);
        if (c == to || c->placed_count <= offer.least || heat >= coldest ||
            heat + HEAT_STEP > own || !is_of_use(c, to))
            continue;
        coldest = heat;
        found = c;
    }
    if (found == NULL || !demand_yield(&found->demand, &offer, now))
        return;
    to->yielded_ms = now;
    work_add(found->site, found, WORK_PLACE);
}

void
crowd_placed(struct contents *contents, struct content *c, bool crowded)
{
    c->crowded = crowded;
    if (crowded)
        crowd_yield(contents, c);
    watch_set(contents, c);
}

void
crowd_watch(uv_timer_t *timer)
{
    struct contents *contents = timer->data;
    struct content *c, *last = TAILQ_LAST(&contents->watched, content_list);
    unsigned left = WATCH_SLICE;

    if (last == NULL) {
        uv_timer_stop(timer);
        return;
    }
    contents->watches++;
    do {
        c = TAILQ_FIRST(&contents->watched);
        TAILQ_REMOVE(&contents->watched, c, watched_link);
        TAILQ_INSERT_TAIL(&contents->watched, c, watched_link);
        if (c->crowded && contents->watches % CROWDED_ROUNDS == 0)
            work_add(contents, c, WORK_PLACE);
        crowd_update(contents, c);
    } while (c != last && --left > 0);
}
