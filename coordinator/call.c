/*
 * Answers to requests, at once or after something was waited for; the log of
 * refusals.
 *
 * Must not know what is asked for.
 */
#include "coordinator/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/refusals.h"
#include "net/log.h"
#include "offload/netaddr.h"

/* Who is put off comes again after 1 to 5 s, or up to 20 if there are many:
 * nodes that are silent for 30 s are dead. */
#define RETRY_MIN_S 1
#define RETRY_SPREAD_S 5
#define RETRY_SPREAD_MAX_S 20
#define RETRY_PER_S 100 /* so many a second do not add up */

/* Who sends messages that are refused is known by that. */
static void
refusal_count(const struct http_request *r, int status)
{
    struct ol_addr from;

    if (strcmp(http_method(r), "POST") != 0)
        return;
    http_client(r, &from);
    refusals_add(&from, status, (uint32_t)(app_ticks_ms() / 1000));
}

static void
refusal_log(struct http_request *r, int status, const char *text)
{
    static struct log_kind refused = {.name = "refused requests"};
    char from[OL_ADDR_TEXT];
    struct ol_addr addr;

    http_client(r, &addr);
    ol_addr_text(&addr, from, sizeof(from));
    log_limited(&refused, LOG_INFO_, "%s %.80s from %s: %d: %s", http_method(r),
                http_path(r), from, status, text);
}

void
reply_json(struct http_request *r, int status, json_t *take)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "Cache-Control: no-store", NULL};
    char *text = take == NULL ? NULL : json_dumps(take, JSON_COMPACT);

    json_decref(take);
    refusal_count(r, status);
    if (text == NULL)
        http_reply_error(r, 500, "no memory");
    else
        http_reply(r, status, headers, text, strlen(text));
    free(text);
}

void
reply_error(struct http_request *r, int status, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    refusal_log(r, status, text);
    refusal_count(r, status);
    http_reply_error(r, status, "%s", text);
}

/* If all came again soon, they would be a crowd for ever. */
static unsigned
retry_s(void)
{
    static int64_t counted_ms;
    static unsigned many; /* that were put off lately */
    int64_t now = app_ticks_ms();
    int64_t fewer = (now - counted_ms) * RETRY_PER_S / 1000;

    if (fewer > 0) {
        many -= fewer < many ? (unsigned)fewer : many;
        counted_ms = now;
    }
    if (many < (RETRY_SPREAD_MAX_S - RETRY_SPREAD_S) * RETRY_PER_S)
        many++;
    return RETRY_MIN_S + app_random(RETRY_SPREAD_S + many / RETRY_PER_S);
}

void
reply_later(struct http_request *r, int status, const char *why,
            unsigned retry_s)
{
    char retry[32], body[128];
    const char *const headers[] = {retry, "Content-Type: application/json",
                                   "Cache-Control: no-store", NULL};
    int len;

    refusal_log(r, status, why);
    snprintf(retry, sizeof(retry), "Retry-After: %u", retry_s);
    len = snprintf(body, sizeof(body), "{\"error\":\"%s\"}", why);
    http_reply(r, status, headers, body, (size_t)len);
}

void
reply_busy(struct http_request *r, const char *why)
{
    reply_later(r, 503, why, retry_s());
}

void
reply_slow(struct http_request *r, const char *why)
{
    reply_later(r, 429, why, retry_s());
}

static void
on_close(struct http_request *request, void *context)
{
    struct call *call = context;

    (void)request;
    call->request = NULL;
}

void *
call_begin(struct app *app, struct http_request *request, size_t size)
{
    struct call *call = calloc(1, size);

    if (call == NULL) {
        reply_busy(request, "no memory");
        return NULL;
    }
    call->app = app;
    call->request = request;
    TAILQ_INSERT_TAIL(&app->calls, call, link);
    http_set_context(request, call, on_close);
    return call;
}

/* The request, once: it is gone when it has been answered. */
static struct http_request *
call_take(struct call *call)
{
    struct http_request *r = call->request;

    call->request = NULL;
    return r;
}

void
call_json(struct call *call, int status, json_t *take)
{
    struct http_request *r = call_take(call);

    if (r != NULL)
        reply_json(r, status, take);
    else
        json_decref(take);
}

void
call_jwt(struct call *call, const char *token, size_t len)
{
    static const char *const headers[] = {"Content-Type: application/jwt",
                                          "Cache-Control: no-store", NULL};
    struct http_request *r = call_take(call);

    if (r != NULL)
        http_reply(r, 200, headers, token, len);
}

void
call_error(struct call *call, int status, const char *fmt, ...)
{
    struct http_request *r = call_take(call);
    char text[256];
    va_list args;

    if (r == NULL)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    reply_error(r, status, "%s", text);
}

void
call_busy(struct call *call, const char *why)
{
    struct http_request *r = call_take(call);

    if (r != NULL)
        reply_busy(r, why);
}

void
call_slow(struct call *call, const char *why)
{
    struct http_request *r = call_take(call);

    if (r != NULL)
        reply_slow(r, why);
}

void
call_end(struct call *call)
{
    if (call->request != NULL)
        call_busy(call, "the request was given up");
    if (call->fetch != NULL)
        fetch_cancel(call->fetch);
    if (call->release != NULL)
        call->release(call);
    TAILQ_REMOVE(&call->app->calls, call, link);
    free(call);
}

void
calls_end(struct app *app)
{
    struct call *call;

    while ((call = TAILQ_FIRST(&app->calls)) != NULL)
        call_end(call);
}
