/*
 * The coordinator's routes (doc/protocol.md section 5).
 */
#ifndef COORDINATOR_API_H
#define COORDINATOR_API_H

#include "net/httpd.h"

/* The handler of httpd; arg is the struct app. */
void api_handle(struct http_request *request, void *arg);

#endif
