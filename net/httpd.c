/*
 * The HTTP server of the daemons: libmicrohttpd by external epoll on a libuv
 * loop.  The only file that includes microhttpd.h.
 *
 * Owns connections, request bodies and suspension.  libmicrohttpd's epoll fd
 * is polled by libuv; before each wait its own time-outs are asked for.  Must
 * not know any route or message.
 */
#include "net/httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <unistd.h>

#include "net/hangup.h"
#include "net/listen.h"
#include "net/log.h"

#define HTTPD_CONNECTIONS 1024
#define HTTPD_IDLE_S 30
/* Memory of one connection: request head and reply head. */
#define HTTPD_POOL_BYTES 8192
/* Request bodies in memory at a time, of all connections together. */
#define HTTPD_BODIES_MAX (64u << 20)
#define HTTPD_BODY_FIRST 4096
/* What is read and thrown away of a body that is too long, for its 413. */
#define HTTPD_EXCESS_MAX (1u << 20)
#define HTTPD_STREAM_BLOCK (32u << 10)
/*
 * libmicrohttpd walks all suspended connections when it resumes any, so with
 * more than this many it resumes once in HTTPD_WAKE_MS.
 */
#define HTTPD_WAKE_MANY 128
#define HTTPD_WAKE_MS 10
struct http_request {
    struct httpd *httpd;
    struct MHD_Connection *connection;
    unsigned refs; /* the connection's, and an open stream's */
    char *uri;     /* as sent; path and query point into it */
    const char *path, *query, *method;

    bool begun;      /* the head has been judged */
    bool handled;    /* the handler has been called */
    bool in_handler; /* it runs now, so the reply needs no waking */
    bool answered;
    bool suspended, waking;

    char *body;
    size_t body_len, body_cap;

    int status;
    struct MHD_Response *response; /* until it is queued */

    void *context;
    void (*on_close)(struct http_request *request, void *context);

    struct http_stream stream;
    bool stream_open, stream_woken;

    TAILQ_ENTRY(http_request) suspended_link, waking_link;
};
TAILQ_HEAD(request_list, http_request);

struct httpd {
    struct MHD_Daemon *mhd;
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_timer_t timer;
    struct hangups *hangups;
    unsigned handles; /* not yet closed; the last one frees the struct */
    uint16_t port;
    bool closing;

    size_t max_body;
    size_t bodies; /* bytes allocated for request bodies */
    void (*handler)(struct http_request *request, void *arg);
    void *arg;

    struct request_list suspended, waking;
    unsigned suspended_count;
    uint64_t woken_ms; /* loop time of the last waking */
};

/* Suspension. */

static void
request_suspend(struct http_request *r)
{
    MHD_suspend_connection(r->connection);
    r->suspended = true;
    TAILQ_INSERT_TAIL(&r->httpd->suspended, r, suspended_link);
    r->httpd->suspended_count++;
}

static void
request_resume(struct http_request *r)
{
    if (r->waking)
        TAILQ_REMOVE(&r->httpd->waking, r, waking_link);
    r->waking = false;
    TAILQ_REMOVE(&r->httpd->suspended, r, suspended_link);
    r->httpd->suspended_count--;
    r->suspended = false;
    MHD_resume_connection(r->connection);
}

/* The prepare call-back resumes it before the loop waits again. */
static void
request_wake(struct http_request *r)
{
    if (r->suspended && !r->waking) {
        r->waking = true;
        TAILQ_INSERT_TAIL(&r->httpd->waking, r, waking_link);
    }
}

/* Life of a request. */

static void
request_unref(struct http_request *r)
{
    if (--r->refs == 0)
        free(r);
}

/* An absolute-form target (RFC 9112 section 3.2.2) is cut to its path. */
static void *
on_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct http_request *r;
    char *mark;

    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->httpd = arg;
    r->connection = connection;
    r->refs = 1;
    if (strncasecmp(uri, "http://", 7) == 0) {
        uri += 7 + strcspn(uri + 7, "/?");
        if (*uri != '/')
            uri = "/";
    }
    r->uri = strdup(uri);
    if (r->uri == NULL) {
        free(r);
        return NULL;
    }
    mark = strchr(r->uri, '?');
    if (mark != NULL) {
        *mark = '\0';
        r->query = mark + 1;
    }
    r->path = r->uri;
    return r;
}

/* A client that goes in the middle of a request is noticed. */
static void
on_connection(void *arg, struct MHD_Connection *connection, void **context,
              enum MHD_ConnectionNotificationCode code)
{
    struct httpd *httpd = arg;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        hangups_remove(httpd->hangups, *context);
        *context = NULL;
    } else {
        *context = hangups_add(
            httpd->hangups, MHD_get_connection_info(
                                connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                                ->connect_fd);
    }
}

