/*
 * A request as its handler sees it: what was asked, and the answers, at once
 * or later, from memory, a file or a stream.
 *
 * Must not know sockets or the loop: an answer that comes later is left to
 * httpd.c, which resumes the connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "net/httpd_parts.h"

#define HTTPD_STREAM_BLOCK (32u << 10)

/* Suspension. */

void
request_suspend(struct http_request *r)
{
    MHD_suspend_connection(r->connection);
    r->suspended = true;
    TAILQ_INSERT_TAIL(&r->httpd->suspended, r, suspended_link);
    r->httpd->suspended_count++;
}

void
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

void
request_wake(struct http_request *r)
{
    if (r->suspended && !r->waking) {
        r->waking = true;
        TAILQ_INSERT_TAIL(&r->httpd->waking, r, waking_link);
    }
}

void
request_unref(struct http_request *r)
{
    if (--r->refs == 0)
        free(r);
}

void
stream_end(struct http_request *r)
{
    if (r->stream_open) {
        r->stream_open = false;
        r->stream.close(r->stream.arg);
    }
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

void
http_body_drop(struct http_request *r)
{
    r->httpd->bodies -= r->body_cap;
    if (r->source != NULL)
        r->source->bodies -= r->body_cap;
    free(r->body);
    r->body = NULL;
    r->body_len = r->body_cap = 0;
}

const struct sockaddr *
http_peer(const struct http_request *r)
{
    return MHD_get_connection_info(r->connection,
                                   MHD_CONNECTION_INFO_CLIENT_ADDRESS)
        ->client_addr;
}

/* The lines of X-Forwarded-For, in their order. */
#define FORWARDED_LINES 16 /* of more, the last ones count */
struct forwarded {
    const char *lines[FORWARDED_LINES];
    size_t count;
};

static enum MHD_Result
on_forwarded(void *arg, enum MHD_ValueKind kind, const char *name,
             const char *value)
{
    struct forwarded *f = arg;

    (void)kind;
    if (value != NULL && strcasecmp(name, "X-Forwarded-For") == 0)
        f->lines[f->count++ % FORWARDED_LINES] = value;
    return MHD_YES;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[…]:80" */
static int
forwarded_parse(const char *text, size_t len, struct ol_addr *ret)
{
    char copy[OL_ADDR_TEXT], *colon;

    if (len == 0 || len >= sizeof(copy))
        return -EINVAL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    colon = strchr(copy, ':');
    if (copy[0] == '[') {
        text = strchr(copy, ']');
        if (text == NULL || (text[1] != '\0' && text[1] != ':'))
            return -EINVAL;
        copy[text - copy] = '\0';
        return ol_addr_parse(copy + 1, ret);
    }
    if (colon != NULL && strchr(colon + 1, ':') == NULL)
        *colon = '\0';
    return ol_addr_parse(copy, ret);
}

/*
 * Goes on from the right, from proxy to proxy; true: *addr is no proxy, or what
 * stands before it makes no sense.
 */
static bool
forwarded_walk(const char *line, const struct ol_cidrs *proxies,
               struct ol_addr *addr)
{
    size_t end = strlen(line), begin, from, to;

    for (;;) {
        for (begin = end; begin > 0 && line[begin - 1] != ',';)
            begin--;
        for (from = begin; from < end && strchr(" \t", line[from]) != NULL;)
            from++;
        for (to = end; to > from && strchr(" \t", line[to - 1]) != NULL;)
            to--;
        if (forwarded_parse(line + from, to - from, addr) != 0 ||
            !ol_cidrs_contain(proxies, addr))
            return true;
        if (begin == 0)
            return false;
        end = begin - 1;
    }
}

void
http_client(const struct http_request *r, struct ol_addr *ret)
{
    const struct ol_cidrs *proxies = r->httpd->proxies;
    struct forwarded f = {.count = 0};
    struct ol_addr addr;
    size_t i;

    memset(&addr, 0, sizeof(addr));
    if (ol_addr_from_sockaddr(http_peer(r), &addr) == 0 && proxies != NULL &&
        ol_cidrs_contain(proxies, &addr)) {
        MHD_get_connection_values(r->connection, MHD_HEADER_KIND, on_forwarded,
                                  &f);
        for (i = f.count; i > 0 && f.count - i < FORWARDED_LINES; i--)
            if (forwarded_walk(f.lines[(i - 1) % FORWARDED_LINES], proxies,
                               &addr))
                break;
    }
    *ret = addr;
}

void
http_set_context(struct http_request *r, void *context,
                 void (*on_close)(struct http_request *request, void *context))
{
    r->context = context;
    r->on_close = on_close;
}

void
http_set_sent(struct http_request *r, void (*sent)(void *arg, bool whole),
              void *arg)
{
    r->sent = sent;
    r->sent_arg = arg;
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
    if (response != NULL && (r->last || r->httpd->draining))
        MHD_add_response_header(response, "Connection", "close");
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
                                          "Cache-Control: no-store", NULL};
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
