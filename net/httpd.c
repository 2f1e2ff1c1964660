/*
 * The HTTP server of the daemons: libmicrohttpd by external epoll on a libuv
 * loop.  Only its parts (httpd_parts.h) include microhttpd.h.
 *
 * Owns connections, request bodies and suspension.  libmicrohttpd's epoll fd
 * is polled by libuv; before each wait its own time-outs are asked for.  Must
 * not know any route or message.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <unistd.h>

#include "net/hangup.h"
#include "net/httpd_parts.h"
#include "net/listen.h"
#include "net/log.h"
#include "net/tls.h"
#include "offload/netaddr.h"

#define HTTPD_CONNECTIONS 1024
#define HTTPD_IDLE_S 30
/* Memory of one connection: request head and reply head. */
#define HTTPD_POOL_BYTES 8192
/* Request bodies in memory at a time, of all connections together. */
#define HTTPD_BODIES_MAX (64u << 20)
/* And of one IPv4 address, or one /64. */
#define HTTPD_BODIES_SOURCE (HTTPD_BODIES_MAX / 8)
#define HTTPD_BODY_FIRST 4096
/* What is read and thrown away of a body that is too long, for its 413. */
#define HTTPD_EXCESS_MAX (1u << 20)
/*
 * libmicrohttpd walks all suspended connections when it resumes any, so with
 * more than this many it resumes once in HTTPD_WAKE_MS.
 */
#define HTTPD_WAKE_MANY 128
#define HTTPD_WAKE_MS 10

/* Life of a request. */

/*
 * An absolute-form target (RFC 9112 section 3.2.2) is cut to its path.
 *
 * The query is cut out of libmicrohttpd's own buffer: it would keep a record of
 * each argument there, so that a long query leaves no room for the answer, and
 * no option forbids it.  The text is const to keep us from moving it; it lies
 * in the connection's read buffer, which libmicrohttpd itself writes to right
 * after this call (it ends the path at the question mark, and takes the
 * arguments apart up to their NUL, of which there are none then).  What follows
 * the line is found by a pointer of its own, so headers and requests behind it
 * are not moved.  A head within some 150 bytes of HTTPD_POOL_BYTES still leaves
 * no room and is closed on; a longer one gets libmicrohttpd's 414 or 431.
 */
static void *
on_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
    char *args = strchr((char *)(uintptr_t)uri, '?');
    struct http_request *r;
    const char *host;
    char *mark;

    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->httpd = arg;
    r->connection = connection;
    r->refs = 1;
    host = strncasecmp(uri, "http://", 7) == 0    ? uri + 7
           : strncasecmp(uri, "https://", 8) == 0 ? uri + 8
                                                  : NULL;
    if (host != NULL) {
        uri = host + strcspn(host, "/?");
        if (*uri != '/')
            uri = "/";
    }
    r->uri = strdup(uri);
    if (r->uri == NULL) {
        free(r);
        return NULL;
    }
    if (args != NULL)
        args[1] = '\0';
    mark = strchr(r->uri, '?');
    if (mark != NULL) {
        *mark = '\0';
        r->query = mark + 1;
    }
    r->path = r->uri;
    return r;
}

static struct connection *
connection_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection,
                                   MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

static enum MHD_Result
on_accept(void *arg, const struct sockaddr *peer, socklen_t len)
{
    (void)len;
    return connection_allowed(arg, peer) ? MHD_YES : MHD_NO;
}