static void
stream_end(struct http_request *r)
{
    if (r->stream_open) {
        r->stream_open = false;
        r->stream.close(r->stream.arg);
    }
}

static void
on_completed(void *arg, struct MHD_Connection *connection, void **context,
             enum MHD_RequestTerminationCode code)
{
    struct http_request *r = *context;

    (void)arg;
    (void)connection;
    (void)code;
    if (r == NULL)
        return;
    *context = NULL;
    if (r->handled && !r->answered && r->on_close != NULL)
        r->on_close(r, r->context);
    stream_end(r);
    if (r->response != NULL)
        MHD_destroy_response(r->response);
    r->httpd->bodies -= r->body_cap;
    free(r->body);
    free(r->uri);
    r->connection = NULL;
    request_unref(r);
}

static enum MHD_Result
request_queue(struct http_request *r)
{
    struct MHD_Response *response = r->response;
    enum MHD_Result rc;

    if (response == NULL) /* no memory for it: close */
        return MHD_NO;
    r->response = NULL;
    rc = MHD_queue_response(r->connection, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return rc;
}

/*
 * The first call for a request.  What is answered here makes libmicrohttpd
 * close the connection, which is right for a body that will not be read.
 */
static enum MHD_Result
request_begin(struct http_request *r, const char *method)
{
    const char *coding = http_header(r, "Transfer-Encoding");
    const char *length = http_header(r, "Content-Length");

    r->begun = true;
    r->method = method;
    r->in_handler = true;
    if (coding != NULL &&
        (length != NULL || strcasecmp(coding, "chunked") != 0)) {
        http_reply_error(r, 400,
                         "Transfer-Encoding: only \"chunked\", and without "
                         "Content-Length, is understood");
    } else if (length != NULL &&
               strtoull(length, NULL, 10) > r->httpd->max_body) {
        http_reply_error(r, 413, "the body may have %zu bytes, not %s",
                         r->httpd->max_body, length);
    }
    r->in_handler = false;
    return r->answered ? request_queue(r) : MHD_YES;
}

/* MHD_NO closes the connection. */
static enum MHD_Result
request_body(struct http_request *r, const char *data, size_t len)
{
    struct httpd *httpd = r->httpd;
    size_t cap = r->body_cap, need = r->body_len + len;
    char *body;

    if (need > httpd->max_body) { /* chunked; answered at its end */
        r->body_len = need;
        return need > httpd->max_body + HTTPD_EXCESS_MAX ? MHD_NO : MHD_YES;
    }
    if (need + 1 > cap) {
        if (cap == 0)
            cap = HTTPD_BODY_FIRST;
        while (cap < need + 1)
            cap *= 2;
        if (httpd->bodies - r->body_cap + cap > HTTPD_BODIES_MAX)
            return MHD_NO;
        body = realloc(r->body, cap);
        if (body == NULL)
            return MHD_NO;
        httpd->bodies += cap - r->body_cap;
        r->body = body;
        r->body_cap = cap;
    }
    memcpy(r->body + r->body_len, data, len);
    r->body_len = need;
    r->body[need] = '\0';
    return MHD_YES;
}

static void
request_handle(struct http_request *r)
{
    struct httpd *httpd = r->httpd;

    r->in_handler = true;
    if (r->body_len > httpd->max_body) {
        static const char *const close[] = {"Connection: close", NULL};

        http_reply(r, 413, close, "the body is too long\n", 21);
    } else {
        r->handled = true;
        httpd->handler(r, httpd->arg);
    }
    r->in_handler = false;
}

static enum MHD_Result
on_access(void *arg, struct MHD_Connection *connection, const char *url,
          const char *method, const char *version, const char *data,
          size_t *data_len, void **context)
{
    struct http_request *r = *context;
    enum MHD_Result rc;

    (void)connection;
    (void)url;
    (void)version;
    if (r == NULL || ((struct httpd *)arg)->closing)
        return MHD_NO;
    if (!r->begun)
        return request_begin(r, method);
    if (*data_len > 0) {
        rc = request_body(r, data, *data_len);
        *data_len = 0;
        return rc;
    }
    if (!r->handled)
        request_handle(r);
    if (r->answered)
        return request_queue(r);
    request_suspend(r);
    return MHD_YES;
}

/* What the handler may ask. */

const char *
http_method(const struct http_request *r)
{
    return r->method;
}

const char *
http_path(const struct http_request *r)
{
    return r->path;
}

const char *
http_query(const struct http_request *r)
{
    return r->query;
}

const char *
http_header(const struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const char *
http_body(const struct http_request *r, size_t *ret_len)
{
    *ret_len = r->body_len;
    return r->body == NULL ? "" : r->body;
}

const struct sockaddr *
http_peer(const struct http_request *r)
{
    return MHD_get_connection_info(r->connection,
                                   MHD_CONNECTION_INFO_CLIENT_ADDRESS)
        ->client_addr;
}

void
http_set_context(struct http_request *r, void *context,
                 void (*on_close)(struct http_request *request, void *context))
{
    r->context = context;
    r->on_close = on_close;
}

void *
http_context(const struct http_request *r)
{
    return r->context;
}

/* Answers. */

/* Takes the response; NULL (no memory) closes the connection. */
static void
request_answer(struct http_request *r, int status, const char *const *headers,
               struct MHD_Response *response)
{
    char name[64];
    const char *colon;

    for (; response != NULL && headers != NULL && *headers != NULL; headers++) {
        colon = strchr(*headers, ':');
        if (colon == NULL || (size_t)(colon - *headers) >= sizeof(name))
            continue;
        memcpy(name, *headers, (size_t)(colon - *headers));
        name[colon - *headers] = '\0';
        MHD_add_response_header(response, name,
                                colon + 1 + strspn(colon + 1, " "));
    }
    r->status = status;
    r->response = response;
    r->answered = true;
    if (!r->in_handler)
        request_wake(r);
}

void
http_reply(struct http_request *r, int status, const char *const *headers,
           const void *body, size_t len)
{
    request_answer(r, status, headers,
                   MHD_create_response_from_buffer(len, (void *)(uintptr_t)body,
                                                   MHD_RESPMEM_MUST_COPY));
}

void
http_reply_error(struct http_request *r, int status, const char *fmt, ...)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          NULL};
    struct ol_error error;
    char text[sizeof(error.text)];
    va_list args;
    json_t *json;
    char *body;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    ol_error_set(&error, 0, "%s", text); /* it quotes hostile input */
    json = json_pack("{s:s}", "error", error.text);
    body = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    http_reply(r, status, headers, body, body == NULL ? 0 : strlen(body));
    free(body);
}

