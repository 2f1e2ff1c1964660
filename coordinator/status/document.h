/*
 * The status page's numbers as JSON: GET /v1/status.
 */
#ifndef COORDINATOR_STATUS_DOCUMENT_H
#define COORDINATOR_STATUS_DOCUMENT_H

#include "coordinator/status/view.h"

/* The caller frees it.  NULL without memory. */
char *document_render(const struct view *view, size_t *ret_len);

#endif
