/*
 * The status page as HTML.  What nodes and sites said is hostile: all text goes
 * in escaped.
 */
#ifndef COORDINATOR_STATUS_PAGE_H
#define COORDINATOR_STATUS_PAGE_H

#include "coordinator/status/view.h"

/* The caller frees it.  NULL without memory. */
char *page_render(const struct view *view, size_t *ret_len);

#endif
