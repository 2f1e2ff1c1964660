/*
 * What the parts of one coordinator process share.  All run in the loop's
 * thread; main.c makes and frees them.
 */
#ifndef COORDINATOR_APP_H
#define COORDINATOR_APP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "coordinator/nodes/places.h"
#include "coordinator/pace.h"
#include "coordinator/store/store.h"
#include "net/fetch.h"
#include "net/httpd.h"
#include "offload/key.h"

/* Of a server: of NODES_MAX nodes, and half as many visitors. */
#define APP_CONNECTIONS 24576
#define APP_BODY_MAX (256u << 10)
#define APP_CONTROL_FETCHES 256 /* call-backs, keys and documents of sites */
#define APP_SYNC_FETCHES 8192
#define APP_JWS_LIFE_S 60 /* of what is signed here */
#define APP_STOP_MS 5000  /* for answers to what was asked, at the end */
#define APP_RELOADS 8
/* Calls to foreign servers that one source may cause, and that one gets. */
#define APP_SOURCE_LIMIT ((struct pace_limit){200, 100})
#define APP_TARGET_LIMIT ((struct pace_limit){30, 1000})
/* Of all workers, call-backs and joins under way together; beyond, who has had
 * calls made in vain is put off. */
#define APP_CALLS_VAIN 32

struct admission;
struct audits;
struct beats;
struct call;
struct catalog;
struct geo;
struct memory;
struct nodes;
struct options;
struct sites;
struct tracker;
struct status;
struct udp;

struct app {
    uv_loop_t *loop;
    const struct options *options;
    unsigned worker; /* 0 .. options->workers - 1 */
    int udp_fd;      /* bound as `listen` is, not blocking; -1: no tracker */
    struct ol_key *key;
    struct store *store;
    struct fetcher *control, *pusher;
    struct httpd *httpd, *httpd_tls; /* NULL: no TLS */
    unsigned places;                 /* connections of both, at most */
    struct admission *admission;
    struct geo *geo;
    struct memory *memory;
    struct nodes *nodes;
    struct beats *beats;
    struct audits *audits;
    struct sites *sites;
    struct tracker *tracker; /* NULL: switched off */
    struct udp *udp;         /* NULL: no tracker */
    struct status *status;
    struct catalog *catalog;           /* of their contents */
    TAILQ_HEAD(call_list, call) calls; /* requests that wait for something */
    struct places callbacks;           /* registrations under way */
    unsigned joins;                    /* under way */
    struct pace sources, targets;
    void (*reloads[APP_RELOADS])(struct app *app); /* NULL: no more */
};

/* The listening sockets are taken over; -1: no TLS. */
int app_start(struct app *app, int listen, int listen_tls,
              struct ol_error *err);
/* Also after a failed start. */
void app_stop(struct app *app);
/*
 * `reload` is called at SIGHUP, when app->options has been read again: files
 * that it names may have changed.  It keeps what it has if it cannot.  In the
 * order of these calls, at most APP_RELOADS.
 */
void app_on_reload(struct app *app, void (*reload)(struct app *app));
void app_reload(struct app *app);

static inline const char *
app_id(const struct app *app)
{
    return ol_key_id(app->key);
}

/* For what is measured here alone: it never jumps. */
int64_t app_ticks_ms(void);
/* For what others read, since 1970. */
int64_t app_now_ms(void);
static inline int64_t
app_now(void)
{
    return app_now_ms() / 1000;
}
/* Whether this source may make us call the target now; counts it. */
bool app_may_call(struct app *app, const struct http_request *source,
                  const char *target);
/* 0 .. below - 1, for jitter; below 0: any number. */
unsigned app_random(unsigned below);

#endif
