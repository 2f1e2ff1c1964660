/*
 * POST /v1/sites: a site joins, by showing at its own origin that it names this
 * coordinator.  GET /v1/sites/{id}: what is known of it.
 */
#ifndef COORDINATOR_JOIN_H
#define COORDINATOR_JOIN_H

#include "coordinator/app.h"

#define JOIN_ACTIVE 64 /* under way; beyond: 503 */
#define JOIN_MAX 4096  /* bytes of a request */

void join_request(struct app *app, struct http_request *request);
/* id: what stands behind /v1/sites/ . */
void site_show(struct app *app, struct http_request *request, const char *id);

#endif
