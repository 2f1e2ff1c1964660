/*
 * GET /v1/nodes/{id}/ledger and GET /v1/ledger (doc/protocol.md section 8).
 */
#ifndef COORDINATOR_LEDGER_SHOW_H
#define COORDINATOR_LEDGER_SHOW_H

#include "coordinator/app.h"

/* id: as in the path, not yet checked. */
void ledger_node_request(struct app *app, struct http_request *request,
                         const char *id, size_t id_len);
/* All nodes; for the operator's networks. */
void ledger_request(struct app *app, struct http_request *request);

#endif
