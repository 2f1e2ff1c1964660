/*
 * GET /metrics: Prometheus' text format 0.0.4.
 */
#ifndef COORDINATOR_STATUS_EXPOSITION_H
#define COORDINATOR_STATUS_EXPOSITION_H

#include "coordinator/status/view.h"

/* The caller frees it.  NULL without memory. */
char *exposition_render(const struct view *view, size_t *ret_len);

#endif
