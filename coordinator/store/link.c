/*
 * The connection to Redis: connecting and reconnecting, set-up (the library of
 * functions, this Redis's id and salt), pending commands and their time-out,
 * the stream of changes.
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

#include "coordinator/store/library.h"
#include "coordinator/store/redis_events.h"
#include "coordinator/store/redis_url.h"
#include "net/log.h"
#include "offload/encoding.h"

#define LINK_RETRY_MIN_MS 100
#define LINK_RETRY_MAX_MS 5000
#define LINK_CHANGES_PAGE 512 /* a full one is followed by the next at once */

struct link_op {
    struct store *store;
    link_reply_fn *fn;
    void *arg;
    uint64_t sent_ms;
    bool raw; /* takes error replies as replies */
    TAILQ_ENTRY(link_op) link;
};

struct store {
    uv_loop_t *loop;
    struct store_events events;
    struct redis_url url;

    redisAsyncContext *redis; /* NULL: waiting for the retry */
    bool up, closing;
    uint64_t connect_ms;
    unsigned retry_ms;
    TAILQ_HEAD(link_ops, link_op) ops; /* oldest first */
    unsigned op_count;
    uv_timer_t retry, tick;
    unsigned handles;

    char process[STORE_ID_CHARS + 1];
    char id[STORE_ID_CHARS + 1];
    bool fresh; /* the id has changed at this set-up */
    uint8_t salt[OL_SALT_BYTES];
    bool salted;
    char last_change[48];
    bool polling;
};

static struct log_kind link_errors = {.name = "redis"};
static struct log_kind link_ups = {.name = "redis connected"};

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

/* Gives up the connection; its call-backs run before the next one is made. */
static void
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

int
link_send_text(struct store *store, link_reply_fn *fn, void *arg,
               const char *text, size_t len)
{
    struct link_op *op;
    int rc = link_ready(store);

    if (rc != 0)
        return rc;
    op = op_create(store, fn, arg);
    if (op == NULL)
        return -EAGAIN;
    rc = redisAsyncFormattedCommand(store->redis, on_reply, op, text, len);
    return rc == REDIS_OK ? 0 : op_undo(store, op);
}

/* During set-up, before `up`; takes error replies too. */
static void
setup_send(struct store *store, link_reply_fn *fn, const char *format, ...)
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

/* Set-up, step by step; a failure closes, and the retry starts over. */

static bool
setup_failed(struct store *store, const redisReply *reply)
{
    char text[160];

    if (reply == NULL)
        return true;
    if (reply->type != REDIS_REPLY_ERROR)
        return false;
    snprintf(text, sizeof(text), "%.150s", reply->str);
    if (strstr(text, "unknown command") != NULL)
        strcpy(text, "Redis 7 or newer is needed");
    link_lost(store, text);
    return true;
}

static void
on_setup_last(struct store *store, int rc, const redisReply *reply, void *arg)
{
    bool fresh = store->fresh;

    (void)rc;
    (void)arg;
    if (setup_failed(store, reply))
        return;
    snprintf(store->last_change, sizeof(store->last_change), "%s",
             link_string(link_item(link_item(reply, 0), 0)));
    if (store->last_change[0] == '\0')
        strcpy(store->last_change, "0-0");
    store->fresh = false;
    store->up = true;
    store->polling = false;
    store->retry_ms = LINK_RETRY_MIN_MS;
    log_limited(&link_ups, LOG_INFO_, "redis: connected, store %s", store->id);
    store->events.on_up(store->events.arg, fresh);
}

static void
on_setup_id(struct store *store, int rc, const redisReply *reply, void *arg)
{
    const char *id = link_string(reply);

    (void)rc;
    (void)arg;
    if (setup_failed(store, reply))
        return;
    if (strcmp(store->id, id) != 0) {
        snprintf(store->id, sizeof(store->id), "%s", id);
        store->fresh = true;
    }
}

static void
on_setup_salt(struct store *store, int rc, const redisReply *reply, void *arg)
{
    const char *text = link_string(reply);

    (void)rc;
    (void)arg;
    if (setup_failed(store, reply))
        return;
    if (ol_base64url_decode_exact(store->salt, sizeof(store->salt), text,
                                  strlen(text)) != 0)
        link_lost(store, "the key \"salt\" is not 16 bytes in base64url");
    store->salted = true;
}

static void
on_setup_any(struct store *store, int rc, const redisReply *reply, void *arg)
{
    (void)rc;
    (void)arg;
    setup_failed(store, reply);
}

