/*
 * offload-node: keeps, checks and serves files for sites that use Offload.
 *
 * Owns: the story from command line to exit.  Start: options, key, store,
 * contents, network, server.  End: no new requests, those under way finish or
 * are cut after STOP_MS, everything is written down, exit 0.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/log.h"
#include "node/intake.h"
#include "node/links.h"
#include "node/node.h"
#include "node/prefetch.h"
#include "node/pull.h"
#include "node/rate.h"
#include "node/serve.h"
#include "node/served.h"
#include "node/tickets.h"
#include "node/withdrawal.h"

#define STOP_MS 5000 /* for requests under way when the signal comes */
#define STOP_TICK_MS 20
#define CONNECTIONS 1024
#define CONNECTIONS_PER_ADDRESS 512

static struct node node;
static struct daemon_signals signals;
static uv_signal_t drain_signal;
static uv_timer_t stop_timer;
static unsigned stop_ticks;
static bool cut; /* what was under way has ended */
static int exit_status;

/* The end */

static void
on_flushed(void *arg, bool ok)
{
    (void)arg;
    if (ok && store_close_clean(node.store) != 0)
        ok = false;
    if (!ok) {
        log_error("storage: not all could be written down; pieces will be "
                  "checked before they are used again");
        exit_status = 1;
    }
    contents_free(node.contents);
    sites_free(node.sites);
    fetcher_free(node.strangers);
    fetcher_free(node.trusted);
    rate_free(node.rate);
    uv_close((uv_handle_t *)&stop_timer, NULL);
}

/* Nothing may ask for pieces any more. */
static void
cut_all(void)
{
    cut = true;
    httpd_free(node.httpd);
    prefetch_stop(node.prefetch);
    withdrawals_stop(node.withdrawals);
    intake_stop(node.intake);
    puller_stop(node.puller);
}

static void
on_stop_tick(uv_timer_t *timer)
{
    bool late = ++stop_ticks * STOP_TICK_MS >= STOP_MS;

    if (!cut && node.requests > 0 && !late)
        return;
    if (!cut)
        cut_all();
    if (node.jobs.active > 0)
        return;
    uv_timer_stop(timer);
    contents_flush(node.contents, on_flushed, NULL);
}

static void
on_signal(void *arg)
{
    (void)arg;
    log_info("stopping: %u requests under way", node.requests);
    daemon_signals_stop(&signals);
    uv_close((uv_handle_t *)&drain_signal, NULL);
    links_stop(node.links);
    httpd_quiesce(node.httpd);
    uv_timer_start(&stop_timer, on_stop_tick, 0, STOP_TICK_MS);
}

/* The node is going to stop, some time. */
static void
on_drain(uv_signal_t *handle, int signum)
{
    (void)handle;
    (void)signum;
    log_info("draining: coordinators are told to place nothing new here; what "
             "is here is served on");
    links_drain(node.links);
}

/* The start */

static void
on_changed(void *arg, struct content *content, bool dropped)
{
    (void)arg;
    if (dropped)
        links_dropped(node.links, content);
    else
        links_kick(node.links);
}

static char *
dump_released(void *arg, uint16_t coordinators)
{
    (void)arg;
    return links_dump(node.links, coordinators);
}

static int
open_store(struct ol_error *err)
{
    char path[4096];
    bool made, clean;
    int rc = store_create(node.options.storage, &node.store, &clean, err);

    if (rc != 0)
        return rc;
    snprintf(path, sizeof(path), "%s/node.pem", node.options.storage);
    rc = daemon_key_open(node.options.key_file != NULL ? node.options.key_file
                                                       : path,
                         &node.key, &made, err);
    if (rc != 0)
        return rc;
    if (made)
        log_info("made a new key");
    if (!clean)
        log_info("storage: the last run was cut short; pieces are checked "
                 "before they are served");
    return 0;
}

static int
open_network(void)
{
    struct fetcher_options guarded = {.user_agent = "offload-node/" OL_VERSION,
                                      .public_only = true,
                                      .allow = &node.options.allow};
    struct fetcher_options open = {.user_agent = "offload-node/" OL_VERSION};
    int rc = fetcher_create(node.loop, &guarded, &node.strangers);

    if (rc == 0)
        rc = fetcher_create(node.loop, &open, &node.trusted);
    if (rc == 0)
        rc = sites_create(node.loop, node.strangers, &node.sites);
    return rc;
}

