/*
 * A request and its server, shared by httpd.c (connections, bodies, the loop),
 * httpd_limits.c, http_head.c and http_request.c (what handlers ask and
 * answer).  For these alone.
 */
#ifndef NET_HTTPD_PARTS_H
#define NET_HTTPD_PARTS_H

#include <microhttpd.h>
#include <sys/queue.h>

#include "net/httpd.h"

#define HTTPD_SOURCES_LOG2 12

/* What one address has; addresses that share a slot share its limits. */
struct source {
    size_t bodies;        /* bytes allocated for request bodies */
    unsigned connections; /* open ones */
};

/*
 * A connection waits, from its start or the last answer on, until a request is
 * there with all of its body.
 */
struct connection {
    int fd;
    struct hangup *hangup;
    struct source *source; /* that it is counted in, or NULL */
    bool waiting, closing;
    uint64_t since_ms;            /* it has waited; loop time */
    TAILQ_ENTRY(connection) link; /* if it waits */
};
TAILQ_HEAD(connection_list, connection);

struct http_request {
    struct httpd *httpd;
    struct MHD_Connection *connection;
    unsigned refs; /* the connection's, and an open stream's */
    char *uri;     /* as sent; path and query point into it */
    const char *path, *query, *method;

    bool begun;      /* the head has been judged; it counts as busy */
    bool handled;    /* the handler has been called */
    bool in_handler; /* it runs now, so the reply needs no waking */
    bool last;       /* its answer ends the connection */
    bool answered;
    bool suspended, waking;

    char *body;
    size_t body_len, body_cap;
    struct source *source; /* its client's, once needed */

    int status;
    struct MHD_Response *response; /* until it is queued */

    void *context;
    void (*on_close)(struct http_request *request, void *context);
    void (*sent)(void *arg, bool whole);
    void *sent_arg;

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
    struct source sources[1 << HTTPD_SOURCES_LOG2];
    uint64_t seed; /* nobody can choose whose slot is shared */
    const struct ol_cidrs *proxies;

    unsigned connections, closing_count, busy;
    unsigned max_connections, max_per_address;
    uint64_t wait_ms, young_ms;     /* of a connection, at most; at least */
    struct connection_list waiting; /* the longest first */
    bool draining;                  /* connections end with their request */
    void (*handler)(struct http_request *request, void *arg);
    void *arg;

    struct request_list suspended, waking;
    unsigned suspended_count;
    uint64_t woken_ms; /* loop time of the last waking */
};

/* httpd_limits.c: who may connect, and for how long without a request. */
struct source *source_find(struct httpd *httpd, const struct ol_addr *addr);
bool connection_allowed(struct httpd *httpd, const struct sockaddr *peer);
/* NULL without memory. */
struct connection *connection_add(struct httpd *httpd, int fd,
                                  const struct sockaddr *peer);
void connection_remove(struct httpd *httpd, struct connection *connection);
/* It waits from now on; it has a request.  NULL is legal. */
void connection_wait(struct httpd *httpd, struct connection *connection);
void connection_serve(struct httpd *httpd, struct connection *connection);
/* Closes those that have waited too long; ms until the next, or UINT64_MAX. */
uint64_t connections_expire(struct httpd *httpd);

/*
 * http_head.c: what is wrong with the head, or NULL; *ret_length: the value of
 * Content-Length, or NULL.
 */
const char *head_judge(struct http_request *r, const char **ret_length);

/* http_request.c: only between libmicrohttpd's call-backs. */
void request_suspend(struct http_request *r);
void request_resume(struct http_request *r);
/* The loop resumes it before it waits again. */
void request_wake(struct http_request *r);
void request_unref(struct http_request *r);
void stream_end(struct http_request *r);

#endif
