/*
 * Who asks for the status page, how often it is read and rendered, and what a
 * browser may do with it.
 *
 * Must not know how it looks.
 */
#include "coordinator/status/status.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/call.h"
#include "coordinator/nodes/nodes.h"
#include "coordinator/nodes/standing.h"
#include "coordinator/options.h"
#include "coordinator/status/assets.h"
#include "coordinator/status/document.h"
#include "coordinator/status/exposition.h"
#include "coordinator/status/metrics.h"
#include "coordinator/status/page.h"
#include "coordinator/status/reading.h"

enum form { FORM_PAGE, FORM_DOCUMENT, FORM_METRICS, FORMS };

static char *(*const renderers[FORMS])(const struct view *view,
                                       size_t *ret_len) = {
    [FORM_PAGE] = page_render,
    [FORM_DOCUMENT] = document_render,
    [FORM_METRICS] = exposition_render,
};

const char *const view_states[VIEW_STATES] = {
    [VIEW_SERVING] = "serving",
    [VIEW_TRIAL] = "trial",
    [VIEW_DRAINING] = "draining",
    [VIEW_AWAY] = "away",
};

/* Rendered, until it is a second old. */
struct rendered {
    char *text;
    size_t len;
    int64_t at_ms; /* 0: not */
};

struct status {
    struct app *app;
    int64_t started_s;
    struct view_stored *stored; /* the last reading that succeeded */
    int64_t stored_ms;          /* 0: none */
    bool reading, failed;       /* failed: the last one */
    TAILQ_HEAD(waiting_list, waiting) waiting;
    uv_timer_t deadline, gauges;
    unsigned handles;
    struct rendered rendered[FORMS];
    struct view view; /* too large for the stack */
    struct view_node nodes[NODES_MAX];
};

/* A request that waits for a reading. */
struct waiting {
    struct call call;
    enum form form;
    TAILQ_ENTRY(waiting) link;
};

/* What this process knows itself. */

static const char *
trust_reason(const struct node *node)
{
    if (node->unlisted)
        return "not named until an audit succeeds";
    if (node->standing.facts.low > 0)
        return "sites or nodes complained";
    return node->trust < 1 ? "it is new" : "";
}

static struct view_node
node_view(const struct node *node)
{
    return (struct view_node){
        .id = node->id,
        .url = node->url,
        .zone = node->zone,
        .state = !node->alive     ? VIEW_AWAY
                 : node->draining ? VIEW_DRAINING
                 : node->unlisted ? VIEW_TRIAL
                                  : VIEW_SERVING,
        .reason = trust_reason(node),
        .rate = node->alive ? node->load_rate : 0,
        .rate_max = node->rate,
        .connections = node->alive ? node->load_connections : 0,
        .free = node->load_free,
        .capacity = node->capacity,
        .weight = node->standing.percent,
        .trust = (unsigned)lround(100 * node->trust),
        .audits_passed = node->standing.facts.passed,
        .audits_wrong = node->standing.wrong,
    };
}

/* Those that are there first, then the busiest, then by URL. */
static int
node_compare(const void *a, const void *b)
{
    const struct view_node *x = a, *y = b;
    int away = (x->state == VIEW_AWAY) - (y->state == VIEW_AWAY);

    if (away != 0)
        return away;
    if (x->rate != y->rate)
        return x->rate < y->rate ? 1 : -1;
    return strcmp(x->url, y->url);
}

static void
nodes_view(struct status *status, struct view *v)
{
    const struct node *node;
    size_t count = 0;

    for (node = nodes_first(status->app->nodes);
         node != NULL && count < NODES_MAX; node = nodes_next(node)) {
        if (node->number == 0 || node->excluded)
            continue;
        status->nodes[count] = node_view(node);
        v->rate += status->nodes[count].rate;
        v->node_alive += node->alive;
        v->node_states[status->nodes[count].state]++;
        count++;
    }
    qsort(status->nodes, count, sizeof(status->nodes[0]), node_compare);
    v->node_total = count;
    v->node_count = count < VIEW_NODES ? count : VIEW_NODES;
    memcpy(v->nodes, status->nodes, v->node_count * sizeof(v->nodes[0]));
}

