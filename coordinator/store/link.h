/*
 * The connection to Redis under the calls of store.h: connecting, set-up,
 * pending commands, time-outs, the stream of changes.  For the files of this
 * folder alone.
 */
#ifndef COORDINATOR_STORE_LINK_H
#define COORDINATOR_STORE_LINK_H

#include <hiredis/hiredis.h>

#include "coordinator/store/store.h"

/* reply: NULL if it failed; then rc is -EIO or -ECANCELED. */
typedef void link_reply_fn(struct store *store, int rc, const redisReply *reply,
                           void *arg);

/*
 * Sends one command (hiredis's format: %s, %b, %lld); fn may be NULL.  0,
 * -ENOTCONN or -EAGAIN.
 */
int link_send(struct store *store, link_reply_fn *fn, void *arg,
              const char *format, ...);
int link_send_argv(struct store *store, link_reply_fn *fn, void *arg, int argc,
                   const char **argv);

/* This process's random id: the owner of leases, the author of changes. */
const char *link_process(const struct store *store);

/* Reading replies: "" and 0 for what is missing or of another type. */
const char *link_string(const redisReply *reply);
uint64_t link_uint(const redisReply *reply);
double link_double(const redisReply *reply);
/* Element i of an array, or NULL. */
const redisReply *link_item(const redisReply *reply, size_t i);
static inline size_t
link_count(const redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY ? reply->elements
                                                             : 0;
}

#endif
