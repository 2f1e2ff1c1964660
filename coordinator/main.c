/*
 * offload-coordinator: sites and nodes meet here.  Makes the parts of the
 * process, connects their events, and takes them down again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "coordinator/api.h"
#include "coordinator/app.h"
#include "coordinator/call.h"
#include "coordinator/commands.h"
#include "coordinator/nodes/heartbeat.h"
#include "coordinator/nodes/nodes.h"
#include "coordinator/options.h"
#include "coordinator/sites/sites.h"
#include "coordinator/status/status.h"
#include "net/daemon.h"
#include "net/log.h"

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
app_may_call(struct app *app, const struct sockaddr *source, const char *target)
{
    int64_t now = app_ticks_ms();
    struct ol_addr addr;
    uint8_t prefix[16];
    size_t len;

    if (ol_addr_from_sockaddr(source, &addr) != 0)
        return false;
    len = pace_source(&addr, prefix);
    return pace_take(&app->sources, prefix, len, now) &&
           pace_take(&app->targets, target, strlen(target), now);
}

/* Events from part to part. */

static void
on_up(void *arg, bool fresh)
{
    struct app *app = arg;

    if (fresh)
        heartbeat_answer_all(app); /* they name the new store */
    nodes_refresh(app->nodes, fresh);
    sites_refresh(app->sites, fresh);
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

static int
app_start(struct app *app, const struct options *o, struct ol_error *err)
{
    const struct store_events stored = {on_up, on_change, app};
    const struct nodes_events moved = {on_node_changed, on_node_forget, app};
    const struct httpd_options served = {.listen = o->listen,
                                         .max_connections = APP_CONNECTIONS,
                                         .max_connections_per_address =
                                             CONNECTIONS_PER_ADDRESS,
                                         .max_body = APP_BODY_MAX,
                                         .idle_s = IDLE_S,
                                         .handler = api_handle,
                                         .arg = app};
    bool made;
    int rc;

    rc = daemon_key_open(o->key, &app->key, &made, err);
    if (rc != 0)
        return rc;
    if (made)
        log_info("made the key %s", o->key);
    if (fetchers_create(app, o) != 0 || heartbeat_start(app) != 0 ||
        nodes_create(app, &moved, &app->nodes) != 0 ||
        sites_create(app, &app->sites) != 0 ||
        status_create(app, &app->status) != 0)
        return ol_error_set(err, ENOMEM, "no memory");
    rc = store_create(app->loop, o->redis, &stored, &app->store, err);
    if (rc == 0)
        rc = httpd_create(app->loop, &served, &app->httpd, err);
    return rc;
}

/* The order matters: requests lose their clients, then the store calls back. */
static void
app_stop(struct app *app)
{
    httpd_free(app->httpd);
    app->httpd = NULL;
    sites_free(app->sites);
    store_free(app->store);
    calls_end(app);
    status_free(app->status);
    heartbeat_stop(app);
    nodes_free(app->nodes);
    fetcher_free(app->control);
    fetcher_free(app->pusher);
    ol_key_free(app->key);
}

struct process {
    struct app app;
    struct daemon_signals signals;
};

static void
on_signal(void *arg)
{
    struct process *process = arg;

    log_info("stopping");
    daemon_signals_stop(&process->signals);
    app_stop(&process->app);
}

static uint64_t
seed_make(void)
{
    return (uint64_t)app_random(0) << 32 | app_random(0);
}

static int
coordinator_run(const struct options *o)
{
    static struct process process;
    struct app *app = &process.app;
    struct ol_error err = {""};
    int rc;

    app->options = o;
    app->loop = uv_default_loop();
    TAILQ_INIT(&app->calls);
    pace_init(&app->sources, seed_make(), APP_SOURCE_LIMIT);
    pace_init(&app->targets, seed_make(), APP_TARGET_LIMIT);
    daemon_init();
    log_set_level(o->level);
    rc = app_start(app, o, &err);
    if (rc != 0) {
        log_error("%s", err.text);
        app_stop(app);
    } else {
        daemon_signals_start(&process.signals, app->loop, on_signal, &process);
        log_info("key id %s, public key %s", app_id(app), ol_key_x(app->key));
        log_info("ready: listening on http://%s", o->listen);
    }
    uv_run(app->loop, UV_RUN_DEFAULT);
    uv_loop_close(app->loop);
    return rc == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
    struct ol_error err = {""};
    struct options o;

    if (argc > 1 && argv[1][0] != '-')
        return command_run(argc - 1, argv + 1);
    if (options_parse(argc, argv, &o, &err) != 0) {
        fprintf(stderr,
                "offload-coordinator: %s\n"
                "Try: offload-coordinator --help\n",
                err.text);
        return 2;
    }
    if (o.what == OPTIONS_HELP) {
        options_help(stdout);
        commands_help(stdout);
    } else if (o.what == OPTIONS_VERSION) {
        puts("offload-coordinator " OL_VERSION);
    } else {
        return coordinator_run(&o);
    }
    return 0;
}
