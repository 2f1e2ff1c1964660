/*
 * The node's HTTP routes (doc/protocol.md section 6).
 */
#ifndef NODE_SERVE_H
#define NODE_SERVE_H

#include "net/httpd.h"

/* Answers one request; arg is the struct node. */
void serve_request(struct http_request *request, void *arg);

#endif