/* Bans are known to all; whom the operator's list leaves out, here. */
static void
excluded_view(struct status *status, struct view *v)
{
    const struct view_stored *s = v->stored;
    const struct node *node;

    for (size_t i = 0; i < s->ban_count; i++) {
        node = nodes_find(status->app->nodes, s->bans[i].id);
        v->excluded[v->excluded_count++] = (struct view_excluded){
            .id = s->bans[i].id,
            .url = node == NULL || node->url == NULL ? "" : node->url,
            .reason = s->bans[i].reason,
            .by = s->bans[i].by,
            .since = s->bans[i].since,
        };
    }
    v->excluded_total = s->ban_total;
    for (node = nodes_first(status->app->nodes); node != NULL;
         node = nodes_next(node)) {
        if (node->number == 0 || !node->excluded || node->standing.ban != NULL)
            continue;
        v->excluded_total++;
        if (v->excluded_count < VIEW_EXCLUDED)
            v->excluded[v->excluded_count++] = (struct view_excluded){
                node->id, node->url, standing_reason(node), "operator", 0};
    }
}

static void
status_view(struct status *status)
{
    struct app *app = status->app;
    struct view *v = &status->view;

    *v = (struct view){
        .now_s = app_now(),
        .started_s = status->started_s,
        .version = OL_VERSION,
        .id = app_id(app),
        .key = ol_key_x(app->key),
        .store = store_id(app->store),
        .workers = app->options->workers,
        .redis_up = store_is_up(app->store),
        .stored = status->stored,
    };
    v->stale = !v->redis_up || status->failed || status->stored_ms == 0 ||
               app_ticks_ms() - status->stored_ms > 2 * STATUS_EVERY_MS;
    nodes_view(status, v);
    excluded_view(status, v);
}

/* Answers. */

/* Nothing is from elsewhere, nothing is in the page itself: what slips through
 * as markup does nothing. */
#define PAGE_POLICY                                                            \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; "         \
    "style-src 'self'; connect-src 'self'; base-uri 'none'; "                  \
    "form-action 'none'; frame-ancestors 'none'"
#define NO_SNIFF "X-Content-Type-Options: nosniff"

static void
form_send(struct http_request *request, enum form form,
          const struct rendered *rendered)
{
    static const char *const headers[FORMS][6] = {
        [FORM_PAGE] = {"Content-Type: text/html; charset=utf-8", PAGE_POLICY,
                       NO_SNIFF, "Referrer-Policy: no-referrer",
                       "Cache-Control: no-cache", NULL},
        [FORM_DOCUMENT] = {"Content-Type: application/json", NO_SNIFF,
                           "Cache-Control: no-cache", NULL},
        [FORM_METRICS] = {"Content-Type: text/plain; version=0.0.4",
                          "Cache-Control: no-cache", NULL},
    };

    if (rendered->text == NULL)
        reply_busy(request, "no memory");
    else
        http_reply(request, 200, headers[form], rendered->text, rendered->len);
}

static void
form_reply(struct status *status, struct http_request *request, enum form form)
{
    struct rendered *rendered = &status->rendered[form];
    int64_t now = app_ticks_ms();

    if (rendered->text == NULL || now - rendered->at_ms >= STATUS_EVERY_MS ||
        rendered->at_ms < status->stored_ms) {
        free(rendered->text);
        status_view(status);
        rendered->text = renderers[form](&status->view, &rendered->len);
        rendered->at_ms = now;
    }
    form_send(request, form, rendered);
}

/* All that wait get what there is. */
static void
waiting_answer(struct status *status)
{
    struct http_request *request;
    struct waiting *w;

    uv_timer_stop(&status->deadline);
    while ((w = TAILQ_FIRST(&status->waiting)) != NULL) {
        request = w->call.request;
        w->call.request = NULL;
        if (request != NULL)
            form_reply(status, request, w->form);
        call_end(&w->call);
    }
}

static void
waiting_release(struct call *call)
{
    struct waiting *w = (struct waiting *)call;

    TAILQ_REMOVE(&call->app->status->waiting, w, link);
}

static void
on_deadline(uv_timer_t *timer)
{
    struct status *status = timer->data;

    status->failed = true;
    waiting_answer(status);
}

/* Reading. */

