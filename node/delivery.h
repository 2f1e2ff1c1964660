/*
 * The answer to one request for the bytes of a content: from disk if all of
 * them are there, else as they are fetched.
 */
#ifndef NODE_DELIVERY_H
#define NODE_DELIVERY_H

#include "net/httpd.h"
#include "node/contents.h"

struct node;

/* Answers the request, now or later.  GET or HEAD. */
void delivery_start(struct node *node, struct http_request *request,
                    struct content *content);
/* The piece table. */
void delivery_table(struct node *node, struct http_request *request,
                    struct content *content);

#endif
