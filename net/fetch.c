/*
 * HTTP requests: libcurl's multi_socket on libuv's polls and timers.
 *
 * Owns every CURL handle, the rules for which addresses may be connected to,
 * and the stall clock.  Call-backs of users run inside curl (on_head, on_data)
 * or outside of it (on_done); what curl forbids inside, adding and removing
 * handles, is noted there and done in settle().  Knows nothing of Offload's
 * messages.
 */
#include "net/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "offload/origin.h"

#define DEFAULT_ACTIVE 256
#define DEFAULT_BODY (64u << 10)
#define DEFAULT_CONNECT_MS 5000
#define DEFAULT_STALL_MS 5000
#define SWEEP_MS 100        /* how often stalls are looked for */
#define HEADERS_MAX 32768   /* bytes of the headers of one answer */
#define IDLE_CONNECTIONS 64 /* kept for reuse */
#define STREAM_BUFFER 65536L
#define TEXT_MAX 400
#define URL_CAP 8192

TAILQ_HEAD(fetch_list, fetch);

struct fetch {
    TAILQ_ENTRY(fetch) link;
    struct fetch_list *list; /* the one of the fetcher's that it is in */
    struct fetcher *fetcher;
    CURL *easy;
    struct curl_slist *headers;
    struct fetch_request request; /* pointers in it are not kept */
    char origin[OL_ORIGIN_MAX];

    bool cancelled; /* no more call-backs */
    bool paused;    /* the user's wish */
    bool held;      /* curl was told to hold the body back */
    bool resuming;
    bool head_seen;
    CURLcode code;    /* once ripe */
    int error;        /* -errno decided here, overrides code */
    uint64_t seen_ms; /* last sign of life; 0: not connected yet */
    size_t header_bytes;

    char *body;
    size_t body_len, body_cap;
    char text[TEXT_MAX];
    char curl_text[CURL_ERROR_SIZE];
};

struct fetcher {
    uv_loop_t *loop;
    CURLM *multi;
    struct fetcher_options options;
    char user_agent[128];
    uv_timer_t timer; /* curl's own */
    uv_timer_t sweep; /* stalls */
    uv_timer_t kick;  /* settle() soon, from outside of any call-back */
    unsigned open_handles;
    unsigned active;
    bool in_curl; /* curl's functions must not be called */
    bool closing;
    struct fetch_list fresh;   /* started, not yet curl's */
    struct fetch_list running; /* curl's */
    struct fetch_list ripe;    /* ended or cancelled, to be settled */
};

struct watch { /* a socket of curl's */
    uv_poll_t poll;
    struct fetcher *fetcher;
    curl_socket_t fd;
};

static void settle(struct fetcher *fetcher);
static void fetcher_close(struct fetcher *fetcher);

static void
list_move(struct fetch *f, struct fetch_list *to)
{
    if (f->list != NULL)
        TAILQ_REMOVE(f->list, f, link);
    f->list = to;
    if (to != NULL)
        TAILQ_INSERT_TAIL(to, f, link);
}

static void
fetch_destroy(struct fetch *f)
{
    struct fetcher *fetcher = f->fetcher;

    list_move(f, NULL);
    curl_multi_remove_handle(fetcher->multi, f->easy);
    curl_easy_cleanup(f->easy);
    curl_slist_free_all(f->headers);
    free(f->body);
    free(f);
    fetcher->active--;
    if (fetcher->active == 0 && !fetcher->closing)
        uv_timer_stop(&fetcher->sweep);
}

/* libcurl's call-backs for sockets and time */

static void
on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;

    free(watch);
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct fetcher *fetcher = watch->fetcher;
    int flags = 0, running;

    /* An error is found by reading: a connection that the server had closed
       is then replaced, where CURL_CSELECT_ERR would end the request. */
    if (status < 0)
        flags = CURL_CSELECT_IN | CURL_CSELECT_OUT;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    fetcher->in_curl = true;
    curl_multi_socket_action(fetcher->multi, watch->fd, flags, &running);
    fetcher->in_curl = false;
    settle(fetcher);
}

