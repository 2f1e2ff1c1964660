/*
 * The life of a worker: its start, options that are read again, and its end,
 * at which nobody who has asked is left without an answer.
 *
 * SIGTERM: it answers what is asked, held requests at once, and goes.  SIGQUIT
 * (others have taken its place): the same, but whoever has a connection still
 * may use it for some seconds.  Must not know what the parts do.
 */
#include "coordinator/worker.h"

#include <signal.h>
#include <string.h>

#include "coordinator/app.h"
#include "coordinator/nodes/heartbeat.h"
#include "coordinator/status/metrics.h"
#include "net/daemon.h"
#include "net/log.h"

#define STOP_TICK_MS 20
#define RETIRE_MS 2000 /* for connections without a request */

static struct worker {
    struct app app;
    const struct master_worker *given;
    struct options *options;
    uv_signal_t terminate, interrupt, quit, again;
    uv_timer_t stopping;
    bool stop;
    int64_t idle_until_ms, until_ms;
} worker;

/*
 * Handlers of signals stay to the very end, and the loop open for them: libuv
 * leaves a closed one's signal to the system, which would kill this process.
 */
static void
worker_end(void)
{
    uv_unref((uv_handle_t *)&worker.terminate);
    uv_unref((uv_handle_t *)&worker.interrupt);
    uv_unref((uv_handle_t *)&worker.quit);
    uv_unref((uv_handle_t *)&worker.again);
    uv_close((uv_handle_t *)&worker.stopping, NULL);
    app_stop(&worker.app);
}

static bool
server_done(struct httpd *httpd, bool idle_too)
{
    return httpd == NULL || (httpd_busy(httpd) == 0 &&
                             (idle_too || httpd_connections(httpd) == 0));
}

static void
on_stopping(uv_timer_t *timer)
{
    struct app *app = &worker.app;
    int64_t now = app_ticks_ms();
    bool idle_too = now >= worker.idle_until_ms;

    (void)timer;
    heartbeat_answer_all(app);
    if (now >= worker.until_ms || (server_done(app->httpd, idle_too) &&
                                   server_done(app->httpd_tls, idle_too)))
        worker_end();
}

static void
stop_begin(int64_t idle_ms)
{
    struct app *app = &worker.app;
    int64_t now = app_ticks_ms();

    worker.idle_until_ms = now + idle_ms;
    if (worker.stop)
        return;
    worker.stop = true;
    worker.until_ms = now + APP_STOP_MS;
    httpd_quiesce(app->httpd);
    if (app->httpd_tls != NULL)
        httpd_quiesce(app->httpd_tls);
    heartbeat_answer_all(app);
    uv_timer_start(&worker.stopping, on_stopping, 0, STOP_TICK_MS);
}

static void
on_stop(uv_signal_t *handle, int signum)
{
    (void)handle;
    stop_begin(signum == SIGQUIT ? RETIRE_MS : 0);
}

static void
on_fixed(const char *name)
{
    (void)name; /* the master has said so */
}

static void
on_again(uv_signal_t *handle, int signum)
{
    const struct master_worker *given = worker.given;
    struct options next;

    (void)handle;
    (void)signum;
    if (worker.stop ||
        options_parse(given->argc, given->argv, &next, NULL) != 0)
        return;
    options_update(worker.options, &next, on_fixed);
    log_set_level(worker.options->level);
    app_reload(&worker.app);
}

static void
signals_start(void)
{
    uv_loop_t *loop = worker.app.loop;

    uv_signal_init(loop, &worker.terminate);
    uv_signal_init(loop, &worker.interrupt);
    uv_signal_init(loop, &worker.quit);
    uv_signal_init(loop, &worker.again);
    uv_timer_init(loop, &worker.stopping);
    uv_signal_start(&worker.terminate, on_stop, SIGTERM);
    uv_signal_start(&worker.interrupt, on_stop, SIGINT);
    uv_signal_start(&worker.quit, on_stop, SIGQUIT);
    uv_signal_start(&worker.again, on_again, SIGHUP);
    master_signals_allow();
}

int
worker_serve(const struct master_worker *given, struct options *o)
{
    struct app *app = &worker.app;
    struct ol_error err = {""};
    int rc;

    worker.given = given;
    worker.options = o;
    app->options = o;
    app->worker = given->number;
    app->udp_fd = given->udp;
    app->loop = uv_default_loop();
    metrics_worker(given->number);
    daemon_init();
    rc = app_start(app, given->listen, given->listen_tls, &err);
    if (rc != 0) {
        log_error("%s", err.text);
        app_stop(app);
    } else {
        signals_start();
        master_tell_ready(given);
    }
    uv_run(app->loop, UV_RUN_DEFAULT);
    return rc == 0 ? 0 : 1;
}
