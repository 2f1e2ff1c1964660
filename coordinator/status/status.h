/*
 * What people and monitoring look at: the status page, its numbers as JSON, and
 * the metrics.
 *
 * The page is public.  Whatever the load, it is rendered once a second and read
 * from Redis once a second, and only while somebody asks; while Redis does not
 * answer, the last numbers are shown and said to be old.
 */
#ifndef COORDINATOR_STATUS_STATUS_H
#define COORDINATOR_STATUS_STATUS_H

#include "coordinator/app.h"

#define STATUS_EVERY_MS 1000
#define STATUS_WAIT_MS 1000 /* for Redis, before old numbers are shown */

struct status;

int status_create(struct app *app, struct status **ret);
/* After store_free, before calls_end has nothing to end.  NULL is legal. */
void status_free(struct status *status);

void status_page(struct app *app, struct http_request *request);
void status_document(struct app *app, struct http_request *request);
void status_script(struct app *app, struct http_request *request);
void status_style(struct app *app, struct http_request *request);
/* For the operator's networks. */
void status_metrics(struct app *app, struct http_request *request);

#endif
