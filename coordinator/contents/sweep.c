/*
 * Nodes that come and go: each content is looked at once for all nodes that
 * moved meanwhile, in slices, so that ten thousand nodes at once cost no more
 * in one turn of the loop than one.
 *
 * Must not know how a content is placed.
 */
#include "coordinator/contents/catalog.h"
#include "coordinator/contents/table.h"

/* Whether it should be placed anew, since this node came or went. */
static bool
is_displaced(const struct contents *contents, const struct content *c,
             const struct node *node)
{
    const struct placement_node scored = {
        .id = node->raw,
        .weight = node->weight,
        .room = placement_room(node->load_free, node->promised),
        .takes = node_takes(node, contents->id),
        .keeps = content_is_holder(c, node)};

    if (content_is_placed(c, node))
        return !scored.takes;
    return placement_fits(&scored, c->size) &&
           (c->placed_count < c->demand.wanted ||
            placement_score(store_salt(contents->app->store), c->root,
                            &scored) > c->placed_min);
}

/* Returns how many nodes it looked at. */
static size_t
content_sweep(struct contents *contents, struct content *c)
{
    struct node *node =
        catalog_moved_after(contents->app->catalog, contents->swept);
    bool candidates = false, displaced = false;
    size_t count = 0;

    for (; node != NULL; node = catalog_moved_next(node)) {
        candidates = candidates || content_is_holder(c, node);
        displaced =
            displaced || (c->assigned && is_displaced(contents, c, node));
        count++;
    }
    if (candidates)
        candidates_update(contents, c);
    if (displaced)
        work_add(contents, c, WORK_PLACE);
    return count;
}

size_t
sweep_step(struct contents *contents)
{
    size_t cost = 0, most = catalog_left(contents->app->catalog);

    if (contents->sweep == NULL) {
        contents->sweeping = catalog_moves(contents->app->catalog);
        if (contents->sweeping == contents->swept)
            return 0;
        contents->sweep = TAILQ_FIRST(&contents->all);
    }
    while (contents->sweep != NULL && cost < most) {
        cost += content_sweep(contents, contents->sweep) + 1;
        contents->sweep = TAILQ_NEXT(contents->sweep, link);
    }
    if (contents->sweep == NULL)
        contents->swept = contents->sweeping;
    return cost + 1;
}
