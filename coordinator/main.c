/*
 * offload-coordinator: sites and nodes meet here.  Makes the parts of the
 * process, connects their events, and takes them down again.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "coordinator/api.h"
#include "coordinator/app.h"
#include "coordinator/call.h"
#include "coordinator/commands.h"
#include "coordinator/memory.h"
#include "coordinator/nodes/admission.h"
#include "coordinator/nodes/audit.h"
#include "coordinator/nodes/geo.h"
#include "coordinator/nodes/heartbeat.h"
#include "coordinator/nodes/nodes.h"
#include "coordinator/nodes/registration.h"
#include "coordinator/master.h"
#include "coordinator/options.h"
#include "coordinator/refusals.h"
#include "coordinator/sites/sites.h"
#include "coordinator/status/status.h"
#include "coordinator/tracker/tracker.h"
#include "coordinator/tracker/udp.h"
#include "net/daemon.h"
#include "coordinator/worker.h"
#include "net/log.h"
#include "net/tls.h"

#define CONNECTIONS_PER_ADDRESS 1024
#define IDLE_S 60

int64_t
app_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
app_ticks_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

unsigned
app_random(unsigned below)
{
    unsigned random = 0;

    (void)!getrandom(&random, sizeof(random), 0);
    return below == 0 ? random : random % below;
}

bool
app_may_call(struct app *app, const struct http_request *source,
             const char *target)
{
    int64_t now = app_ticks_ms();
    struct ol_addr addr;
    uint8_t prefix[16];
    size_t len;

    http_client(source, &addr);
    if (app->callbacks.taken + app->joins >=
            APP_CALLS_VAIN / app->options->workers &&
        refusals_called_in_vain(&addr, (uint32_t)(now / 1000)))
        return false;
    len = pace_source(&addr, prefix);
    return pace_take(&app->sources, prefix, len, now) &&
           pace_take(&app->targets, target, strlen(target), now);
}

static uint64_t
seed_make(void)
{
    return (uint64_t)app_random(0) << 32 | app_random(0);
}

/* Events from part to part. */

static void
on_up(void *arg, bool fresh)
{
    struct app *app = arg;

    if (fresh)
        heartbeat_answer_all(app); /* they name the new store */
    if (fresh)
        sites_forget_nodes(app->sites);
    nodes_refresh(app->nodes, fresh);
    sites_refresh(app->sites, fresh);
    tracker_refresh(app->tracker, fresh);
}

static void
on_change(void *arg, enum store_change what, const char *id)
{
    struct app *app = arg;

    switch (what) {
    case STORE_NODE:
        nodes_load(app->nodes, id);
        break;
    case STORE_SITE:
        sites_load(app->sites, id);
        break;
    case STORE_ASSIGNED:
        heartbeat_wake(app, id);
        break;
    case STORE_HELD:
        sites_held(app->sites, id);
        break;
    }
}

static void
on_node_changed(void *arg, struct node *node)
{
    sites_node_changed(((struct app *)arg)->sites, node);
}

static void
on_node_forget(void *arg, struct node *node)
{
    sites_node_forget(((struct app *)arg)->sites, node);
}

/* Up and down. */

static int
fetchers_create(struct app *app, const struct options *o)
{
    struct fetcher_options options = {.user_agent =
                                          "offload-coordinator/" OL_VERSION,
                                      .public_only = true,
                                      .allow = &o->allow,
                                      .max_active = APP_CONTROL_FETCHES};
    int rc = fetcher_create(app->loop, &options, &app->control);

    options.max_active = APP_SYNC_FETCHES;
    return rc != 0 ? rc : fetcher_create(app->loop, &options, &app->pusher);
}

/*
 * Of one server: each connection has a descriptor, and fetches, Redis and files
 * want some, or half of all where these are few.
 */
static unsigned
connections_max(unsigned servers)
{
    const rlim_t others = 2048;
    struct rlimit files;
    rlim_t left;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return APP_CONNECTIONS;
    left = files.rlim_cur > 2 * others ? files.rlim_cur - others
                                       : files.rlim_cur / 2;
    left /= servers;
    return left < APP_CONNECTIONS ? (unsigned)left : APP_CONNECTIONS;
}

static int
servers_create(struct app *app, int listen, int listen_tls,
               struct ol_error *err)
{
    const struct options *o = app->options;
    unsigned servers = listen_tls < 0 ? 1 : 2;
    struct httpd_options served = {
        .listen = o->listen,
        .listen_fd = &listen,
        .proxies = &o->proxies,
        .max_connections = connections_max(servers),
        .max_connections_per_address = CONNECTIONS_PER_ADDRESS,
        .max_body = APP_BODY_MAX,
        .idle_s = IDLE_S,
        .handler = api_handle,
        .arg = app,
    };
    int rc = httpd_create(app->loop, &served, &app->httpd, err);

    app->places = servers * served.max_connections;
    if (rc != 0 || listen_tls < 0)
        return rc;
    rc = tls_load(o->tls_cert, o->tls_key, err);
    if (rc != 0)
        return rc;
    served.listen = o->listen_tls;
    served.listen_fd = &listen_tls;
    served.tls = true;
    return httpd_create(app->loop, &served, &app->httpd_tls, err);
}

