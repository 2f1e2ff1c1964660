/*
 * hiredis's asynchronous contexts on a libuv loop.
 */
#ifndef COORDINATOR_REDIS_EVENTS_H
#define COORDINATOR_REDIS_EVENTS_H

#include <hiredis/hiredis.h>

#include <hiredis/async.h>
#include <uv.h>

/* Once, right after redisAsyncConnect*; detached when hiredis frees it. */
int redis_events_attach(redisAsyncContext *redis, uv_loop_t *loop);

#endif
