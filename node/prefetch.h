/*
 * Fetching in the background of what was assigned: first the pieces that this
 * node owns, so that the nodes of a content share the work at the origin,
 * then the rest, from those that own it.
 *
 * At most PREFETCH_SLOTS pieces at a time, contents in turn; a content that
 * could not be filled is tried again after a pause that grows to a minute.
 */
#ifndef NODE_PREFETCH_H
#define NODE_PREFETCH_H

#define PREFETCH_SLOTS 8

struct node;
struct prefetch;

int prefetch_create(struct node *node, struct prefetch **ret);
/* There may be something to do. */
void prefetch_kick(struct prefetch *prefetch);
/* Wants nothing any more; then run the loop once before prefetch_free. */
void prefetch_stop(struct prefetch *prefetch);
void prefetch_free(struct prefetch *prefetch);

#endif
