/*
 * The HTTP server of the daemons: libmicrohttpd by external epoll on a libuv
 * loop.  Only its parts include microhttpd.h.
 *
 * A request reaches the handler once it is whole (head and bounded body), in
 * the loop's thread.  The handler answers at once, or keeps the pointer and
 * answers later; until then the connection is suspended.  Every request is
 * answered exactly once or ends by on_close.
 */
#ifndef NET_HTTPD_H
#define NET_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <uv.h>

#include "offload/error.h"
#include "offload/netaddr.h"

#define HTTPD_REQUEST_S 30
#define HTTPD_YOUNG_MS 1000

struct httpd;
struct http_request;

struct httpd_options {
    const char *listen;   /* "127.0.0.1:8090", "[::1]:8090", "*:8090" */
    const int *listen_fd; /* listens there already, is taken over; or NULL */
    bool tls;             /* with the certificate of net/tls.h */
    const struct ol_cidrs *proxies; /* borrowed; NULL: none.  http_client */
    unsigned max_connections;       /* 0: 1024 */
    /* 0: no limit.  An address is an IPv4 one or a /64; proxies have none. */
    unsigned max_connections_per_address;
    size_t max_body; /* beyond: 413 and close. 0: 0 (any body is refused) */
    /*
     * Clients that are idle for so long are closed (0: 30), those that need
     * HTTPD_REQUEST_S more for a whole request too, however busy they are; and,
     * when there are nearly max_connections, those that have waited longest,
     * HTTPD_YOUNG_MS at least.  Who is being answered waits for nothing.
     */
    unsigned idle_s;
    void (*handler)(struct http_request *request, void *arg);
    void *arg;
};

/* Binds (probing first, so that a second instance fails: -EADDRINUSE). */
int httpd_create(uv_loop_t *loop, const struct httpd_options *options,
                 struct httpd **ret, struct ol_error *err);
/*
 * Stops accepting, other processes may go on with the same socket.  Open
 * requests end when their handlers answer, and their connections with them.
 */
void httpd_quiesce(struct httpd *httpd);
/* Requests that have begun and are not wholly answered. */
unsigned httpd_busy(const struct httpd *httpd);
unsigned httpd_connections(const struct httpd *httpd);
/* Closes all; on_close runs for what was unanswered.  NULL is legal. */
void httpd_free(struct httpd *httpd);
/* The port bound: for "127.0.0.1:0". */
uint16_t httpd_port(const struct httpd *httpd);

const char *http_method(const struct http_request *request);
/* As sent, up to '?'; never NULL, NUL-free, still percent-encoded. */
const char *http_path(const struct http_request *request);
/* As sent, after '?', or NULL: raw bytes, never unescaped. */
const char *http_query(const struct http_request *request);
/* The first header of that name, or NULL. */
const char *http_header(const struct http_request *request, const char *name);
const char *http_body(const struct http_request *request, size_t *ret_len);
/* Frees it before the answer, for requests that are kept: it is empty then. */
void http_body_drop(struct http_request *request);
const struct sockaddr *http_peer(const struct http_request *request);
/*
 * Whom it is from: the connection's address, or, if that is in `proxies`, the
 * last address of X-Forwarded-For that is not; canonical (no ::ffff:a.b.c.d).
 */
void http_client(const struct http_request *request, struct ol_addr *ret);

/* For requests that are kept: the client may go before the answer. */
void http_set_context(struct http_request *request, void *context,
                      void (*on_close)(struct http_request *request,
                                       void *context));
void *http_context(const struct http_request *request);
/*
 * Before the answer: sent is called once, when all of it has been given to the
 * system (whole), or its connection has ended before.
 */
void http_set_sent(struct http_request *request,
                   void (*sent)(void *arg, bool whole), void *arg);

/*
 * Answers.  headers: "Name: value" strings, NULL-terminated, or NULL; Date,
 * Content-Length and Connection are the server's.  HEAD is answered with the
 * head alone.  The request must not be touched afterwards.
 */
/* The body is copied. */
void http_reply(struct http_request *request, int status,
                const char *const *headers, const void *body, size_t len);
/* {"error": text} as application/json; -> "status text" for people. */
void http_reply_error(struct http_request *request, int status, const char *fmt,
                      ...) __attribute__((format(printf, 3, 4)));
/* len bytes of fd from offset, by sendfile; fd is dup'ed, stays caller's. */
void http_reply_fd(struct http_request *request, int status,
                   const char *const *headers, int fd, uint64_t offset,
                   uint64_t len);
/*
 * A body of len bytes that is produced as it becomes available.  read copies
 * up to max bytes from position pos (of the body) and returns how many; 0: none
 * yet, the connection is suspended until http_stream_wake; < 0: the
 * connection is closed short.  close runs once, always.
 */
struct http_stream {
    ssize_t (*read)(void *arg, uint64_t pos, char *dst, size_t max);
    void (*close)(void *arg);
    void *arg;
};
void http_reply_stream(struct http_request *request, int status,
                       const char *const *headers, uint64_t len,
                       const struct http_stream *stream);
/* There is more (or the end, or an error) to read.  Legal until close. */
void http_stream_wake(struct http_request *request);

#endif
