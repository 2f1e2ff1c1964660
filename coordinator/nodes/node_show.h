/*
 * GET /v1/nodes/{id}: what anyone may know of a node, and what its operator
 * wants to know.
 */
#ifndef COORDINATOR_NODE_SHOW_H
#define COORDINATOR_NODE_SHOW_H

#include "coordinator/app.h"

void node_show(struct app *app, struct http_request *request, const char *id);

#endif
