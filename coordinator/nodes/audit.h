/*
 * Audits: now and then a node is asked for a random piece of what it says it
 * holds, as a client would ask, and what comes is checked.
 */
#ifndef COORDINATOR_AUDIT_H
#define COORDINATOR_AUDIT_H

#include "coordinator/app.h"

#define AUDIT_TICK_MS 250
#define AUDIT_RUNNING 4  /* at a time, each with at most one piece in memory */
#define AUDIT_SAMPLES 32 /* holdings looked at for one audit */
#define AUDIT_PAUSE_MS                                                         \
    60000                    /* of one node; the store sees to all processes   \
                              */
#define AUDIT_AGAIN_MS 5000  /* it had no piece yet, or somebody was faster */
#define AUDIT_TOTAL_MS 60000 /* of one piece; and 5 s without a byte end it */
#define AUDIT_WRONG 2        /* that often within 7 days: it is banned */

struct audits;

/* Made even if there are to be none: options may change that. */
int audits_create(struct app *app, struct audits **ret);
/* After the store has called back all that is open.  NULL is legal. */
void audits_free(struct audits *audits);

#endif
