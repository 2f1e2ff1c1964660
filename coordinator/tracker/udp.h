/*
 * The tracker over UDP (BEP 15): takes packets off the socket, asks the
 * tracker, and sends what it says.  Nothing is kept of a client, except while
 * Redis is asked for it.
 */
#ifndef COORDINATOR_TRACKER_UDP_H
#define COORDINATOR_TRACKER_UDP_H

#include "coordinator/app.h"

struct udp;

/* Serves fd, a bound socket that does not block; takes it if it succeeds. */
int udp_create(struct app *app, int fd, struct udp **ret);
/* Nothing is read or sent any more.  What waits for Redis may go on waiting
 * for the end of the store.  NULL is legal. */
void udp_free(struct udp *udp);

#endif