static void
on_connection(void *arg, struct MHD_Connection *connection, void **context,
              enum MHD_ConnectionNotificationCode code)
{
    struct httpd *httpd = arg;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        connection_remove(httpd, *context);
        *context = NULL;
    } else {
        *context =
            connection_add(httpd,
                           MHD_get_connection_info(
                               connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                               ->connect_fd,
                           MHD_get_connection_info(
                               connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
                               ->client_addr);
    }
}

static void
on_completed(void *arg, struct MHD_Connection *connection, void **context,
             enum MHD_RequestTerminationCode code)
{
    struct http_request *r = *context;

    connection_wait(arg, connection_of(connection));
    if (r == NULL)
        return;
    *context = NULL;
    r->httpd->busy -= r->begun;
    if (r->handled && !r->answered && r->on_close != NULL)
        r->on_close(r, r->context);
    if (r->sent != NULL)
        r->sent(r->sent_arg, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    stream_end(r);
    if (r->response != NULL)
        MHD_destroy_response(r->response);
    http_body_drop(r);
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
    const char *length, *wrong = head_judge(r, &length);

    r->begun = true;
    r->httpd->busy++;
    r->method = method;
    r->in_handler = true;
    if (wrong != NULL) {
        r->last = true; /* nobody knows where the next one begins */
        http_reply_error(r, 400, "%s", wrong);
    } else if (length != NULL &&
               strtoull(length, NULL, 10) > r->httpd->max_body) {
        http_reply_error(r, 413, "the body may have %zu bytes, not %s",
                         r->httpd->max_body, length);
    }
    r->in_handler = false;
    return r->answered ? request_queue(r) : MHD_YES;
}

/* Room for that many bytes: MHD_NO if this or all addresses have too many. */
static enum MHD_Result
body_grow(struct http_request *r, size_t cap)
{
    struct httpd *httpd = r->httpd;
    size_t more = cap - r->body_cap;
    struct ol_addr client;
    char *body;

    if (r->source == NULL) {
        http_client(r, &client);
        r->source = source_find(httpd, &client);
    }
    if (httpd->bodies + more > HTTPD_BODIES_MAX ||
        r->source->bodies + more > HTTPD_BODIES_SOURCE)
        return MHD_NO;
    body = realloc(r->body, cap);
    if (body == NULL)
        return MHD_NO;
    httpd->bodies += more;
    r->source->bodies += more;
    r->body = body;
    r->body_cap = cap;
    return MHD_YES;
}

/* MHD_NO closes the connection. */
static enum MHD_Result
request_body(struct http_request *r, const char *data, size_t len)
{
    struct httpd *httpd = r->httpd;
    size_t cap = r->body_cap, need = r->body_len + len;

    if (need > httpd->max_body) { /* chunked; answered at its end */
        r->body_len = need;
        return need > httpd->max_body + HTTPD_EXCESS_MAX ? MHD_NO : MHD_YES;
    }
    if (need + 1 > cap) {
        if (cap == 0)
            cap = HTTPD_BODY_FIRST;
        while (cap < need + 1)
            cap *= 2;
        if (body_grow(r, cap) != MHD_YES)
            return MHD_NO;
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

    connection_serve(httpd, connection_of(r->connection));
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
    uint64_t wait = httpd_wake(httpd), expire = connections_expire(httpd);
    MHD_UNSIGNED_LONG_LONG timeout;

    if (MHD_get_timeout(httpd->mhd, &timeout) == MHD_YES && timeout < wait)
        wait = timeout;
    if (expire < wait)
        wait = expire;
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

static unsigned
idle_s(const struct httpd_options *o)
{
    return o->idle_s == 0 ? HTTPD_IDLE_S : o->idle_s;
}

/* Owns the socket from here on, as libmicrohttpd does even if it fails. */
static struct MHD_Daemon *
mhd_start(struct httpd *httpd, int fd, const struct httpd_options *o)
{
    const struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)tls_retrieve},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };

    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
            (o->tls ? MHD_USE_TLS : 0),
        0, on_accept, httpd, on_access, httpd, MHD_OPTION_EXTERNAL_LOGGER,
        on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, httpd->max_connections,
        MHD_OPTION_CONNECTION_TIMEOUT, idle_s(o),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTPD_POOL_BYTES,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, httpd,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, httpd,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, httpd, MHD_OPTION_ARRAY,
        tls + (o->tls ? 0 : 2), MHD_OPTION_END);
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

static void
httpd_init(struct httpd *httpd, const struct httpd_options *o)
{
    if (getrandom(&httpd->seed, sizeof(httpd->seed), 0) < 0)
        httpd->seed = 0;
    httpd->seed |= 1;
    httpd->max_body = o->max_body;
    httpd->max_connections =
        o->max_connections == 0 ? HTTPD_CONNECTIONS : o->max_connections;
    httpd->max_per_address = o->max_connections_per_address;
    httpd->young_ms = HTTPD_YOUNG_MS;
    httpd->wait_ms = (idle_s(o) + HTTPD_REQUEST_S) * UINT64_C(1000);
    httpd->proxies = o->proxies;
    httpd->handler = o->handler;
    httpd->arg = o->arg;
    TAILQ_INIT(&httpd->suspended);
    TAILQ_INIT(&httpd->waking);
    TAILQ_INIT(&httpd->waiting);
}

int
httpd_create(uv_loop_t *loop, const struct httpd_options *options,
             struct httpd **ret, struct ol_error *err)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct httpd *httpd;
    int fd = -1, rc = 0;

    httpd = calloc(1, sizeof(*httpd));
    if (httpd == NULL)
        return ol_error_set(err, ENOMEM, "no memory for the server");
    if (options->listen_fd != NULL)
        httpd->port = listen_port(fd = *options->listen_fd);
    else
        rc = listen_open(options->listen, &fd, &httpd->port, err);
    if (rc != 0) {
        free(httpd);
        return rc;
    }
    httpd_init(httpd, options);
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
    MHD_socket fd =
        httpd->draining ? MHD_INVALID_SOCKET : MHD_quiesce_daemon(httpd->mhd);

    httpd->draining = true;
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
}

unsigned
httpd_connections(const struct httpd *httpd)
{
    return MHD_get_daemon_info(httpd->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
        ->num_connections;
}

unsigned
httpd_busy(const struct httpd *httpd)
{
    return httpd->busy;
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
    httpd_quiesce(httpd); /* the socket may be others' too */
    httpd->closing = true;
    while ((r = TAILQ_FIRST(&httpd->suspended)) != NULL)
        request_resume(r);
    uv_close((uv_handle_t *)&httpd->poll, on_handle_closed);
    uv_close((uv_handle_t *)&httpd->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&httpd->timer, on_handle_closed);
    MHD_stop_daemon(httpd->mhd);
    hangups_free(httpd->hangups);
}
