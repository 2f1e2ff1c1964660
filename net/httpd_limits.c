/*
 * Who may connect to a server, and for how long a connection may be there
 * without a request: limits by address, time-outs that no trickle of bytes
 * puts off, and room for new clients when the table is nearly full.
 *
 * Must not know libmicrohttpd: to close a connection is to shut its socket
 * down, which its reader then notices.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/hangup.h"
#include "net/httpd_parts.h"
#include "net/log.h"

/*
 * So much of the table is kept free, by closing who has waited longest; but
 * others than newcomers, whose request may be on its way.
 */
#define LIMITS_SPARE(max) ((max) / 8)

/* Multiply-shift hashing: the product's top bits depend on all of the key. */
struct source *
source_find(struct httpd *httpd, const struct ol_addr *addr)
{
    bool v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)addr->bytes);
    uint64_t key;

    memcpy(&key, addr->bytes + (v4 ? 8 : 0), sizeof(key));
    return &httpd->sources[key * httpd->seed >> (64 - HTTPD_SOURCES_LOG2)];
}

/* A proxy's connections are many clients': it has no limit of its own. */
static struct source *
source_counted(struct httpd *httpd, const struct sockaddr *peer)
{
    struct ol_addr addr;

    if (ol_addr_from_sockaddr(peer, &addr) != 0 ||
        (httpd->proxies != NULL && ol_cidrs_contain(httpd->proxies, &addr)))
        return NULL;
    return source_find(httpd, &addr);
}

bool
connection_allowed(struct httpd *httpd, const struct sockaddr *peer)
{
    struct source *source = source_counted(httpd, peer);

    return httpd->max_per_address == 0 || source == NULL ||
           source->connections < httpd->max_per_address;
}

static void
connection_close(struct httpd *httpd, struct connection *c)
{
    connection_serve(httpd, c); /* it is in the list no more */
    c->closing = true;
    httpd->closing_count++;
    shutdown(c->fd, SHUT_RDWR);
}

struct connection *
connection_add(struct httpd *httpd, int fd, const struct sockaddr *peer)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->fd = fd;
    c->hangup = hangups_add(httpd->hangups, fd);
    c->source = source_counted(httpd, peer);
    if (c->source != NULL)
        c->source->connections++;
    httpd->connections++;
    connection_wait(httpd, c);
    return c;
}

void
connection_remove(struct httpd *httpd, struct connection *c)
{
    if (c == NULL)
        return;
    connection_serve(httpd, c);
    httpd->connections--;
    httpd->closing_count -= c->closing;
    if (c->source != NULL)
        c->source->connections--;
    hangups_remove(httpd->hangups, c->hangup);
    free(c);
}

void
connection_wait(struct httpd *httpd, struct connection *c)
{
    if (c == NULL || c->waiting || c->closing)
        return;
    c->waiting = true;
    c->since_ms = uv_now(httpd->timer.loop);
    TAILQ_INSERT_TAIL(&httpd->waiting, c, link);
}

void
connection_serve(struct httpd *httpd, struct connection *c)
{
    if (c == NULL || !c->waiting)
        return;
    c->waiting = false;
    TAILQ_REMOVE(&httpd->waiting, c, link);
}

uint64_t
connections_expire(struct httpd *httpd)
{
    static struct log_kind full = {.name = "connections"};
    unsigned max = httpd->max_connections;
    uint64_t now = uv_now(httpd->timer.loop), may;
    struct connection *c;
    bool crowded;

    while ((c = TAILQ_FIRST(&httpd->waiting)) != NULL) {
        crowded =
            httpd->connections - httpd->closing_count > max - LIMITS_SPARE(max);
        may = crowded ? httpd->young_ms : httpd->wait_ms;
        if (now - c->since_ms < may)
            return may - (now - c->since_ms);
        if (crowded)
            log_limited(&full, LOG_WARN_,
                        "http: nearly %u connections, closing idle ones", max);
        connection_close(httpd, c);
    }
    return UINT64_MAX;
}
