/*
 * What follows for a node from what is known of it: whether it is excluded or
 * drains, its zone, its trust and its weight.
 */
#ifndef COORDINATOR_STANDING_H
#define COORDINATOR_STANDING_H

#include "coordinator/nodes/nodes.h"

/* Takes what the store says of it; the next judgement goes by that. */
void standing_take(struct node *node, const struct store_node *from);
/* Draws the conclusions; whether any is another one than before. */
bool standing_judge(const struct app *app, struct node *node, int64_t now_s);
/* Why it is excluded; "" if it is not. */
const char *standing_reason(const struct node *node);
void standing_clear(struct node *node);

#endif