void
http_reply_fd(struct http_request *r, int status, const char *const *headers,
              int fd, uint64_t offset, uint64_t len)
{
    struct MHD_Response *response = NULL;
    int copy;

    if (len == 0) {
        http_reply(r, status, headers, NULL, 0);
        return;
    }
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy >= 0) {
        response = MHD_create_response_from_fd_at_offset64(len, copy, offset);
        if (response == NULL)
            close(copy);
    }
    request_answer(r, status, headers, response);
}

static ssize_t
on_stream_read(void *arg, uint64_t pos, char *dst, size_t max)
{
    struct http_request *r = arg;
    ssize_t n = 0;

    if (r->httpd->closing)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    do {
        r->stream_woken = false;
        n = r->stream.read(r->stream.arg, pos, dst, max);
    } while (n == 0 && r->stream_woken);
    if (n == 0)
        request_suspend(r);
    return n < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : n;
}

static void
on_stream_free(void *arg)
{
    struct http_request *r = arg;

    stream_end(r);
    request_unref(r);
}

void
http_reply_stream(struct http_request *r, int status,
                  const char *const *headers, uint64_t len,
                  const struct http_stream *stream)
{
    struct MHD_Response *response = NULL;

    r->stream = *stream;
    r->stream_open = true;
    if (len > 0) {
        response = MHD_create_response_from_callback(
            len, HTTPD_STREAM_BLOCK, on_stream_read, r, on_stream_free);
    }
    if (response != NULL)
        r->refs++;
    else
        stream_end(r);
    if (len == 0)
        http_reply(r, status, headers, NULL, 0);
    else
        request_answer(r, status, headers, response);
}

void
http_stream_wake(struct http_request *r)
{
    r->stream_woken = true;
    request_wake(r);
}

/* The loop. */

static void
httpd_run(void *arg)
{
    MHD_run(((struct httpd *)arg)->mhd);
}

static void
on_timer(uv_timer_t *timer)
{
    httpd_run(timer->data);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    httpd_run(poll->data);
}

/* Resumes what was woken; returns the ms to wait if it is too early. */
static uint64_t
httpd_wake(struct httpd *httpd)
{
    uint64_t past = uv_now(httpd->timer.loop) - httpd->woken_ms;
    struct http_request *r;

    if (TAILQ_EMPTY(&httpd->waking))
        return UINT64_MAX;
    if (httpd->suspended_count > HTTPD_WAKE_MANY && past < HTTPD_WAKE_MS)
        return HTTPD_WAKE_MS - past;
    while ((r = TAILQ_FIRST(&httpd->waking)) != NULL)
        request_resume(r);
    httpd->woken_ms = uv_now(httpd->timer.loop);
    MHD_run(httpd->mhd);
    return UINT64_MAX;
}

