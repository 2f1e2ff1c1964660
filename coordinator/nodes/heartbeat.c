/*
 * POST /v1/nodes/heartbeat: decode, check against the node's key, store life
 * and holdings, answer with assignments; held until there are any, at most as
 * long as the node wants.
 *
 * Must not know placement or sites.  A node's struct is looked up again after
 * each wait, since it may have been forgotten.
 */
#include "coordinator/nodes/heartbeat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "coordinator/call.h"
#include "coordinator/ledger/ledger.h"
#include "coordinator/nodes/message.h"
#include "coordinator/nodes/nodes.h"
#include "coordinator/nodes/standing.h"
#include "coordinator/status/metrics.h"
#include "coordinator/store/standing.h"
#include "net/log.h"
#include "offload/encoding.h"
#include "offload/jws.h"

struct beat {
    struct call call;
    char id[OL_KEY_CHARS + 1];
    bool loaded; /* the node was looked up in the store */
    uint64_t seq;
    int64_t until_ms;                  /* held until then */
    struct message_heartbeat *message; /* NULL: it is stored */
    struct ol_jws jws;                 /* what message borrows from */
    bool reading, again, held;
    json_t *assign;
    TAILQ_ENTRY(beat) link;
};

/* Heartbeats that are held; one a node, so at most NODES_MAX. */
struct beats {
    const struct app *app;
    TAILQ_HEAD(beat_list, beat) held;
    unsigned count;
    int64_t warned_ms; /* 0: never */
    uv_timer_t tick;
};

static void beat_decide(struct beat *beat);
static void beat_read(struct beat *beat);

static void
beat_unhold(struct beat *beat)
{
    struct node *node = nodes_find(beat->call.app->nodes, beat->id);

    if (!beat->held)
        return;
    beat->held = false;
    TAILQ_REMOVE(&beat->call.app->beats->held, beat, link);
    beat->call.app->beats->count--;
    if (node != NULL && node->held == beat)
        node->held = NULL;
}

/* Many are held: of those nothing is kept that has been stored. */
static void
beat_forget(struct beat *beat)
{
    if (beat->message != NULL)
        message_heartbeat_clear(beat->message);
    free(beat->message);
    beat->message = NULL;
    ol_jws_clear(&beat->jws);
}

static void
beat_release(struct call *call)
{
    struct beat *beat = (struct beat *)call;

    beat_unhold(beat);
    beat_forget(beat);
    json_decref(beat->assign);
}

/* Load and claims are as old as this, so it is short while nodes are few. */
static int
next_ms(const struct app *app)
{
    unsigned ms = app->beats->count * HEARTBEAT_EACH_MS;

    return ms < HEARTBEAT_MIN_MS ? HEARTBEAT_MIN_MS
           : ms > HEARTBEAT_MS   ? HEARTBEAT_MS
                                 : (int)ms;
}

/* Answers; the call ends when nothing is being read for it any more. */
static void
beat_answer(struct beat *beat, json_t *release)
{
    struct app *app = beat->call.app;
    int64_t now = app_now();
    size_t len = 0;
    char *token = NULL;
    json_t *answer;

    answer = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:i, s:o, s:o}", "iss",
                       app_id(app), "aud", beat->id, "iat", (json_int_t)now,
                       "exp", (json_int_t)(now + APP_JWS_LIFE_S), "seq",
                       (json_int_t)beat->seq, "store", store_id(app->store),
                       "next", next_ms(app), "assign",
                       beat->assign != NULL ? beat->assign : json_array(),
                       "release", release != NULL ? release : json_array());
    beat->assign = NULL;
    if (answer == NULL ||
        ol_jws_sign(app->key, OL_TYP_ASSIGN, answer, &token, &len) != 0)
        call_busy(&beat->call, "no memory");
    else
        call_jwt(&beat->call, token, len);
    free(token);
    json_decref(answer);
    beat_unhold(beat);
    if (!beat->reading)
        call_end(&beat->call);
}

