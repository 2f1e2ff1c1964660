/*
 * The coordinator's routes: method and path to the part that answers.
 *
 * Must not know what the parts do.
 */
#include "coordinator/api.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/call.h"
#include "coordinator/ledger/show.h"
#include "coordinator/nodes/heartbeat.h"
#include "coordinator/sites/join.h"
#include "coordinator/contents/peers.h"
#include "coordinator/nodes/node_show.h"
#include "coordinator/nodes/registration.h"
#include "coordinator/refusals.h"
#include "coordinator/status/metrics.h"
#include "coordinator/status/status.h"
#include "coordinator/tracker/tracker.h"

#define API_LATE_MS 500 /* the loop has been busy for so long */

static void
health_show(struct app *app, struct http_request *request)
{
    bool up = store_is_up(app->store);

    reply_json(request, up ? 200 : 503,
               json_pack("{s:s, s:s}", "status", up ? "ok" : "degraded",
                         "redis", up ? "ok" : "away"));
}

static void
key_show(struct app *app, struct http_request *request)
{
    static const char *const headers[] = {
        "Content-Type: application/jwk-set+json", "Cache-Control: no-cache",
        NULL};
    json_t *set = json_pack("{s:[o]}", "keys", ol_key_to_jwk(app->key));
    char *text = set == NULL ? NULL : json_dumps(set, JSON_COMPACT);

    json_decref(set);
    if (text == NULL)
        reply_busy(request, "no memory");
    else
        http_reply(request, 200, headers, text, strlen(text));
    free(text);
}

/* Of what came at once, the last one has waited for all before it. */
static bool
api_late(const struct app *app)
{
    return uv_hrtime() / 1000000 > uv_now(app->loop) + API_LATE_MS;
}

/*
 * What waits for Redis or a foreign server is put off while too much waits
 * already.  Held heartbeats are no load, they only leave fewer places.
 */
static bool
api_crowded(const struct app *app)
{
    unsigned held = heartbeat_held(app), busy = httpd_busy(app->httpd);

    if (api_late(app))
        return true;
    if (app->httpd_tls != NULL)
        busy += httpd_busy(app->httpd_tls);
    if (held > busy) /* clients have gone meanwhile */
        held = busy;
    return busy - held > (app->places - held) / 4 * 3 ||
           (store_is_up(app->store) && !store_has_room(app->store));
}

static const struct route {
    const char *method, *path;
    void (*handle)(struct app *app, struct http_request *request);
    bool waits; /* refused in a crowd */
} routes[] = {
    {"GET", "/", status_page, false},
    {"GET", "/status.css", status_style, false},
    {"GET", "/status.js", status_script, false},
    {"GET", "/metrics", status_metrics, false},
    {"GET", "/v1/status", status_document, false},
    {"GET", "/healthz", health_show, false},
    {"GET", "/v1/key", key_show, false},
    {"GET", "/announce", tracker_http_announce, false},
    {"GET", "/scrape", tracker_http_scrape, false},
    {"POST", "/v1/sites", join_request, true},
    {"POST", "/v1/nodes", registration_request, true},
    {"POST", "/v1/nodes/heartbeat", heartbeat_request, true},
    {"GET", "/v1/ledger", ledger_request, true},
};

/* Whether a message of this client is worth reading. */
static bool
api_listens(const struct http_request *request)
{
    struct ol_addr from;

    http_client(request, &from);
    return refusals_allow(&from, (uint32_t)(app_ticks_ms() / 1000));
}

static bool
method_is(struct http_request *request, const char *want)
{
    const char *method = http_method(request);

    return strcmp(method, want) == 0 ||
           (strcmp(want, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void
method_refuse(struct http_request *request, const char *allowed)
{
    char allow[32], body[64];
    const char *const headers[] = {allow, "Content-Type: application/json",
                                   NULL};
    int len;

    snprintf(allow, sizeof(allow), "Allow: %s", allowed);
    len = snprintf(body, sizeof(body), "{\"error\":\"only %s is allowed\"}",
                   allowed);
    http_reply(request, 405, headers, body, (size_t)len);
}

/* What stands between prefix and suffix, NULL if the path is another. */
static const char *
path_between(const char *path, const char *prefix, const char *suffix,
             size_t *ret_len)
{
    size_t len = strlen(path), head = strlen(prefix), tail = strlen(suffix);

    if (len < head + tail || strncmp(path, prefix, head) != 0 ||
        strcmp(path + len - tail, suffix) != 0)
        return NULL;
    *ret_len = len - head - tail;
    return path + head;
}

void
api_handle(struct http_request *request, void *arg)
{
    struct app *app = arg;
    const char *path = http_path(request), *name;
    size_t len;

    metrics_add(M_REQUESTS, 1);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(path, routes[i].path) != 0)
            continue;
        if (!method_is(request, routes[i].method))
            method_refuse(request, routes[i].method);
        else if (routes[i].waits && api_crowded(app))
            reply_busy(request, "too many requests at once");
        else if (strcmp(routes[i].method, "POST") == 0 && !api_listens(request))
            reply_slow(request, "too many messages from there were refused");
        else
            routes[i].handle(app, request);
        return;
    }
    if (api_crowded(app)) {
        reply_busy(request, "too many requests at once");
        return;
    }
    if ((name = path_between(path, "/v1/content/", "/peers", &len)) != NULL) {
        if (method_is(request, "GET"))
            peers_request(app, request, name, len, http_query(request));
        else
            method_refuse(request, "GET");
    } else if ((name = path_between(path, "/v1/nodes/", "/ledger", &len)) !=
               NULL) {
        if (method_is(request, "GET"))
            ledger_node_request(app, request, name, len);
        else
            method_refuse(request, "GET");
    } else if ((name = path_between(path, "/v1/sites/", "", &len)) != NULL) {
        if (method_is(request, "GET"))
            site_show(app, request, name);
        else
            method_refuse(request, "GET");
    } else if ((name = path_between(path, "/v1/nodes/", "", &len)) != NULL &&
               strchr(name, '/') == NULL) {
        if (method_is(request, "GET"))
            node_show(app, request, name);
        else
            method_refuse(request, "GET");
    } else {
        reply_error(request, 404, "nothing is at this path");
    }
}