static struct watch *
watch_open(struct fetcher *fetcher, curl_socket_t fd)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL)
        return NULL;
    if (uv_poll_init_socket(fetcher->loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->fetcher = fetcher;
    watch->fd = fd;
    return watch;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
    struct fetcher *fetcher = arg;
    struct watch *watch = assigned;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL)
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        curl_multi_assign(fetcher->multi, fd, NULL);
        return 0;
    }
    if (watch == NULL) {
        watch = watch_open(fetcher, fd);
        if (watch == NULL)
            return -1;
        curl_multi_assign(fetcher->multi, fd, watch);
    }
    if (what & CURL_POLL_IN)
        events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        events |= UV_WRITABLE;
    return uv_poll_start(&watch->poll, events, on_ready) == 0 ? 0 : -1;
}

static void
on_timeout(uv_timer_t *timer)
{
    struct fetcher *fetcher = timer->data;
    int running;

    fetcher->in_curl = true;
    curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    fetcher->in_curl = false;
    settle(fetcher);
}

static int
on_timer_wish(CURLM *multi, long timeout_ms, void *arg)
{
    struct fetcher *fetcher = arg;

    (void)multi;
    if (fetcher->closing)
        return 0;
    if (timeout_ms < 0)
        uv_timer_stop(&fetcher->timer);
    else
        uv_timer_start(&fetcher->timer, on_timeout, (uint64_t)timeout_ms, 0);
    return 0;
}

/* libcurl's call-backs for one request */

static int
sockaddr_port(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port);
    return ntohs(((const struct sockaddr_in6 *)(const void *)sa)->sin6_port);
}

/* The rule for URLs from strangers, on what is really connected to. */
static bool
address_allowed(struct fetch *f, const struct sockaddr *sa)
{
    const struct fetcher_options *options = &f->fetcher->options;
    char text[OL_ADDR_TEXT];
    struct ol_addr addr;
    int port;

    if (!options->public_only)
        return true;
    if (ol_addr_from_sockaddr(sa, &addr) != 0) {
        fetch_set_text(f, "%s: refused, neither IPv4 nor IPv6", f->origin);
        return false;
    }
    ol_addr_text(&addr, text, sizeof(text));
    port = sockaddr_port(sa);
    if (port != 80 && port != 443 && port < 1024) {
        fetch_set_text(f, "%s: refused, port %d is none of 80, 443, 1024-65535",
                       f->origin, port);
        return false;
    }
    if (ol_addr_is_public(&addr) ||
        (options->allow != NULL && ol_cidrs_contain(options->allow, &addr)))
        return true;
    fetch_set_text(f, "%s: refused, address %s is not public", f->origin, text);
    return false;
}

static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch *f = arg;

    (void)purpose;
    if (!address_allowed(f, &address->addr)) {
        f->error = -EHOSTUNREACH;
        return CURL_SOCKET_BAD;
    }
    f->error = 0; /* now it is this address that decides */
    f->text[0] = '\0';
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

