/*
 * From an assignment to a content: the node asks the site itself for keys and
 * manifest, compares, fetches the piece table, and only then keeps it.
 *
 * Limits: INTAKE_ACTIVE at a time, INTAKE_MAX waiting; what failed is not
 * tried again for a while (coordinators repeat what was not acknowledged).
 */
#ifndef NODE_INTAKE_H
#define NODE_INTAKE_H

#include <jansson.h>

#include "offload/error.h"

#define INTAKE_MAX 256
#define INTAKE_ACTIVE 8

struct intake;
struct node;

int intake_create(struct node *node, struct intake **ret);
void intake_stop(struct intake *intake);
void intake_free(struct intake *intake);

/*
 * One entry of "assign", of the coordinator with that number.  0: it is being
 * looked at, or known already; -EAGAIN: not now (failed lately, queue full);
 * -EBADMSG, -EACCES: malformed, or of a site that is not served: err says it.
 */
int intake_offer(struct intake *intake, unsigned coordinator, json_t *entry,
                 struct ol_error *err);

#endif
