/*
 * The connection to Redis: connecting and reconnecting, pending commands and
 * their time-out.
 *
 * Must not know what the commands are about.
 */
#include "coordinator/store/link.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "coordinator/status/metrics.h"
#include "coordinator/store/link_parts.h"
#include "coordinator/store/redis_address.h"
#include "coordinator/store/redis_events.h"
#include "coordinator/store/soft.h"
#include "offload/encoding.h"

struct link_op {
    struct store *store;
    link_reply_fn *fn;
    void *arg;
    uint64_t sent_ms;
    bool raw; /* takes error replies as replies */
    TAILQ_ENTRY(link_op) link;
};

struct log_kind link_errors = {.name = "redis"};

static void link_retry(struct store *store);
static void link_connect(struct store *store);

/* Reading replies. */

const char *
link_string(const redisReply *reply)
{
    return reply != NULL && (reply->type == REDIS_REPLY_STRING ||
                             reply->type == REDIS_REPLY_STATUS)
               ? reply->str
               : "";
}

uint64_t
link_uint(const redisReply *reply)
{
    if (reply == NULL)
        return 0;
    if (reply->type == REDIS_REPLY_INTEGER)
        return reply->integer < 0 ? 0 : (uint64_t)reply->integer;
    return strtoull(link_string(reply), NULL, 10);
}

double
link_double(const redisReply *reply)
{
    return strtod(link_string(reply), NULL);
}

const redisReply *
link_item(const redisReply *reply, size_t i)
{
    return i < link_count(reply) ? reply->element[i] : NULL;
}

/* Commands. */

void
link_lost(struct store *store, const char *why)
{
    bool connected;

    if (store->redis == NULL)
        return;
    connected = store->redis->c.flags & REDIS_CONNECTED;
    log_limited(&link_errors, LOG_WARN_, "redis: %s", why);
    store->up = false;
    redisAsyncFree(store->redis);
    if (!connected) /* else on_disconnect does */
        link_retry(store);
}

static void
on_reply(redisAsyncContext *redis, void *data, void *arg)
{
    struct link_op *op = arg;
    struct store *store = op->store;
    const redisReply *reply = data;
    int rc = 0;

    (void)redis;
    TAILQ_REMOVE(&store->ops, op, link);
    store->op_count--;
    if (reply == NULL) {
        store->up = false;
        rc = store->closing ? -ECANCELED : -EIO;
    } else if (reply->type == REDIS_REPLY_ERROR && !op->raw) {
        log_limited(&link_errors, LOG_WARN_, "redis: %s", reply->str);
        if (strncmp(reply->str, "ERR Function not found", 22) == 0)
            link_lost(store, "its functions are gone, loading them again");
        reply = NULL;
        rc = -EIO;
    }
    if (rc == -EIO)
        metrics_add(M_STORE_ERRORS, 1);
    if (op->fn != NULL)
        op->fn(store, rc, reply, op->arg);
    free(op);
}

static struct link_op *
op_create(struct store *store, link_reply_fn *fn, void *arg)
{
    struct link_op *op = calloc(1, sizeof(*op));

    if (op != NULL) {
        op->store = store;
        op->fn = fn;
        op->arg = arg;
        op->sent_ms = uv_now(store->loop);
        TAILQ_INSERT_TAIL(&store->ops, op, link);
        store->op_count++;
    }
    return op;
}

static int
op_undo(struct store *store, struct link_op *op)
{
    TAILQ_REMOVE(&store->ops, op, link);
    store->op_count--;
    free(op);
    return -ENOTCONN;
}

static int
link_ready(const struct store *store)
{
    if (!store->up)
        return -ENOTCONN;
    return store->op_count < STORE_PENDING_MAX ? 0 : -EAGAIN;
}

/* hiredis knows fewer conversions than printf: no %c, no %zu. */
static int
op_send(struct store *store, struct link_op *op, const char *format,
        va_list args)
{
    char *text;
    int len = redisvFormatCommand(&text, format, args), rc;

    assert(len != -2); /* a bad format */
    if (len < 0)
        return op_undo(store, op);
    rc = redisAsyncFormattedCommand(store->redis, on_reply, op, text,
                                    (size_t)len);
    redisFreeCommand(text);
    return rc == REDIS_OK ? 0 : op_undo(store, op);
}