static void
on_read(void *arg, int rc, struct view_stored *take)
{
    struct status *status = arg;

    status->reading = false;
    status->failed = rc != 0;
    if (rc == 0) {
        free(status->stored);
        status->stored = take;
        status->stored_ms = app_ticks_ms();
    }
    waiting_answer(status);
}

static bool
is_recent(const struct status *status)
{
    return status->stored_ms != 0 &&
           app_ticks_ms() - status->stored_ms < STATUS_EVERY_MS;
}

/* Whether there is a reading to wait for. */
static bool
reading_begin(struct status *status)
{
    if (status->reading)
        return true;
    status->reading =
        reading_start(status->app->store, app_now(), on_read, status) == 0;
    return status->reading;
}

/* While a reading takes too long, the next ones are not kept waiting. */
static void
form_request(struct app *app, struct http_request *request, enum form form)
{
    struct status *status = app->status;
    struct waiting *w;

    if (is_recent(status) || !reading_begin(status) || status->failed) {
        form_reply(status, request, form);
        return;
    }
    w = call_begin(app, request, sizeof(*w));
    if (w == NULL)
        return;
    w->form = form;
    w->call.release = waiting_release;
    TAILQ_INSERT_TAIL(&status->waiting, w, link);
    if (!uv_is_active((uv_handle_t *)&status->deadline))
        uv_timer_start(&status->deadline, on_deadline, STATUS_WAIT_MS, 0);
}

void
status_page(struct app *app, struct http_request *request)
{
    form_request(app, request, FORM_PAGE);
}

void
status_document(struct app *app, struct http_request *request)
{
    form_request(app, request, FORM_DOCUMENT);
}

void
status_metrics(struct app *app, struct http_request *request)
{
    struct ol_addr client;

    http_client(request, &client);
    if (ol_cidrs_contain(&app->options->admins, &client))
        form_request(app, request, FORM_METRICS);
    else
        reply_error(request, 403,
                    "metrics are for the operator's networks (--admin-net)");
}

/* Files. */

static void
asset_send(struct http_request *request, enum asset asset, const char *type)
{
    const char *const headers[] = {type, NO_SNIFF, "Cache-Control: no-cache",
                                   NULL};
    size_t len;
    const char *text = asset_text(asset, &len);

    http_reply(request, 200, headers, text, len);
}

void
status_script(struct app *app, struct http_request *request)
{
    (void)app;
    asset_send(request, ASSET_SCRIPT,
               "Content-Type: text/javascript; charset=utf-8");
}

void
status_style(struct app *app, struct http_request *request)
{
    (void)app;
    asset_send(request, ASSET_STYLE, "Content-Type: text/css; charset=utf-8");
}

/* What each worker says of itself, whichever is asked. */
static void
on_gauges(uv_timer_t *timer)
{
    const struct app *app = ((struct status *)timer->data)->app;
    unsigned count = 0;

    if (app->httpd != NULL)
        count += httpd_connections(app->httpd);
    if (app->httpd_tls != NULL)
        count += httpd_connections(app->httpd_tls);
    metrics_set(M_CONNECTIONS, count);
}

/* Creation. */

int
status_create(struct app *app, struct status **ret)
{
    struct status *status = calloc(1, sizeof(*status));

    if (status == NULL ||
        (status->stored = calloc(1, sizeof(*status->stored))) == NULL) {
        free(status);
        return -ENOMEM;
    }
    status->app = app;
    status->started_s = app_now();
    TAILQ_INIT(&status->waiting);
    uv_timer_init(app->loop, &status->deadline);
    uv_timer_init(app->loop, &status->gauges);
    status->deadline.data = status->gauges.data = status;
    status->handles = 2;
    uv_timer_start(&status->gauges, on_gauges, STATUS_EVERY_MS,
                   STATUS_EVERY_MS);
    *ret = status;
    return 0;
}

static void
on_closed(uv_handle_t *handle)
{
    struct status *status = handle->data;

    if (--status->handles == 0)
        free(status);
}

void
status_free(struct status *status)
{
    if (status == NULL)
        return;
    for (size_t i = 0; i < FORMS; i++)
        free(status->rendered[i].text);
    free(status->stored);
    uv_close((uv_handle_t *)&status->deadline, on_closed);
    uv_close((uv_handle_t *)&status->gauges, on_closed);
}