/* What there is to tell. */

static void
on_released(void *arg, int rc, const char *const *roots, size_t count)
{
    struct beat *beat = arg;
    json_t *release = json_array();

    beat->reading = false;
    for (size_t i = 0; i < count && rc == 0; i++)
        json_array_append_new(release, json_string(roots[i]));
    if (beat->call.request != NULL) {
        beat_answer(beat, release);
        return;
    }
    json_decref(release); /* the node lists them again, then it is told again */
    call_end(&beat->call);
}

/* Releases wait for an answer; they are no reason for one. */
static void
beat_finish(struct beat *beat)
{
    beat_unhold(beat);
    if (store_released(beat->call.app->store, beat->id, on_released, beat) == 0)
        beat->reading = true;
    else
        beat_answer(beat, NULL);
}

static void
beat_hold(struct beat *beat, struct node *node)
{
    json_decref(beat->assign);
    beat->assign = NULL;
    if (node->held != NULL && node->held != beat)
        beat_answer(node->held, NULL);
    if (!beat->held) {
        beat->held = true;
        node->held = beat;
        TAILQ_INSERT_TAIL(&beat->call.app->beats->held, beat, link);
        beat->call.app->beats->count++;
    }
    if (beat->again)
        beat_read(beat);
}

static void
on_assigned(void *arg, int rc, const char *const *texts, size_t count)
{
    struct beat *beat = arg;
    struct node *node = nodes_find(beat->call.app->nodes, beat->id);

    beat->reading = false;
    if (beat->call.request == NULL) { /* answered meanwhile */
        call_end(&beat->call);
        return;
    }
    if (rc != 0) { /* nor may what it said have got there */
        call_busy(&beat->call, "the store is away");
        call_end(&beat->call);
        return;
    }
    beat->assign = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(beat->assign, json_loads(texts[i], 0, NULL));
    if (json_array_size(beat->assign) > 0 || node == NULL ||
        app_ticks_ms() >= beat->until_ms)
        beat_finish(beat);
    else
        beat_hold(beat, node);
}

static void
beat_read(struct beat *beat)
{
    struct app *app = beat->call.app;

    beat->again = beat->reading;
    if (beat->reading)
        return;
    if (store_assigned(app->store, beat->id, app_now_ms(), HEARTBEAT_REPEAT_MS,
                       on_assigned, beat) == 0) {
        beat->reading = true;
        return;
    }
    call_busy(&beat->call, "the store is away");
    call_end(&beat->call);
}

/* What the node said. */

static void
holdings_store(struct beat *beat)
{
    struct message_heartbeat *m = beat->message;
    struct store *store = beat->call.app->store;
    const char *roots[MESSAGE_HOLDINGS];
    int64_t now = app_now();

    for (size_t i = 0; i < m->holding_count; i++) {
        roots[i] = m->holdings[i].root;
        store_hold(store, roots[i], beat->id, m->holdings[i].bitmap, now);
    }
    store_settle(store, beat->id, roots, m->holding_count);
    for (size_t i = 0; i < m->dropped_count; i++)
        store_drop(store, m->dropped[i], beat->id);
}

/* Whoever is banned accuses nobody. */
static void
wrong_store(struct beat *beat)
{
    struct message_heartbeat *m = beat->message;
    struct app *app = beat->call.app;

    for (size_t i = 0; i < m->wrong_count; i++)
        if (strcmp(m->wrong[i].id, beat->id) != 0 &&
            nodes_find(app->nodes, m->wrong[i].id) != NULL)
            store_node_accused(app->store, m->wrong[i].id, beat->id, app_now());
}