int
link_send(struct store *store, link_reply_fn *fn, void *arg, const char *format,
          ...)
{
    struct link_op *op;
    va_list args;
    int rc = link_ready(store);

    if (rc != 0)
        return rc;
    op = op_create(store, fn, arg);
    if (op == NULL)
        return -EAGAIN;
    va_start(args, format);
    rc = op_send(store, op, format, args);
    va_end(args);
    return rc;
}

int
link_send_argv(struct store *store, link_reply_fn *fn, void *arg, int argc,
               const char **argv)
{
    struct link_op *op;
    int rc = link_ready(store);

    if (rc != 0)
        return rc;
    op = op_create(store, fn, arg);
    if (op == NULL)
        return -EAGAIN;
    rc = redisAsyncCommandArgv(store->redis, on_reply, op, argc, argv, NULL);
    return rc == REDIS_OK ? 0 : op_undo(store, op);
}

void
link_send_setup(struct store *store, link_reply_fn *fn, const char *format, ...)
{
    struct link_op *op = op_create(store, fn, NULL);
    va_list args;

    if (op == NULL)
        return; /* the connect time-out ends it */
    op->raw = true;
    va_start(args, format);
    op_send(store, op, format, args);
    va_end(args);
}

/* The connection's life. */

static void
on_retry(uv_timer_t *timer)
{
    link_connect(timer->data);
}

static void
link_retry(struct store *store)
{
    uint16_t random = 0;
    unsigned wait;

    store->redis = NULL;
    store->up = false;
    soft_close(store->soft);
    store->soft = NULL;
    if (store->closing)
        return;
    (void)!getrandom(&random, sizeof(random), 0);
    wait = store->retry_ms / 2 + random % (store->retry_ms / 2 + 1);
    store->retry_ms *= 2;
    if (store->retry_ms > LINK_RETRY_MAX_MS)
        store->retry_ms = LINK_RETRY_MAX_MS;
    uv_timer_start(&store->retry, on_retry, wait, 0);
}

static void
on_connect(const redisAsyncContext *redis, int status)
{
    struct store *store = redis->data;

    if (status == REDIS_OK) {
        setup_start(store);
        return;
    }
    log_limited(&link_errors, LOG_WARN_, "redis: cannot connect: %s",
                redis->errstr);
    link_retry(store); /* hiredis frees the context */
}

static void
on_disconnect(const redisAsyncContext *redis, int status)
{
    struct store *store = redis->data;

    if (status != REDIS_OK)
        log_limited(&link_errors, LOG_WARN_, "redis: connection lost: %s",
                    redis->errstr);
    link_retry(store);
}

/* Takes what hiredis has begun. */
static void
link_attach(struct store *store, redisAsyncContext *redis)
{
    if (redis == NULL || redis->err != 0 ||
        redis_events_attach(redis, store->loop) != 0) {
        log_limited(&link_errors, LOG_WARN_, "redis: cannot connect: %s",
                    redis == NULL ? "no memory" : redis->errstr);
        if (redis != NULL)
            redisAsyncFree(redis);
        link_retry(store);
        return;
    }
    redis->data = store;
    store->redis = redis;
    store->connect_ms = uv_now(store->loop);
    redisAsyncSetConnectCallback(redis, on_connect);
    redisAsyncSetDisconnectCallback(redis, on_disconnect);
}

static void
on_address(void *arg, const char *address, const char *why)
{
    struct store *store = arg;

    store->address = NULL;
    if (address == NULL) {
        log_limited(&link_errors, LOG_WARN_, "redis: %s: %s", store->url.host,
                    why);
        link_retry(store);
        return;
    }
    link_attach(store, redisAsyncConnect(address, store->url.port));
}

static void
link_connect(struct store *store)
{
    if (store->url.path != NULL)
        link_attach(store, redisAsyncConnectUnix(store->url.path));
    else if (redis_address_find(store->loop, store->url.host, store->tries++,
                                on_address, store, &store->address) != 0)
        on_address(store, NULL, "cannot be looked up");
}

