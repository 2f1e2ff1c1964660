/*
 * One HTTP request: what it may ask, which addresses it may reach, what of the
 * answer is passed on, how it ended.
 *
 * Owns the easy handle.  Call-backs of users run inside curl (on_head,
 * on_data) or outside of it (on_done); when a handle is added or removed is
 * net/fetcher.c's.  Knows nothing of Offload's messages.
 */
#include "net/fetch_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_BODY (64u << 10)
#define DEFAULT_CONNECT_MS 5000
#define DEFAULT_STALL_MS 5000
#define HEADERS_MAX 32768 /* bytes of the headers of one answer */
#define STREAM_BUFFER 65536L
#define URL_CAP 8192

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

void
fetch_destroy(struct fetch *f)
{
    fetcher_remove(f);
    curl_easy_cleanup(f->easy);
    curl_slist_free_all(f->headers);
    free(f->body);
    free(f);
}

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

void
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
    snprintf(f->origin, sizeof(f->origin), "%s", origin.text);
    keep_request(f, request);
    fetcher_add(f); /* curl gets it from the loop, when it is complete */
    set_rules(f);
    rc = set_request(f, request);
    if (rc != 0) {
        fetch_destroy(f);
        return rc;
    }
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
        fetch_list_move(f, &f->fetcher->ripe);
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
    fetcher_kick(f->fetcher);
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