static void
beat_booked(struct beat *beat)
{
    struct message_heartbeat *m = beat->message;
    struct app *app = beat->call.app;
    const struct store_node load = {.load_rate = m->rate,
                                    .load_connections = m->connections,
                                    .load_free = m->free};
    struct node *node = nodes_find(app->nodes, beat->id);
    bool same_store = strcmp(m->store, store_id(app->store)) == 0;

    if (node == NULL) {
        call_busy(&beat->call, "the store is being replaced");
        call_end(&beat->call);
        return;
    }
    metrics_add(M_HEARTBEATS, 1);
    nodes_beat(app->nodes, node, &load);
    nodes_drain(app->nodes, node, m->drain);
    wrong_store(beat);
    if (node->held != NULL)
        beat_answer(node->held, NULL);
    holdings_store(beat);
    beat->until_ms = same_store ? app_ticks_ms() + (int64_t)m->wait_ms : 0;
    beat_forget(beat);
    beat_read(beat);
}

static void
on_claimed(void *arg, int rc)
{
    struct beat *beat = arg;

    if (rc == 0) {
        beat_booked(beat);
        return;
    }
    call_busy(&beat->call, "the store is away");
    call_end(&beat->call);
}

/* The answer acknowledges the claims, so they are in the ledger before. */
static void
beat_accepted(struct beat *beat)
{
    const struct message_heartbeat *m = beat->message;

    if (m->served_count == 0)
        beat_booked(beat);
    else if (ledger_claim(beat->call.app, beat->id, m->epoch, m->served,
                          m->served_count, on_claimed, beat) != 0)
        on_claimed(beat, -ENOTCONN);
}

static void
on_beat(void *arg, int rc, uint64_t value)
{
    struct beat *beat = arg;

    if (rc == 0) {
        beat_accepted(beat);
        return;
    }
    if (rc == -ESTALE)
        call_json(&beat->call, 409,
                  json_pack("{s:s, s:I}", "error",
                            "seq: not above the last one, go on from there",
                            "seq", (json_int_t)value));
    else if (rc == -ENOENT)
        call_error(&beat->call, 404, "this node is unknown: register again");
    else
        call_busy(&beat->call, "the store is away");
    call_end(&beat->call);
}

static void
on_loaded(void *arg, int rc, const struct store_node *from)
{
    struct beat *beat = arg;
    struct app *app = beat->call.app;
    struct node *node = NULL;

    if (rc == 0)
        node = nodes_intern(app->nodes, beat->id);
    if (node != NULL && beat->call.request != NULL) {
        nodes_update(app->nodes, node, from);
        beat_decide(beat);
        return;
    }
    if (rc == -ENOENT)
        call_error(&beat->call, 404, "this node is unknown: register first");
    else
        call_busy(&beat->call,
                  rc == 0 ? "too many nodes are known" : "the store is away");
    call_end(&beat->call);
}

/* The signature first, then what the message says. */
static int
beat_check(struct beat *beat, const struct node *node, struct ol_error *err)
{
    const struct ol_keyset keys = {.count = 1, .keys = {node->key}};
    const struct app *app = beat->call.app;
    const char *token;
    size_t len;
    int rc;

    token = http_body(beat->call.request, &len);
    rc = ol_jws_open(token, len, OL_TYP_HEARTBEAT, &keys, &beat->jws, err);
    if (rc == 0)
        rc = message_claims(beat->jws.payload, node->id, app_id(app), app_now(),
                            err);
    http_body_drop(beat->call.request);
    if (rc != 0)
        return rc;
    beat->message = calloc(1, sizeof(*beat->message));
    if (beat->message == NULL)
        return -ENOMEM;
    return message_heartbeat(beat->jws.payload, beat->message, err);
}