/* The watch over the connection. */

/* Later than this the process itself was busy or stopped, not Redis. */
#define STORE_LATE_MS 250

static void
on_prepare(uv_prepare_t *prepare)
{
    soft_flush(prepare->data);
}

/* A Redis that was emptied while connected has lost its id. */
static void
on_same_id(struct store *store, int rc, const redisReply *reply, void *arg)
{
    (void)arg;
    if (rc == 0 && strcmp(link_string(reply), store->id) != 0)
        link_lost(store, "it was emptied, setting up again");
}

static void
on_tick(uv_timer_t *timer)
{
    struct store *store = timer->data;
    struct link_op *oldest = TAILQ_FIRST(&store->ops);
    uint64_t now = uv_now(store->loop), since;
    bool late = now - store->tick_ms > STORE_POLL_MS + STORE_LATE_MS;

    store->tick_ms = now;
    if (store->redis == NULL || late)
        return; /* what has arrived meanwhile is read first */
    since = oldest != NULL ? oldest->sent_ms : now;
    if (!store->up && store->connect_ms < since)
        since = store->connect_ms;
    if (now - since > STORE_ANSWER_MS) {
        link_lost(store, "no answer, connecting again");
    } else if (store->up && !store->polling) {
        link_send(store, on_same_id, NULL, "GET store");
        soft_watch(store);
        changes_read(store);
    }
}

/* Creation. */

static void
store_destroy(struct store *store)
{
    redis_url_clear(&store->url);
    free(store);
}

int
store_url_check(const char *text, struct ol_error *err)
{
    struct redis_url url;
    int rc = redis_url_parse(text, &url, err);

    if (rc == 0)
        redis_url_clear(&url);
    return rc;
}

int
store_create(uv_loop_t *loop, const char *url,
             const struct store_events *events, struct store **ret,
             struct ol_error *err)
{
    struct store *store = calloc(1, sizeof(*store));
    uint8_t random[16];
    int rc;

    if (store == NULL ||
        getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        free(store);
        return ol_error_set(err, ENOMEM, "redis: no memory");
    }
    rc = redis_url_parse(url, &store->url, err);
    if (rc != 0) {
        free(store);
        return rc;
    }
    ol_base64url_encode(store->process, random, sizeof(random));
    store->loop = loop;
    store->events = *events;
    store->retry_ms = LINK_RETRY_MIN_MS;
    store->tick_ms = uv_now(loop);
    TAILQ_INIT(&store->ops);
    uv_timer_init(loop, &store->retry);
    uv_timer_init(loop, &store->tick);
    uv_prepare_init(loop, &store->prepare);
    store->retry.data = store->tick.data = store->prepare.data = store;
    store->handles = 3;
    uv_prepare_start(&store->prepare, on_prepare);
    uv_timer_start(&store->tick, on_tick, STORE_POLL_MS, STORE_POLL_MS);
    uv_timer_start(&store->retry, on_retry, 0, 0);
    *ret = store;
    return 0;
}

static void
on_handle_closed(uv_handle_t *handle)
{
    struct store *store = handle->data;

    if (--store->handles == 0)
        store_destroy(store);
}

void
store_free(struct store *store)
{
    if (store == NULL)
        return;
    soft_flush(store);
    if (store->up) /* the last words, such as leases that are dropped */
        redisAsyncHandleWrite(store->redis);
    store->closing = true;
    store->up = false;
    if (store->redis != NULL)
        redisAsyncFree(store->redis);
    redis_address_cancel(store->address);
    uv_close((uv_handle_t *)&store->retry, on_handle_closed);
    uv_close((uv_handle_t *)&store->tick, on_handle_closed);
    uv_close((uv_handle_t *)&store->prepare, on_handle_closed);
}

bool
store_is_up(const struct store *store)
{
    return store->up;
}

bool
store_has_room(const struct store *store)
{
    return store->up && store->op_count < STORE_PENDING_MAX / 2;
}

const char *
store_id(const struct store *store)
{
    return store->id;
}

const uint8_t *
store_salt(const struct store *store)
{
    return store->salt;
}

const char *
link_process(const struct store *store)
{
    return store->process;
}