/* Connected (or a connection is used again): the stall clock starts. */
static int
on_connected(void *arg, char *remote_ip, char *local_ip, int remote_port,
             int local_port)
{
    struct fetch *f = arg;

    (void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
    f->seen_ms = uv_now(f->fetcher->loop);
    f->error = 0; /* another address of the host may have been refused */
    f->text[0] = '\0';
    return f->cancelled ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static int
fetch_status(struct fetch *f)
{
    long status = 0;

    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static size_t
fetch_abort(struct fetch *f, int error)
{
    f->error = error;
    return 0; /* fewer bytes than given: curl ends the request */
}

/* The blank line after the headers of the final answer has come. */
static size_t
head_complete(struct fetch *f, size_t len)
{
    f->head_seen = true;
    if (f->request.on_head != NULL &&
        f->request.on_head(f, fetch_status(f), f->request.arg) != 0)
        return fetch_abort(f, -ECANCELED);
    return f->cancelled ? 0 : len;
}

static size_t
on_header_line(char *line, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    size_t len = size * count;

    if (f->cancelled)
        return 0;
    f->seen_ms = uv_now(f->fetcher->loop);
    f->header_bytes += len;
    if (f->header_bytes > HEADERS_MAX) {
        fetch_set_text(f, "%s: more than %d bytes of headers", f->origin,
                       HEADERS_MAX);
        return fetch_abort(f, -EMSGSIZE);
    }
    if (f->head_seen || (line[0] != '\r' && line[0] != '\n') ||
        fetch_status(f) < 200)
        return len; /* trailers, another header, 1xx */
    return head_complete(f, len);
}

static bool
body_append(struct fetch *f, const void *data, size_t len)
{
    size_t need = f->body_len + len + 1;

    if (need > f->body_cap) {
        size_t cap = f->body_cap > 0 ? f->body_cap * 2 : 4096;
        char *body = realloc(f->body, cap > need ? cap : need);

        if (body == NULL)
            return false;
        f->body = body;
        f->body_cap = cap > need ? cap : need;
    }
    memcpy(f->body + f->body_len, data, len);
    f->body[f->body_len + len] = '\0';
    return true;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    size_t len = size * count;

    if (f->cancelled)
        return 0;
    f->seen_ms = uv_now(f->fetcher->loop);
    if (f->paused) {
        f->held = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (len > f->request.max_body - f->body_len) {
        fetch_set_text(f, "%s: answer of more than %zu bytes", f->origin,
                       f->request.max_body);
        return fetch_abort(f, -EMSGSIZE);
    }
    if (f->request.on_data == NULL) {
        if (!body_append(f, data, len))
            return fetch_abort(f, -ENOMEM);
    } else if (f->request.on_data(f, data, len, f->request.arg) != 0) {
        return fetch_abort(f, -ECANCELED);
    }
    f->body_len += len;
    return f->cancelled ? 0 : len;
}

/* How a request ended */

static int
error_of(struct fetch *f)
{
    long os_errno = 0;

    switch (f->code) {
    case CURLE_OK:
        return 0;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return -EHOSTUNREACH;
    case CURLE_COULDNT_CONNECT:
        curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &os_errno);
        return os_errno == ETIMEDOUT ? -ETIMEDOUT : -ECONNREFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return -EKEYREJECTED;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return -EIO;
    default:
        return -EPROTO;
    }
}

static void
fetch_finish(struct fetch *f)
{
    struct fetch_result result = {.body = "", .text = f->text};
    struct curl_header *date;
    char *address = NULL, *redirect = NULL;

    result.error = f->error != 0 ? f->error : error_of(f);
    if (result.error != 0 && f->text[0] == '\0')
        fetch_set_text(f, "%s: %s", f->origin,
                       f->curl_text[0] != '\0' ? f->curl_text
                                               : curl_easy_strerror(f->code));
    result.status = fetch_status(f);
    if (f->body != NULL)
        result.body = f->body;
    result.body_len = f->body_len;
    if (curl_easy_header(f->easy, "Date", 0, CURLH_HEADER, -1, &date) ==
        CURLHE_OK) {
        time_t when = curl_getdate(date->value, NULL);

        result.date = when > 0 ? when : 0;
    }
    curl_easy_getinfo(f->easy, CURLINFO_PRIMARY_IP, &address);
    result.address = address != NULL ? address : "";
    curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &redirect);
    result.redirect = redirect != NULL ? redirect : "";
    f->cancelled = true; /* fetch_cancel on itself is then without effect */
    if (f->request.on_done != NULL)
        f->request.on_done(f, &result, f->request.arg);
    fetch_destroy(f);
}

/* What could not be done inside curl */

static void
ripen(struct fetch *f, CURLcode code)
{
    f->code = code;
    list_move(f, &f->fetcher->ripe);
}

static void
resume_all(struct fetcher *fetcher)
{
    struct fetch *f, *next;

    for (f = TAILQ_FIRST(&fetcher->running); f != NULL; f = next) {
        CURLcode code;

        next = TAILQ_NEXT(f, link);
        if (!f->resuming)
            continue;
        f->resuming = false;
        if (!f->held || f->paused)
            continue;
        f->held = false;
        fetcher->in_curl = true;
        code = curl_easy_pause(f->easy, CURLPAUSE_CONT);
        fetcher->in_curl = false;
        /* A call-back in there may have moved f, or next, to ripe. */
        if (code != CURLE_OK && f->list == &fetcher->running)
            ripen(f, code);
        next = TAILQ_FIRST(&fetcher->running);
    }
}

static void
add_fresh(struct fetcher *fetcher)
{
    struct fetch *f;

    while ((f = TAILQ_FIRST(&fetcher->fresh)) != NULL) {
        if (curl_multi_add_handle(fetcher->multi, f->easy) == CURLM_OK)
            list_move(f, &fetcher->running);
        else
            ripen(f, CURLE_OUT_OF_MEMORY);
    }
}

static void
settle(struct fetcher *fetcher)
{
    struct CURLMsg *message;
    struct fetch *f;
    int left;

    if (fetcher->closing) {
        fetcher_close(fetcher);
        return;
    }
    resume_all(fetcher);
    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        char *private = NULL;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        f = (struct fetch *)(void *)private;
        if (f->list == &fetcher->running)
            ripen(f, code);
    }
    add_fresh(fetcher);
    while ((f = TAILQ_FIRST(&fetcher->ripe)) != NULL && !fetcher->closing) {
        if (f->cancelled)
            fetch_destroy(f);
        else {
            list_move(f, NULL);
            fetch_finish(f);
        }
    }
}

static void
on_kick(uv_timer_t *timer)
{
    settle(timer->data);
}

static void
on_sweep(uv_timer_t *timer)
{
    struct fetcher *fetcher = timer->data;
    uint64_t now = uv_now(fetcher->loop);
    struct fetch *f, *next;

    for (f = TAILQ_FIRST(&fetcher->running); f != NULL; f = next) {
        next = TAILQ_NEXT(f, link);
        if (f->paused)
            f->seen_ms = now;
        if (f->seen_ms == 0 || now - f->seen_ms < f->request.stall_ms)
            continue;
        fetch_set_text(f, "%s: no bytes for %u ms", f->origin,
                       f->request.stall_ms);
        f->error = -ETIMEDOUT;
        ripen(f, CURLE_OPERATION_TIMEDOUT);
    }
    settle(fetcher);
}

/* The fetcher */

static void
on_handle_closed(uv_handle_t *handle)
{
    struct fetcher *fetcher = handle->data;

    if (--fetcher->open_handles == 0)
        free(fetcher);
}

static void
fetcher_close(struct fetcher *fetcher)
{
    struct fetch_list *lists[] = {&fetcher->fresh, &fetcher->running,
                                  &fetcher->ripe};

    if (fetcher->multi == NULL)
        return;
    for (size_t i = 0; i < 3; i++)
        while (!TAILQ_EMPTY(lists[i]))
            fetch_destroy(TAILQ_FIRST(lists[i]));
    curl_multi_cleanup(fetcher->multi);
    fetcher->multi = NULL;
    uv_close((uv_handle_t *)&fetcher->timer, on_handle_closed);
    uv_close((uv_handle_t *)&fetcher->sweep, on_handle_closed);
    uv_close((uv_handle_t *)&fetcher->kick, on_handle_closed);
    curl_global_cleanup();
}

static void
timer_open(struct fetcher *fetcher, uv_timer_t *timer)
{
    uv_timer_init(fetcher->loop, timer);
    timer->data = fetcher;
    fetcher->open_handles++;
}

int
fetcher_create(uv_loop_t *loop, const struct fetcher_options *options,
               struct fetcher **ret)
{
    struct fetcher *fetcher;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    fetcher = calloc(1, sizeof(*fetcher));
    if (fetcher == NULL || (fetcher->multi = curl_multi_init()) == NULL) {
        free(fetcher);
        curl_global_cleanup();
        return -ENOMEM;
    }
    fetcher->loop = loop;
    fetcher->options = *options;
    if (fetcher->options.max_active == 0)
        fetcher->options.max_active = DEFAULT_ACTIVE;
    snprintf(fetcher->user_agent, sizeof(fetcher->user_agent), "%s",
             options->user_agent != NULL ? options->user_agent : "offload");
    TAILQ_INIT(&fetcher->fresh);
    TAILQ_INIT(&fetcher->running);
    TAILQ_INIT(&fetcher->ripe);
    timer_open(fetcher, &fetcher->timer);
    timer_open(fetcher, &fetcher->sweep);
    timer_open(fetcher, &fetcher->kick);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS,
                      (long)IDLE_CONNECTIONS);
    *ret = fetcher;
    return 0;
}

