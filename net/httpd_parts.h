/*
 * A request and its server, shared by httpd.c (connections, bodies, the loop)
 * and http_request.c (what handlers ask and answer).  For these alone.
 */
#ifndef NET_HTTPD_PARTS_H
#define NET_HTTPD_PARTS_H

#include <microhttpd.h>
#include <sys/queue.h>

#include "net/httpd.h"

#define HTTPD_SOURCES_LOG2 10

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
    size_t *source; /* its address's slot of httpd->sources, once needed */

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
    /* The same by address; addresses that share a slot share its limit. */
    size_t sources[1 << HTTPD_SOURCES_LOG2];
    uint64_t seed; /* nobody can choose whose slot is shared */
    void (*handler)(struct http_request *request, void *arg);
    void *arg;

    struct request_list suspended, waking;
    unsigned suspended_count;
    uint64_t woken_ms; /* loop time of the last waking */
};

/* http_request.c: only between libmicrohttpd's call-backs. */
void request_suspend(struct http_request *r);
void request_resume(struct http_request *r);
/* The loop resumes it before it waits again. */
void request_wake(struct http_request *r);
void request_unref(struct http_request *r);
void stream_end(struct http_request *r);

#endif
