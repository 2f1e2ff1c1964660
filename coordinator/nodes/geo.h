/*
 * The country of an address, by a MaxMind database that the operator gives.
 */
#ifndef COORDINATOR_GEO_H
#define COORDINATOR_GEO_H

#include <stdbool.h>

#include "offload/error.h"
#include "offload/netaddr.h"

#define GEO_ZONE 8 /* with the NUL */

struct geo;

/* path NULL: no database, no zones.  -EINVAL: it cannot be read. */
int geo_create(const char *path, struct geo **ret, struct ol_error *err);
void geo_free(struct geo *geo); /* NULL is legal */
/* Opens another file, or the same one if it is another one now; if that fails,
 * the old one stays, and the log says why. */
void geo_refresh(struct geo *geo, const char *path);

/* ret, with its ISO 3166 code in upper case, or NULL if it is not known. */
const char *geo_zone(const struct geo *geo, const struct ol_addr *addr,
                     char ret[GEO_ZONE]);

#endif