void
fetcher_free(struct fetcher *fetcher)
{
    if (fetcher == NULL || fetcher->closing)
        return;
    fetcher->closing = true;
    if (!fetcher->in_curl)
        fetcher_close(fetcher);
}

/* One request */

static void
set_rules(struct fetch *f)
{
    const struct fetcher *fetcher = f->fetcher;
    const char *ca_file = getenv("SSL_CERT_FILE");
    CURL *easy = f->easy;

    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* never join a resolver */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, fetcher->user_agent);
    if (!fetcher->options.env_proxy)
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (ca_file != NULL && ca_file[0] != '\0')
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, f);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, f);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, f->curl_text);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
}

static int
set_headers(struct fetch *f, const char *const *headers)
{
    struct curl_slist *list;

    for (; headers != NULL && *headers != NULL; headers++) {
        list = curl_slist_append(f->headers, *headers);
        if (list == NULL)
            return -ENOMEM;
        f->headers = list;
    }
    list = curl_slist_append(f->headers, "Expect:"); /* no 100-continue */
    if (list == NULL)
        return -ENOMEM;
    f->headers = list;
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers);
    return 0;
}

static int
set_request(struct fetch *f, const struct fetch_request *request)
{
    CURL *easy = f->easy;
    bool head = request->method != NULL && strcmp(request->method, "HEAD") == 0;

    if (curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK)
        return -ENOMEM;
    if (head) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (request->body != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)request->body_len);
        if (curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body) !=
            CURLE_OK)
            return -ENOMEM;
    }
    if (request->method != NULL && !head)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)f->request.connect_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)f->request.total_ms);
    if (request->on_data != NULL)
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, STREAM_BUFFER);
    return set_headers(f, request->headers);
}

