/*
 * POST /v1/nodes/heartbeat: a node says what it holds and is told what to
 * fetch; held until there is something to tell.
 */
#ifndef COORDINATOR_HEARTBEAT_H
#define COORDINATOR_HEARTBEAT_H

#include "coordinator/app.h"

/* How long one is held: as short as 200 a second in one process allow. */
#define HEARTBEAT_MIN_MS 2000
#define HEARTBEAT_MS 10000
#define HEARTBEAT_EACH_MS 5
/* An assignment that was told is told again after this, if it must. */
#define HEARTBEAT_REPEAT_MS 5000
#define HEARTBEAT_TICK_MS 100
#define HEARTBEAT_WARN_MS 60000 /* between warnings */

void heartbeat_request(struct app *app, struct http_request *request);
/* The node has new assignments: a held heartbeat is answered. */
void heartbeat_wake(struct app *app, const char *node_id);
/* How many are held now: they are requests under way, but no load. */
unsigned heartbeat_held(const struct app *app);
/* Answers all that are held now (the store has changed). */
void heartbeat_answer_all(struct app *app);

int heartbeat_start(struct app *app);
void heartbeat_stop(struct app *app);

#endif
