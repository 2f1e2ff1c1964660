/*
 * GET /v1/content/{root}/peers: who holds a content, complete ones first.
 */
#ifndef COORDINATOR_PEERS_H
#define COORDINATOR_PEERS_H

#include <stddef.h>

#include "coordinator/app.h"

#define PEERS_DEFAULT 50
#define PEERS_MAX 200

/* root: not checked yet, root_len characters; query: raw, or NULL. */
void peers_request(struct app *app, struct http_request *request,
                   const char *root, size_t root_len, const char *query);

#endif