static void
on_prepare(uv_prepare_t *prepare)
{
    struct httpd *httpd = prepare->data;
    uint64_t wait = httpd_wake(httpd);
    MHD_UNSIGNED_LONG_LONG timeout;

    if (MHD_get_timeout(httpd->mhd, &timeout) == MHD_YES && timeout < wait)
        wait = timeout;
    if (wait == UINT64_MAX)
        uv_timer_stop(&httpd->timer);
    else
        uv_timer_start(&httpd->timer, on_timer, wait, 0);
}

/* Set-up. */

static size_t
keep_escaped(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strlen(text);
}

static void __attribute__((format(printf, 2, 0)))
on_mhd_log(void *arg, const char *fmt, va_list args)
{
    static struct log_kind kind = {.name = "http"};
    char text[256];

    (void)arg;
    vsnprintf(text, sizeof(text), fmt, args);
    text[strcspn(text, "\n")] = '\0';
    log_limited(&kind, LOG_INFO_, "http: %s", text);
}

/* Owns the socket from here on, as libmicrohttpd does even if it fails. */
static struct MHD_Daemon *
mhd_start(struct httpd *httpd, int fd, const struct httpd_options *o)
{
    unsigned connections = o->max_connections;
    unsigned idle_s = o->idle_s;

    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL,
        NULL, on_access, httpd, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        connections == 0 ? (unsigned)HTTPD_CONNECTIONS : connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->max_connections_per_address,
        MHD_OPTION_CONNECTION_TIMEOUT,
        idle_s == 0 ? (unsigned)HTTPD_IDLE_S : idle_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTPD_POOL_BYTES,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, httpd,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, httpd,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, httpd, MHD_OPTION_END);
}

static void
httpd_attach(struct httpd *httpd, uv_loop_t *loop)
{
    const union MHD_DaemonInfo *info;

    info = MHD_get_daemon_info(httpd->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    uv_poll_init(loop, &httpd->poll, info->epoll_fd);
    uv_prepare_init(loop, &httpd->prepare);
    uv_timer_init(loop, &httpd->timer);
    httpd->poll.data = httpd->prepare.data = httpd->timer.data = httpd;
    httpd->handles = 3;
    uv_poll_start(&httpd->poll, UV_READABLE, on_readable);
    uv_prepare_start(&httpd->prepare, on_prepare);
}

int
httpd_create(uv_loop_t *loop, const struct httpd_options *options,
             struct httpd **ret, struct ol_error *err)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct httpd *httpd;
    int fd = -1, rc;

    httpd = calloc(1, sizeof(*httpd));
    if (httpd == NULL)
        return ol_error_set(err, ENOMEM, "no memory for the server");
    rc = listen_open(options->listen, &fd, &httpd->port, err);
    if (rc != 0) {
        free(httpd);
        return rc;
    }
    httpd->max_body = options->max_body;
    httpd->handler = options->handler;
    httpd->arg = options->arg;
    TAILQ_INIT(&httpd->suspended);
    TAILQ_INIT(&httpd->waking);
    sigaction(SIGPIPE, &ignore, NULL); /* sendfile has no MSG_NOSIGNAL */
    if (hangups_create(loop, httpd_run, httpd, &httpd->hangups) == 0)
        httpd->mhd = mhd_start(httpd, fd, options);
    if (httpd->mhd == NULL) {
        hangups_free(httpd->hangups);
        free(httpd);
        return ol_error_set(err, EIO, "cannot start the HTTP server on %s",
                            options->listen);
    }
    httpd_attach(httpd, loop);
    *ret = httpd;
    return 0;
}

void
httpd_quiesce(struct httpd *httpd)
{
    MHD_socket fd = MHD_quiesce_daemon(httpd->mhd);

    if (fd != MHD_INVALID_SOCKET)
        close(fd);
}

unsigned
httpd_connections(const struct httpd *httpd)
{
    return MHD_get_daemon_info(httpd->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
        ->num_connections;
}

uint16_t
httpd_port(const struct httpd *httpd)
{
    return httpd->port;
}

static void
on_handle_closed(uv_handle_t *handle)
{
    struct httpd *httpd = handle->data;

    if (--httpd->handles == 0)
        free(httpd);
}

void
httpd_free(struct httpd *httpd)
{
    struct http_request *r;

    if (httpd == NULL)
        return;
    httpd->closing = true;
    while ((r = TAILQ_FIRST(&httpd->suspended)) != NULL)
        request_resume(r);
    uv_close((uv_handle_t *)&httpd->poll, on_handle_closed);
    uv_close((uv_handle_t *)&httpd->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&httpd->timer, on_handle_closed);
    MHD_stop_daemon(httpd->mhd);
    hangups_free(httpd->hangups);
}
