/*
 * hiredis's asynchronous contexts on a libuv loop: one poll handle each, which
 * outlives its context until libuv has closed it.
 */
#include "coordinator/store/redis_events.h"

#include <errno.h>
#include <stdlib.h>

struct redis_events {
    uv_poll_t handle;
    redisAsyncContext *redis;
    int events;
};

static void
on_poll(uv_poll_t *handle, int status, int events)
{
    struct redis_events *e = handle->data;

    if (status < 0)
        events = UV_READABLE | UV_WRITABLE; /* let hiredis see the error */
    if (e->redis != NULL && (events & UV_READABLE))
        redisAsyncHandleRead(e->redis);
    if (e->redis != NULL && (events & UV_WRITABLE))
        redisAsyncHandleWrite(e->redis);
}

static void
events_set(struct redis_events *e, int on, int off)
{
    e->events = (e->events | on) & ~off;
    if (e->events != 0)
        uv_poll_start(&e->handle, e->events, on_poll);
    else
        uv_poll_stop(&e->handle);
}

static void
events_add_read(void *arg)
{
    events_set(arg, UV_READABLE, 0);
}

static void
events_del_read(void *arg)
{
    events_set(arg, 0, UV_READABLE);
}

static void
events_add_write(void *arg)
{
    events_set(arg, UV_WRITABLE, 0);
}

static void
events_del_write(void *arg)
{
    events_set(arg, 0, UV_WRITABLE);
}

static void
on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void
events_cleanup(void *arg)
{
    struct redis_events *e = arg;

    e->redis = NULL;
    uv_close((uv_handle_t *)&e->handle, on_closed);
}

int
redis_events_attach(redisAsyncContext *redis, uv_loop_t *loop)
{
    struct redis_events *e = calloc(1, sizeof(*e));
    int rc;

    if (e == NULL)
        return -ENOMEM;
    rc = uv_poll_init(loop, &e->handle, redis->c.fd);
    if (rc != 0) {
        free(e);
        return rc;
    }
    e->redis = redis;
    e->handle.data = e;
    redis->ev.data = e;
    redis->ev.addRead = events_add_read;
    redis->ev.delRead = events_del_read;
    redis->ev.addWrite = events_add_write;
    redis->ev.delWrite = events_del_write;
    redis->ev.cleanup = events_cleanup;
    return 0;
}