static void
beat_decide(struct beat *beat)
{
    struct app *app = beat->call.app;
    struct node *node = nodes_find(app->nodes, beat->id);
    struct store_node load = {.id = beat->id};
    struct ol_error err = {""};
    int rc;

    if (node == NULL || node->key == NULL) {
        rc = beat->loaded
                 ? -ENOTCONN
                 : store_node_load(app->store, beat->id, on_loaded, beat);
        beat->loaded = true;
        if (rc == 0)
            return;
        call_busy(&beat->call, "the store is away");
        call_end(&beat->call);
        return;
    }
    rc = beat_check(beat, node, &err);
    if (rc != 0) {
        call_error(&beat->call, rc == -ETIME || rc == -EKEYREJECTED ? 401 : 400,
                   "heartbeat: %s", err.text);
        call_end(&beat->call);
        return;
    }
    if (node->excluded) {
        call_error(&beat->call, 403, "this node is excluded: %s",
                   standing_reason(node));
        call_end(&beat->call);
        return;
    }
    beat->seq = load.seq = beat->message->seq;
    load.load_rate = beat->message->rate;
    load.load_connections = beat->message->connections;
    load.load_free = beat->message->free;
    load.load_drain = beat->message->drain;
    if (store_node_beat(app->store, &load, on_beat, beat) != 0) {
        call_busy(&beat->call, "the store is away");
        call_end(&beat->call);
    }
}

void
heartbeat_request(struct app *app, struct http_request *request)
{
    char kid[OL_KEY_CHARS + 1];
    struct ol_error err = {""};
    struct beat *beat;
    const char *token;
    size_t len;

    token = http_body(request, &len);
    if (ol_jws_kid(token, len, OL_TYP_HEARTBEAT, kid, &err) != 0) {
        reply_error(request, 400, "heartbeat: %s", err.text);
        return;
    }
    beat = call_begin(app, request, sizeof(*beat));
    if (beat == NULL)
        return;
    beat->call.release = beat_release;
    memcpy(beat->id, kid, sizeof(beat->id));
    beat_decide(beat);
}

/* Held ones. */

void
heartbeat_wake(struct app *app, const char *node_id)
{
    struct node *node = nodes_find(app->nodes, node_id);

    if (node != NULL && node->held != NULL)
        beat_read(node->held);
}

void
heartbeat_answer_all(struct app *app)
{
    struct beat *beat;

    while ((beat = TAILQ_FIRST(&app->beats->held)) != NULL)
        beat_answer(beat, NULL);
}

unsigned
heartbeat_held(const struct app *app)
{
    return app->beats->count;
}

/* Each has a connection, and visitors want some. */
static void
places_warn(struct beats *beats, int64_t now)
{
    struct rlimit files;

    if (beats->count <= beats->app->places / 4 * 3 ||
        (beats->warned_ms != 0 && now - beats->warned_ms < HEARTBEAT_WARN_MS) ||
        getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    beats->warned_ms = now;
    log_warn("%u of %u connections are held by nodes: soon others find none; "
             "raise the limit of open files, now %llu (LimitNOFILE of the "
             "service, ulimit -n), or have more workers",
             beats->count, beats->app->places,
             (unsigned long long)files.rlim_cur);
}

static void
on_tick(uv_timer_t *timer)
{
    struct beats *beats = timer->data;
    int64_t now = app_ticks_ms();
    struct beat *beat, *next;

    places_warn(beats, now);
    for (beat = TAILQ_FIRST(&beats->held); beat != NULL; beat = next) {
        next = TAILQ_NEXT(beat, link);
        if (beat->until_ms <= now && !beat->reading)
            beat_finish(beat);
    }
}

int
heartbeat_start(struct app *app)
{
    struct beats *beats = calloc(1, sizeof(*beats));

    if (beats == NULL)
        return -ENOMEM;
    beats->app = app;
    TAILQ_INIT(&beats->held);
    uv_timer_init(app->loop, &beats->tick);
    beats->tick.data = beats;
    uv_timer_start(&beats->tick, on_tick, HEARTBEAT_TICK_MS, HEARTBEAT_TICK_MS);
    app->beats = beats;
    return 0;
}

static void
on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void
heartbeat_stop(struct app *app)
{
    if (app->beats != NULL)
        uv_close((uv_handle_t *)&app->beats->tick, on_closed);
}
