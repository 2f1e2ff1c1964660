/*
 * HTTP requests of the programs: libcurl multi on a libuv loop, with the rules
 * for foreign URLs (DESIGN section 6) in one place.
 *
 * http and https only, no redirects, bounded headers and bodies; the address
 * that is really connected to is checked (in the open-socket call-back, so DNS
 * cannot change it between check and use).  Of net/, only fetch.c and
 * fetcher.c include curl.
 */
#ifndef NET_FETCH_H
#define NET_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "offload/netaddr.h"

struct fetcher; /* connections and limits; one per loop */
struct fetch;   /* one request under way */

struct fetcher_options {
    const char *user_agent;
    /*
     * true: only public addresses, and ports 80, 443, >= 1024 (URLs from
     * strangers); `allow` adds address ranges (--allow-net) and is borrowed.
     * false: any address (a URL that the user typed, and peers of `get`).
     */
    bool public_only;
    const struct ol_cidrs *allow;
    unsigned max_active; /* requests under way; beyond: -EAGAIN. 0: 256 */
    /* http_proxy and so on are honoured: for the user's own downloads only. */
    bool env_proxy;
};

int fetcher_create(uv_loop_t *loop, const struct fetcher_options *options,
                   struct fetcher **ret);
/*
 * Cancels what is under way (without call-backs).  NULL is legal.  Memory is
 * freed by the loop's next turns: run it before closing it.
 */
void fetcher_free(struct fetcher *fetcher);

struct fetch_result {
    int error;            /* 0: an answer with any status arrived whole; -errno:
                             -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH (refused
                             address or no such host), -EMSGSIZE (over max_body),
                             -ECANCELED (a call-back said no), -EKEYREJECTED (TLS
                             certificate), -EPROTO, -EIO, -ENOMEM */
    int status;           /* HTTP status, 0 if none came */
    const char *text;     /* for people: "cannot connect to ...: ..." or "" */
    const char *body;     /* without on_data: NUL-terminated, borrowed */
    size_t body_len;      /* with on_data: bytes passed on */
    int64_t date;         /* the Date header, 0 if none */
    const char *address;  /* remote address, "" before one is known */
    const char *redirect; /* where a 3xx points, absolute, or "" */
};

struct fetch_request {
    const char *url;
    const char *method;         /* NULL: GET */
    const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
    const void *body;           /* copied */
    size_t body_len;
    size_t max_body;     /* of the answer; 0: 64 KiB */
    unsigned connect_ms; /* 0: 5000 */
    unsigned total_ms;   /* 0: no limit */
    unsigned stall_ms;   /* no byte for this long (after connect): -ETIMEDOUT.
                            0: 5000 */

    /*
     * Optional.  on_head: all headers have come (fetch_header may be asked);
     * non-zero ends the request with -ECANCELED and that text set by
     * fetch_set_text, if any.  on_data: the body as it comes, of a final
     * answer of any status.  on_done is called exactly once, unless
     * fetch_cancel was called before; the fetch is gone when it returns.
     * fetch_cancel may be called from any call-back, on any fetch but from
     * on_done on its own.
     */
    int (*on_head)(struct fetch *fetch, int status, void *arg);
    int (*on_data)(struct fetch *fetch, const void *data, size_t len,
                   void *arg);
    void (*on_done)(struct fetch *fetch, const struct fetch_result *result,
                    void *arg);
    void *arg;
};

/* Never calls back before it returns.  -EINVAL: bad URL; -EAGAIN: full. */
int fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                struct fetch **ret);
void fetch_cancel(struct fetch *fetch);
/* Stops and continues reading; does not count as a stall. */
void fetch_pause(struct fetch *fetch);
void fetch_resume(struct fetch *fetch);
/* Value of the last header of this name in the final answer, or NULL. */
const char *fetch_header(struct fetch *fetch, const char *name);
void fetch_set_text(struct fetch *fetch, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