static void
keep_request(struct fetch *f, const struct fetch_request *request)
{
    f->request = *request;
    f->request.url = f->request.method = NULL;
    f->request.headers = NULL;
    f->request.body = NULL;
    if (f->request.max_body == 0)
        f->request.max_body = DEFAULT_BODY;
    if (f->request.connect_ms == 0)
        f->request.connect_ms = DEFAULT_CONNECT_MS;
    if (f->request.stall_ms == 0)
        f->request.stall_ms = DEFAULT_STALL_MS;
}

int
fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
            struct fetch **ret)
{
    struct ol_origin origin;
    struct fetch *f;
    int rc;

    if (strlen(request->url) >= URL_CAP ||
        ol_origin_parse(request->url, strlen(request->url), &origin, NULL) != 0)
        return -EINVAL;
    if (fetcher->closing || fetcher->active >= fetcher->options.max_active)
        return -EAGAIN;
    f = calloc(1, sizeof(*f));
    if (f == NULL || (f->easy = curl_easy_init()) == NULL) {
        free(f);
        return -ENOMEM;
    }
    f->fetcher = fetcher;
    fetcher->active++;
    snprintf(f->origin, sizeof(f->origin), "%s", origin.text);
    keep_request(f, request);
    set_rules(f);
    rc = set_request(f, request);
    if (rc != 0) {
        fetch_destroy(f);
        return rc;
    }
    list_move(f, &fetcher->fresh);
    if (!uv_is_active((uv_handle_t *)&fetcher->sweep))
        uv_timer_start(&fetcher->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    uv_timer_start(&fetcher->kick, on_kick, 0, 0);
    *ret = f;
    return 0;
}

void
fetch_cancel(struct fetch *f)
{
    if (f->cancelled)
        return;
    f->cancelled = true;
    if (!f->fetcher->in_curl)
        fetch_destroy(f);
    else if (f->list != &f->fetcher->ripe)
        list_move(f, &f->fetcher->ripe);
}

void
fetch_pause(struct fetch *f)
{
    f->paused = true;
}

void
fetch_resume(struct fetch *f)
{
    f->paused = false;
    f->seen_ms = f->seen_ms != 0 ? uv_now(f->fetcher->loop) : 0;
    if (!f->held)
        return;
    f->resuming = true;
    uv_timer_start(&f->fetcher->kick, on_kick, 0, 0);
}

const char *
fetch_header(struct fetch *f, const char *name)
{
    struct curl_header *header;

    if (curl_easy_header(f->easy, name, 0, CURLH_HEADER, -1, &header) !=
        CURLHE_OK)
        return NULL;
    if (header->amount > 1 &&
        curl_easy_header(f->easy, name, header->amount - 1, CURLH_HEADER, -1,
                         &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

void
fetch_set_text(struct fetch *f, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(f->text, sizeof(f->text), fmt, args);
    va_end(args);
}
