/*
 * The coordinators that this node was told to use: it registers with each,
 * tells each by heartbeats what it holds, and passes on what they assign.
 *
 * Each link has a number, which is its bit in content->told and ->assigned.
 */
#ifndef NODE_LINKS_H
#define NODE_LINKS_H

#include <stddef.h>
#include <stdint.h>

#include "node/contents.h"

struct links;
struct node;

int links_create(struct node *node, struct links **ret);
void links_start(struct links *links);
/* No requests any more; then run the loop once before links_free. */
void links_stop(struct links *links);
void links_free(struct links *links);

/* Some content's dirty bits have been set. */
void links_kick(struct links *links);
/* The node is going to stop: the coordinators are told so from now on. */
void links_drain(struct links *links);
/* The content is gone: whoever was told of it is told so. */
void links_dropped(struct links *links, const struct content *content);

/* The URLs of those bits' coordinators; returns how many there are. */
size_t links_urls(const struct links *links, uint16_t bits,
                  const char *ret[ASSIGNMENT_COORDINATORS]);
/* The bits of those that an assignment came from. */
uint16_t links_bits(void *links, const struct assignment *a);

/* Those bits' coordinators as text, a line each (free()), and back again. */
char *links_dump(const struct links *links, uint16_t bits);
uint16_t links_parse(void *links, const char *text);

/* The answer to a call-back (free()), NULL: none of this node's coordinators.
 */
char *links_callback(const struct links *links, const char *nonce,
                     const char *aud, size_t *ret_len);

#endif
