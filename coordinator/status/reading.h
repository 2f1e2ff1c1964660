/*
 * One reading of what the status page needs from Redis.
 */
#ifndef COORDINATOR_STATUS_READING_H
#define COORDINATOR_STATUS_READING_H

#include "coordinator/status/view.h"

/* rc 0: `stored` is the reader's from now on (free); else NULL. */
typedef void reading_fn(void *arg, int rc, struct view_stored *take);

/* 0, and calls back once; -ENOMEM, -ENOTCONN or -EAGAIN and does not. */
int reading_start(struct store *store, int64_t now_s, reading_fn *done,
                  void *arg);

#endif