static int
make_served(void)
{
    uint8_t epoch[SERVED_EPOCH_BYTES];
    int rc = uv_random(NULL, NULL, epoch, sizeof(epoch), 0, NULL);

    return rc != 0 ? rc : served_create(epoch, &node.served);
}

static int
make_parts(void)
{
    struct contents_options options = {.store = node.store,
                                       .jobs = &node.jobs,
                                       .limit = node.options.size,
                                       .changed = on_changed,
                                       .dump_released = dump_released};
    struct contents_loader loader = {links_bits, links_parse, NULL};
    int rc = links_create(&node, &node.links);

    loader.arg = node.links;

    if (rc == 0)
        rc = make_served();
    if (rc == 0)
        rc = rate_create(node.loop, node.options.rate, &node.rate);
    if (rc == 0)
        rc = contents_create(node.loop, &options, &node.contents);
    if (rc == 0)
        rc = contents_load(node.contents, &loader);
    if (rc == 0)
        rc = open_network();
    if (rc == 0)
        rc = tickets_create(&node.tickets);
    if (rc == 0)
        rc = puller_create(&node, &node.puller);
    if (rc == 0)
        rc = prefetch_create(&node, &node.prefetch);
    if (rc == 0)
        rc = withdrawals_create(&node, &node.withdrawals);
    if (rc == 0)
        rc = intake_create(&node, &node.intake);
    return rc;
}

/* A server in front that does TLS brings all clients from one address. */
static int
listen_now(struct ol_error *err)
{
    static struct ol_cidrs front;
    struct httpd_options options = {.listen = node.options.listen,
                                    .proxies = &front,
                                    .max_connections = CONNECTIONS,
                                    .max_connections_per_address =
                                        CONNECTIONS_PER_ADDRESS,
                                    .handler = serve_request,
                                    .arg = &node};

    ol_cidrs_add(&front, "127.0.0.0/8", NULL);
    ol_cidrs_add(&front, "::1", NULL);
    return httpd_create(node.loop, &options, &node.httpd, err);
}

static int
start(struct ol_error *err)
{
    int rc;

    node.loop = uv_default_loop();
    node.jobs.loop = node.loop;
    rc = open_store(err);
    if (rc != 0)
        return rc;
    rc = make_parts();
    if (rc != 0)
        return ol_error_set(err, -rc, "cannot start: %s", strerror(-rc));
    rc = listen_now(err);
    if (rc != 0)
        return rc;
    uv_timer_init(node.loop, &stop_timer);
    rc = daemon_signals_start(&signals, node.loop, on_signal, NULL);
    if (rc != 0)
        return ol_error_set(err, -rc, "cannot watch for signals");
    uv_signal_init(node.loop, &drain_signal);
    uv_signal_start(&drain_signal, on_drain, SIGUSR1);
    links_start(node.links);
    return 0;
}

static void
free_parts(void)
{
    intake_free(node.intake);
    withdrawals_free(node.withdrawals);
    prefetch_free(node.prefetch);
    puller_free(node.puller);
    tickets_free(node.tickets);
    links_free(node.links);
    served_free(node.served);
    store_free(node.store);
    ol_key_free(node.key);
}

int
main(int argc, char **argv)
{
    struct ol_error err = {""};
    int rc = options_parse(argc, argv, &node.options);

    if (rc >= 0)
        return rc;
    log_set_level(node.options.log_level);
    daemon_init();
    if (start(&err) != 0) {
        log_error("%s", err.text);
        return 1;
    }
    log_info("node %s holds %u contents, %llu bytes free", ol_key_id(node.key),
             (unsigned)contents_count(node.contents),
             (unsigned long long)contents_free_bytes(node.contents));
    if (node.options.coordinator_count == 0)
        log_warn("no --coordinator: nothing will be assigned to this node");
    log_info("ready: listening on http://%.*s:%u",
             (int)(strrchr(node.options.listen, ':') - node.options.listen),
             node.options.listen, (unsigned)httpd_port(node.httpd));
    uv_run(node.loop, UV_RUN_DEFAULT);
    uv_loop_close(node.loop);
    free_parts();
    return exit_status;
}
