/*
 * The connection for writes that nobody waits for.
 *
 * hiredis makes it; from then on bytes are put together and sent here, since
 * it would keep a call-back for each command.  Must not know what is written.
 */
#include "coordinator/store/soft.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/status/metrics.h"
#include "coordinator/store/link_parts.h"

/* Sent and not received for so long: what is between has forgotten it. */
#define SOFT_SENT_MS 5000
#define SOFT_ITEMS 64 /* of one command: some microseconds of Redis */
#define SOFT_NONE SOFT_BUFFER

struct soft {
    redisContext *redis;
    uv_poll_t poll;
    int events; /* that are polled for */
    bool lost;
    size_t open; /* where the last command begins, if it may take items */
    unsigned items;
    size_t len;
    char buffer[SOFT_BUFFER];
};

static void
on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void
soft_close(struct soft *soft)
{
    if (soft == NULL)
        return;
    uv_poll_stop(&soft->poll);
    redisFree(soft->redis);
    uv_close((uv_handle_t *)&soft->poll, on_closed);
}

static void on_event(uv_poll_t *poll, int status, int events);

static void
soft_poll(struct soft *soft, int events)
{
    if (soft->events != events)
        uv_poll_start(&soft->poll, events, on_event);
    soft->events = events;
}

static void
soft_send(struct soft *soft)
{
    ssize_t n = 0;

    if (soft->len > 0 && !soft->lost)
        n = write(soft->redis->fd, soft->buffer, soft->len);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        soft->lost = true; /* soft_watch makes another */
    if (n > 0) {
        soft->open = SOFT_NONE;
        soft->len -= (size_t)n;
        memmove(soft->buffer, soft->buffer + n, soft->len);
    }
    soft_poll(soft, soft->len > 0 && !soft->lost ? UV_READABLE | UV_WRITABLE
                                                 : UV_READABLE);
}

/* Set-up is answered, and so is all, if Redis forbids to switch that off. */
static void
soft_read(struct soft *soft)
{
    static struct log_kind kind = {.name = "redis, writes"};
    redisReply *reply;
    void *got;

    if (redisBufferRead(soft->redis) != REDIS_OK) {
        soft->lost = true;
        return;
    }
    while (redisGetReplyFromReader(soft->redis, &got) == REDIS_OK &&
           (reply = got) != NULL) {
        if (reply->type == REDIS_REPLY_ERROR) {
            metrics_add(M_STORE_ERRORS, 1);
            log_limited(&kind, LOG_WARN_, "redis: %s", reply->str);
        }
        freeReplyObject(reply);
    }
}

static void
on_event(uv_poll_t *poll, int status, int events)
{
    struct soft *soft = poll->data;

    if (status < 0)
        soft->lost = true;
    else if (events & UV_READABLE)
        soft_read(soft);
    if (soft->lost)
        uv_poll_stop(poll);
    else if (events & UV_WRITABLE)
        soft_send(soft);
}

/* Creation. */

static void
soft_add(struct soft *soft, const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = redisvFormatCommand(&text, format, args);
    va_end(args);
    if (len < 0 || (size_t)len > SOFT_BUFFER - soft->len) {
        soft->lost = true;
        return;
    }
    memcpy(soft->buffer + soft->len, text, (size_t)len);
    soft->len += (size_t)len;
    redisFreeCommand(text);
}

static void
soft_begin(struct soft *soft, const struct redis_url *url)
{
    if (url->user != NULL && url->password != NULL)
        soft_add(soft, "AUTH %s %s", url->user, url->password);
    else if (url->password != NULL)
        soft_add(soft, "AUTH %s", url->password);
    if (url->db != 0)
        soft_add(soft, "SELECT %u", url->db);
    soft_add(soft, "CLIENT REPLY OFF");
}

void
soft_open(struct store *store)
{
    const redisContext *c = &store->redis->c;
    struct soft *soft = malloc(sizeof(*soft));
    redisContext *redis;

    soft_close(store->soft);
    store->soft = NULL;
    if (soft == NULL)
        return;
    redis = store->url.path != NULL
                ? redisConnectUnixNonBlock(store->url.path)
                : redisConnectNonBlock(c->tcp.host, store->url.port);
    if (redis == NULL || redis->err != 0 ||
        uv_poll_init(store->loop, &soft->poll, redis->fd) != 0) {
        if (redis != NULL)
            redisFree(redis);
        free(soft);
        return;
    }
    /* Fails on a unix socket, which needs it not. */
    setsockopt(redis->fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
               &(unsigned){SOFT_SENT_MS}, sizeof(unsigned));
    soft->poll.data = soft;
    soft->redis = redis;
    soft->events = 0;
    soft->lost = false;
    soft->open = SOFT_NONE;
    soft->len = 0;
    store->soft_opens++;
    soft_begin(soft, &store->url);
    soft_poll(soft, UV_READABLE | UV_WRITABLE);
    store->soft = soft;
}

void
soft_watch(struct store *store)
{
    if (store->soft == NULL || store->soft->lost)
        soft_open(store);
}

/* Writing. */

static int
soft_room(const struct store *store, size_t len)
{
    const struct soft *soft = store->soft;

    if (!store->up || soft == NULL || soft->lost)
        return -ENOTCONN;
    return len > SOFT_BUFFER - soft->len ? -EAGAIN : 0;
}

static void
soft_append(struct soft *soft, const char *text, size_t len)
{
    memcpy(soft->buffer + soft->len, text, len);
    soft->len += len;
}

int
soft_write(struct store *store, const char *text, size_t len)
{
    int rc = soft_room(store, len);

    if (rc != 0)
        return rc;
    store->soft->open = SOFT_NONE;
    soft_append(store->soft, text, len);
    return 0;
}

/* "*<arguments>\r\n" of a command with so many items. */
static size_t
count_line(char ret[8], unsigned items)
{
    return (size_t)snprintf(ret, 8, "*%u\r\n", 2 + 2 * items);
}

static bool
open_takes(const struct soft *soft, const char *head, size_t head_len)
{
    char line[8];
    size_t at = soft->open + count_line(line, soft->items);

    return soft->open != SOFT_NONE && soft->items < SOFT_ITEMS &&
           soft->len - at > head_len &&
           memcmp(soft->buffer + at, head, head_len) == 0;
}

/* One item more; its count may need a digit more. */
static void
open_count(struct soft *soft)
{
    char old[8], line[8];
    size_t before = count_line(old, soft->items);
    size_t after = count_line(line, ++soft->items);
    char *at = soft->buffer + soft->open;

    memmove(at + after, at + before, soft->len - soft->open - before);
    memcpy(at, line, after);
    soft->len += after - before;
}

int
soft_write_item(struct store *store, const char *head, size_t head_len,
                const char *item, size_t item_len)
{
    struct soft *soft = store->soft;
    char line[8];
    int rc = soft_room(store, sizeof(line) + head_len + item_len);

    if (rc != 0)
        return rc;
    if (!open_takes(soft, head, head_len)) {
        soft->open = soft->len;
        soft->items = 0;
        soft_append(soft, line, count_line(line, 0));
        soft_append(soft, head, head_len);
    }
    open_count(soft);
    soft_append(soft, item, item_len);
    return 0;
}

bool
soft_has_room(const struct store *store)
{
    return store->soft != NULL && store->soft->len < SOFT_BUFFER / 2;
}

unsigned
soft_opens(const struct store *store)
{
    return store->soft_opens;
}

void
soft_flush(struct store *store)
{
    if (store->soft != NULL && store->soft->len > 0)
        soft_send(store->soft);
}
