/*
 * A request that waits for Redis or a foreign server before it is answered.
 * The client may go meanwhile; the call then runs to its end without a reply.
 */
#ifndef COORDINATOR_CALL_H
#define COORDINATOR_CALL_H

#include <jansson.h>
#include <stddef.h>

#include "coordinator/app.h"

/* The first member of the struct that a route keeps. */
struct call {
    struct app *app;
    struct http_request *request; /* NULL: answered, or the client has gone */
    struct fetch *fetch;          /* one under way, cancelled at the end */
    void (*release)(struct call *call); /* what the struct owns, or NULL */
    TAILQ_ENTRY(call) link;
};

/* `size` zeroed bytes that begin with a call; NULL: answered with 503. */
void *call_begin(struct app *app, struct http_request *request, size_t size);
/* Answers.  The call lives on until call_end. */
void call_json(struct call *call, int status, json_t *take);
void call_jwt(struct call *call, const char *token, size_t len);
void call_error(struct call *call, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* 503 and 429 with a jittered Retry-After. */
void call_busy(struct call *call, const char *why);
void call_slow(struct call *call, const char *why);
void call_end(struct call *call);
/* Ends all, at the process's end, after httpd_free. */
void calls_end(struct app *app);

/* The same for requests that are answered at once. */
void reply_json(struct http_request *request, int status, json_t *take);
void reply_error(struct http_request *request, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void reply_busy(struct http_request *request, const char *why);
void reply_slow(struct http_request *request, const char *why);
/* With that Retry-After. */
void reply_later(struct http_request *request, int status, const char *why,
                 unsigned retry_s);

#endif