static void
tls_reload(struct app *app)
{
    const struct options *o = app->options;
    struct ol_error err;

    if (app->httpd_tls != NULL && o->tls_cert != NULL &&
        tls_load(o->tls_cert, o->tls_key, &err) != 0)
        log_error("the certificate stays as it is: %s", err.text);
}

void
app_on_reload(struct app *app, void (*reload)(struct app *app))
{
    size_t i = 0;

    while (app->reloads[i] != NULL)
        i++;
    assert(i + 1 < APP_RELOADS); /* the last one stays NULL */
    app->reloads[i] = reload;
}

void
app_reload(struct app *app)
{
    for (size_t i = 0; app->reloads[i] != NULL; i++)
        app->reloads[i](app);
}

static void
app_begin(struct app *app)
{
    TAILQ_INIT(&app->calls);
    places_init(&app->callbacks,
                REGISTRATION_CALLBACKS / app->options->workers);
    pace_init(&app->sources, seed_make(), APP_SOURCE_LIMIT);
    pace_init(&app->targets, seed_make(), APP_TARGET_LIMIT);
    refusals_init(seed_make());
    app_on_reload(app, tls_reload);
}

static void
choice_reload(struct app *app)
{
    nodes_reload(app->nodes);
}

/* By the operator's files. */
static int
choice_create(struct app *app, struct ol_error *err)
{
    int rc = admission_create(app->options, &app->admission, err);

    app_on_reload(app, choice_reload);
    return rc != 0 ? rc : geo_create(app->options->geoip, &app->geo, err);
}

int
app_start(struct app *app, int listen, int listen_tls, struct ol_error *err)
{
    const struct options *o = app->options;
    const struct store_events stored = {on_up, on_change, app};
    const struct nodes_events moved = {on_node_changed, on_node_forget, app};
    int rc;

    app_begin(app);
    rc = ol_key_load(o->key, &app->key, err);
    if (rc != 0)
        return rc;
    rc = choice_create(app, err);
    if (rc != 0)
        return rc;
    if (fetchers_create(app, o) != 0 || heartbeat_start(app) != 0 ||
        memory_start(app->loop, &app->memory) != 0 ||
        audits_create(app, &app->audits) != 0 ||
        nodes_create(app, &moved, &app->nodes) != 0 ||
        sites_create(app, &app->sites) != 0 ||
        status_create(app, &app->status) != 0 ||
        (o->tracker && tracker_create(app, &app->tracker) != 0))
        return ol_error_set(err, ENOMEM, "no memory");
    rc = store_create(app->loop, o->redis, &stored, &app->store, err);
    if (rc == 0 && app->udp_fd >= 0 &&
        udp_create(app, app->udp_fd, &app->udp) != 0)
        rc = ol_error_set(err, ENOMEM, "no memory");
    return rc != 0 ? rc : servers_create(app, listen, listen_tls, err);
}

/* The order matters: requests lose their clients, then the store calls back. */
void
app_stop(struct app *app)
{
    httpd_free(app->httpd);
    httpd_free(app->httpd_tls);
    app->httpd = app->httpd_tls = NULL;
    tls_unload();
    udp_free(app->udp);
    app->udp = NULL;
    sites_free(app->sites);
    store_free(app->store);
    tracker_free(app->tracker);
    app->tracker = NULL;
    calls_end(app);
    status_free(app->status);
    heartbeat_stop(app);
    memory_stop(app->memory);
    audits_free(app->audits);
    nodes_free(app->nodes);
    admission_free(app->admission);
    geo_free(app->geo);
    fetcher_free(app->control);
    fetcher_free(app->pusher);
    ol_key_free(app->key);
}

/* --test: all that can be known without serving. */
static int
options_test(const struct options *o)
{
    struct ol_error err = {""};
    struct app app = {.options = o};
    int rc = ol_key_load(o->key, &app.key, &err);

    ol_key_free(app.key);
    if (rc == 0 || rc == -ENOENT) /* it would be made */
        rc = store_url_check(o->redis, &err);
    if (rc == 0 && o->listen_tls != NULL)
        rc = tls_load(o->tls_cert, o->tls_key, &err);
    if (rc == 0)
        rc = choice_create(&app, &err);
    admission_free(app.admission);
    geo_free(app.geo);
    tls_unload();
    if (rc != 0)
        log_error("%s", err.text);
    return rc == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
    struct ol_error err = {""};
    static struct options o;
    int status = 0;

    if (argc > 1 && argv[1][0] != '-')
        return command_run(argc - 1, argv + 1);
    if (options_parse(argc, argv, &o, &err) != 0) {
        fprintf(stderr,
                "offload-coordinator: %s\n"
                "Try: offload-coordinator --help\n",
                err.text);
        return 2;
    }
    daemon_init();
    log_set_level(o.level);
    switch (o.what) {
    case OPTIONS_HELP:
        options_help(stdout);
        commands_help(stdout);
        break;
    case OPTIONS_VERSION:
        puts("offload-coordinator " OL_VERSION);
        break;
    case OPTIONS_TEST:
        status = options_test(&o);
        break;
    case OPTIONS_RUN:
        status = master_run(argc, argv, &o, worker_serve);
        break;
    }
    options_free(&o);
    return status;
}
