/*
 * A process that serves: one event loop from its start to its end.
 */
#ifndef COORDINATOR_WORKER_H
#define COORDINATOR_WORKER_H

#include "coordinator/master.h"

/* Its exit status. */
int worker_serve(const struct master_worker *worker, struct options *o);

#endif
