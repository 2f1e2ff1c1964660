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

struct catalog;
struct content;
struct contents;

int catalog_create(struct app *app, struct catalog **ret);
void catalog_free(struct catalog *catalog); /* NULL is legal */

int catalog_add(struct catalog *catalog, struct content *c);
void catalog_remove(struct catalog *catalog, struct content *c);
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
