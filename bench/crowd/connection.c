/*
 * Each node's connection to a coordinator: one request at a time, the next
 * coordinator after a failure.
 */
#include "bench/crowd/crowd.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MAX (512u << 10)
#define ANSWER_MS 20000 /* beyond what it may be held */
#define RETRY_MS 5000   /* without memory */

/* The connection. */

static void
on_freed(uv_handle_t *handle)
{
    free(handle);
}

void
node_close(struct node *node)
{
    if (node->tcp != NULL)
        uv_close((uv_handle_t *)node->tcp, on_freed);
    if (node->tcp != NULL && !node->open)
        crowd.connecting--;
    node->tcp = NULL;
    node->open = false;
    node->busy = false;
    node->in_len = 0;
}

static void
node_broken(struct node *node)
{
    crowd.broken += !crowd.ending;
    node_close(node);
    node->coordinator = (node->coordinator + 1) % crowd.o.coordinator_count;
    node_next(node, pause_ms(node, 0));
}

const char *
header_find(const char *head, const char *name)
{
    const char *at = strcasestr(head, name);

    return at == NULL ? NULL : at + strlen(name);
}

/* One whole answer is taken off the front of what has come. */
static void
node_parse(struct node *node)
{
    const char *text, *end, *date;
    unsigned retry = 0;
    size_t head, len;
    struct tm tm = {0};
    int64_t at = 0;
    int status;

    node->in[node->in_len] = '\0';
    end = strstr(node->in, "\r\n\r\n");
    if (end == NULL)
        return;
    head = (size_t)(end - node->in) + 4;
    text = header_find(node->in, "\r\nContent-Length:");
    len = text == NULL ? 0 : strtoul(text, NULL, 10);
    if (node->in_len < head + len)
        return;
    node->in[head - 1] = '\0';
    status = atoi(node->in + strcspn(node->in, " "));
    text = header_find(node->in, "\r\nRetry-After:");
    if (text != NULL)
        retry = (unsigned)strtoul(text, NULL, 10);
    date = header_find(node->in, "\r\nDate: ");
    if (date != NULL && strptime(date, "%a, %d %b %Y %T", &tm) != NULL)
        at = timegm(&tm);
    text = node->in + head;
    node->in_len = 0;
    if (node->busy)
        answer_take(node, status, text, len, retry, at);
}

static void
on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct node *node = handle->data;

    (void)size;
    if (node->in_cap - node->in_len < 2048 && node->in_cap < ANSWER_MAX) {
        size_t cap = node->in_cap == 0 ? 4096 : 2 * node->in_cap;
        char *more = realloc(node->in, cap + 1);

        if (more != NULL) {
            node->in = more;
            node->in_cap = cap;
        }
    }
    *buf = uv_buf_init(node->in + node->in_len,
                       (unsigned)(node->in_cap - node->in_len));
}

static void
on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct node *node = stream->data;

    (void)buf;
    if ((uv_tcp_t *)stream != node->tcp || got == 0)
        return;
    if (got < 0 && !node->busy) { /* idle for long: its timer connects */
        node_close(node);
        return;
    }
    if (got < 0) {
        node_broken(node);
        return;
    }
    node->in_len += (size_t)got;
    node_parse(node);
}

static void
on_written(uv_write_t *write, int status)
{
    (void)status; /* the reader is told, too */
    free(write->data);
    free(write);
}

void
text_write(uv_stream_t *stream, char *take, size_t len)
{
    uv_buf_t buf = uv_buf_init(take, (unsigned)len);
    uv_write_t *write = calloc(1, sizeof(*write));

    if (write == NULL) {
        free(take);
        return;
    }
    write->data = take;
    if (uv_write(write, stream, &buf, 1, on_written) != 0) {
        free(take);
        free(write);
    }
}

static void
node_send(struct node *node)
{
    char *text;

    if (crowd.ids[node->coordinator][0] == '\0')
        node->task = TASK_KEY;
    else
        node->task = node->registered ? TASK_BEAT : TASK_REGISTER;
    text = request_make(node);
    if (text == NULL) {
        node_next(node, RETRY_MS);
        return;
    }
    node->busy = true;
    node->sent_ms = now_ms();
    text_write((uv_stream_t *)node->tcp, text, strlen(text));
}

static void
on_connect(uv_connect_t *connect, int status)
{
    struct node *node = connect->handle->data;
    bool ours = (uv_tcp_t *)connect->handle == node->tcp;

    free(connect);
    if (!ours)
        return;
    if (status != 0) {
        node_broken(node);
        return;
    }
    node->open = true;
    crowd.connecting--;
    uv_read_start((uv_stream_t *)node->tcp, on_alloc, on_read);
    node_send(node);
}

static void
node_connect(struct node *node)
{
    uv_connect_t *connect;

    if (crowd.connecting >= crowd.o.connecting) {
        node_next(node, 20 + random_below(50));
        return;
    }
    connect = calloc(1, sizeof(*connect));
    node->tcp = calloc(1, sizeof(*node->tcp));
    if (connect == NULL || node->tcp == NULL) {
        free(connect);
        free(node->tcp);
        node->tcp = NULL;
        node_next(node, RETRY_MS);
        return;
    }
    uv_tcp_init(crowd.loop, node->tcp);
    node->tcp->data = node;
    crowd.connecting++;
    if (uv_tcp_bind(node->tcp, (struct sockaddr *)&node->addr, 0) != 0 ||
        uv_tcp_connect(
            connect, node->tcp,
            (struct sockaddr *)&crowd.o.coordinators[node->coordinator],
            on_connect) != 0) {
        free(connect);
        node_broken(node);
    }
}

/* One timer a node: the next message, or that an answer is overdue. */
static void
on_timer(uv_timer_t *timer)
{
    struct node *node = timer->data;

    if (node->busy || (node->tcp != NULL && !node->open)) {
        node_broken(node);
        return;
    }
    uv_timer_start(timer, on_timer, ANSWER_MS + crowd.o.wait_ms, 0);
    if (node->tcp == NULL)
        node_connect(node);
    else
        node_send(node);
}

void
node_next(struct node *node, uint64_t pause)
{
    if (!crowd.ending)
        uv_timer_start(&node->timer, on_timer, pause, 0);
}
