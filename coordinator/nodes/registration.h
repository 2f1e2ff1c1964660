/*
 * POST /v1/nodes: a node registers; it is called back at its URL before it is
 * believed.
 */
#ifndef COORDINATOR_REGISTRATION_H
#define COORDINATOR_REGISTRATION_H

#include "coordinator/app.h"

#define REGISTRATION_CALLBACKS PLACES_MAX /* of all workers; beyond: 503 */
#define REGISTRATION_CALLBACK_MS 5000
#define REGISTRATION_MAX 16384 /* bytes, which a stranger makes us parse */

void registration_request(struct app *app, struct http_request *request);

#endif