/* A salt is kept when Redis loses its own: placement stays where it is. */
static void
setup_names(struct store *store)
{
    char id[STORE_ID_CHARS + 1], salt[STORE_ID_CHARS + 1];
    uint8_t random[16];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return;
    ol_base64url_encode(id, random, sizeof(random));
    if (!store->salted &&
        getrandom(store->salt, sizeof(store->salt), 0) != sizeof(store->salt))
        return;
    ol_base64url_encode(salt, store->salt, sizeof(store->salt));
    setup_send(store, on_setup_any, "SET store %s NX", id);
    setup_send(store, on_setup_id, "GET store");
    setup_send(store, on_setup_any, "SET salt %s NX", salt);
    setup_send(store, on_setup_salt, "GET salt");
    setup_send(store, on_setup_last, "XREVRANGE changes + - COUNT 1");
}

static void
on_setup_loaded(struct store *store, int rc, const redisReply *reply, void *arg)
{
    (void)rc;
    (void)arg;
    if (!setup_failed(store, reply))
        setup_names(store);
}

static void
on_setup_version(struct store *store, int rc, const redisReply *reply,
                 void *arg)
{
    const char *text;
    size_t len;

    (void)rc;
    (void)arg;
    if (reply == NULL)
        return;
    if (reply->type == REDIS_REPLY_INTEGER &&
        reply->integer >= library_version()) {
        setup_names(store);
        return;
    }
    text = library_text(&len);
    setup_send(store, on_setup_loaded, "FUNCTION LOAD REPLACE %b", text, len);
}

static void
setup_start(struct store *store)
{
    if (store->url.password != NULL)
        setup_send(store, on_setup_any, "AUTH %s", store->url.password);
    if (store->url.db != 0)
        setup_send(store, on_setup_any, "SELECT %u", store->url.db);
    setup_send(store, on_setup_version, "FCALL ol_version 0");
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

static void
link_connect(struct store *store)
{
    redisAsyncContext *redis;

    redis = store->url.path != NULL
                ? redisAsyncConnectUnix(store->url.path)
                : redisAsyncConnect(store->url.host, store->url.port);
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

/* The stream of changes, and the watch over the connection. */

static void changes_read(struct store *store);

static void
on_changes(struct store *store, int rc, const redisReply *reply, void *arg)
{
    const redisReply *list, *fields;
    const char *kind, *id, *process;
    size_t count;

    (void)rc;
    (void)arg;
    store->polling = false;
    list = link_item(link_item(reply, 0), 1);
    count = link_count(list);
    for (size_t i = 0; i < count; i++) {
        snprintf(store->last_change, sizeof(store->last_change), "%s",
                 link_string(link_item(link_item(list, i), 0)));
        fields = link_item(link_item(list, i), 1);
        kind = link_string(link_item(fields, 1));
        id = link_string(link_item(fields, 3));
        process = link_string(link_item(fields, 5));
        if (strcmp(process, store->process) != 0)
            store->events.on_change(store->events.arg,
                                    (enum store_change)kind[0], id);
    }
    if (count == LINK_CHANGES_PAGE)
        changes_read(store);
}

static void
changes_read(struct store *store)
{
    if (!store->polling &&
        link_send(store, on_changes, NULL, "XREAD COUNT %d STREAMS changes %s",
                  LINK_CHANGES_PAGE, store->last_change) == 0)
        store->polling = true;
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

    if (store->redis == NULL)
        return;
    since = oldest != NULL ? oldest->sent_ms : now;
    if (!store->up && store->connect_ms < since)
        since = store->connect_ms;
    if (now - since > STORE_ANSWER_MS) {
        link_lost(store, "no answer, connecting again");
    } else if (store->up && !store->polling) {
        link_send(store, on_same_id, NULL, "GET store");
        changes_read(store);
    }
}

void
store_announce(struct store *store, enum store_change what, const char *id)
{
    const char kind[] = {(char)what, '\0'};

    link_send(store, NULL, NULL, "XADD changes MAXLEN ~ %d * k %s v %s p %s",
              STORE_CHANGES_MAX, kind, id, store->process);
    store->events.on_change(store->events.arg, what, id);
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
    TAILQ_INIT(&store->ops);
    uv_timer_init(loop, &store->retry);
    uv_timer_init(loop, &store->tick);
    store->retry.data = store->tick.data = store;
    store->handles = 2;
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
    if (store->up) /* the last words, such as leases that are dropped */
        redisAsyncHandleWrite(store->redis);
    store->closing = true;
    store->up = false;
    if (store->redis != NULL)
        redisAsyncFree(store->redis);
    uv_close((uv_handle_t *)&store->retry, on_handle_closed);
    uv_close((uv_handle_t *)&store->tick, on_handle_closed);
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
