/*
 * What the contents of all sites of this process share: a table by root, the
 * nodes that came or went of late, and what one node can spare.
 */
#ifndef COORDINATOR_CATALOG_H
#define COORDINATOR_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/app.h"
#include "coordinator/nodes/nodes.h"
#include "offload/content.h"

#define CATALOG_SPARE_MS 1000
#define CATALOG_MAX (1u << 20) /* contents of all sites, a KiB each */
#define CATALOG_TURN 4096      /* hashes in one turn of the loop */

struct catalog;
struct content;
struct contents;

int catalog_create(struct app *app, struct catalog **ret);
void catalog_free(struct catalog *catalog); /* NULL is legal */

int catalog_add(struct catalog *catalog, struct content *c);
void catalog_remove(struct catalog *catalog, struct content *c);
/* Whether a site that has so many may have one more: a quarter of what is left,
 * so that those with many always leave room for others. */
bool catalog_has_room(const struct catalog *catalog, size_t count);
/* Of all sites. */
size_t catalog_count(const struct catalog *catalog);
/* The site's, or NULL. */
struct content *catalog_find(const struct catalog *catalog,
                             const struct contents *site, const uint8_t *root);
/* Its holders have changed in the store; root: hex. */
void catalog_held(struct catalog *catalog, const char *root);

/*
 * What one node can spare (placement_spare) and what it is busy with, bytes per
 * second: the mean of those that are listed and not draining, and how many.
 */
struct catalog_spare {
    double spare_bps, busy_bps;
    size_t nodes;
};
const struct catalog_spare *catalog_spare(struct catalog *catalog,
                                          int64_t now_ms);

/* How much work may still be done in this turn, by all sites; it was done. */
size_t catalog_left(struct catalog *catalog);
void catalog_spend(struct catalog *catalog, size_t hashes);

/* Those that crowd.c watches, of all sites: one to look at next. */
void catalog_watch(struct catalog *catalog, struct content *c);
void catalog_unwatch(struct catalog *catalog, struct content *c);
struct content *catalog_watched(struct catalog *catalog);

/* The node came, went or is another one than before. */
void catalog_moved(struct catalog *catalog, struct node *node);
/* Its memory is about to be freed. */
void catalog_forget(struct catalog *catalog, struct node *node);
/* Of the last move; the first node that moved after that, or NULL; the next. */
uint64_t catalog_moves(const struct catalog *catalog);
struct node *catalog_moved_after(const struct catalog *catalog, uint64_t move);
static inline struct node *
catalog_moved_next(const struct node *node)
{
    return TAILQ_NEXT(node, moved_link);
}

#endif
