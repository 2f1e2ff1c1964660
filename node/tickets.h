/*
 * Tickets that were checked before: a signature is verified once, however
 * often its ticket comes.  Bounded: TICKETS_KEPT, newer ones in place of older.
 */
#ifndef NODE_TICKETS_H
#define NODE_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "node/site.h"
#include "offload/content.h"

#define TICKETS_KEPT 4096

struct tickets;

int tickets_create(struct tickets **ret);
void tickets_free(struct tickets *tickets);
/* Whether query is a ticket of this site for root at this time. */
bool tickets_check(struct tickets *tickets, const struct site *site,
                   const uint8_t root[OL_HASH_BYTES], const char *query,
                   int64_t now);

#endif
