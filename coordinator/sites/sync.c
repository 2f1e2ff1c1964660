/*
 * Pushing to one instance of a site: learn what it offers, tell it a full
 * state, then what changes, with one exchange held open so that the instance
 * can say at once what is wanted.
 *
 * News for the instance do not wait for the held exchange: they go in a second
 * one, which is answered at once.  The base of each sync is the seq of the one
 * sent before it.  If one gets lost, the instance may have applied it or not;
 * if not, the next one's base does not match and the answer is "need": "full".
 *
 * Must not know leases, nor how candidates are chosen.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/ledger/ledger.h"
#include "coordinator/sites/site.h"
#include "coordinator/status/metrics.h"
#include "net/log.h"
#include "offload/json.h"
#include "offload/jws.h"

#define SYNC_WAIT_MS 10000
#define SYNC_GAP_MS 250     /* after an answer, unless there is more */
#define SYNC_MORE_MS 20     /* no site is asked sooner, whatever it says */
#define SYNC_BOOK_MS 100    /* nor if it tells accounts: they cost Redis more */
#define SYNC_PART_MS 100    /* between the parts of a full state */
#define SYNC_ORDER_MS 100   /* between two, so that they arrive in order */
#define SYNC_ANSWER_MS 8000 /* beyond the wait */
#define SYNC_ANSWER_MAX (128u << 10)
#define SYNC_SETTLE_MS 5000 /* a full state waits for contents to be read */
#define SYNC_FAILURES 3     /* then the document is read again */
#define SYNC_BACKOFF_MS 500
#define SYNC_BACKOFF_MAX_MS 30000
#define SYNC_STORE_MS 5000 /* how often the store is told */
#define SYNC_SAME_MS 15000 /* of as many contents as before */
#define SYNC_CLOCK_S 5     /* a Date that differs more is believed */

enum phase { SYNC_LEARN, SYNC_FULL, SYNC_LIVE };

struct exchange {
    struct sync *sync;
    struct fetch *fetch; /* NULL: not under way */
    uint64_t seq;
    unsigned told; /* sync->told when it was sent */
};

/* The accounts of one answer, on their way to the ledger. */
struct booking {
    struct sync *sync;
    uint64_t clock;
    unsigned told;
};

struct sync {
    struct site *site;
    unsigned index;
    enum phase phase;
    bool known; /* the epoch is */
    uint8_t epoch[SYNC_EPOCH_BYTES];
    uint64_t base, ack, floor;
    unsigned told;     /* changes when all is to be told again, from ack 0 on */
    unsigned bookings; /* under way; no other sync is sent meanwhile */
    uint64_t full_seq; /* of the first part of the last full state */
    uint64_t nodes_seen;
    unsigned part, parts, node_parts;
    int64_t next_ms, sent_ms, settle_ms;
    int64_t offset_s; /* of the site's clock */
    unsigned failures;
    bool asking, dead; /* asking the store for a seq */
    struct exchange held, quick;
};

static struct log_kind sync_troubles = {.name = "syncs"};

/* What there is to tell of nodes. */

static size_t
nodes_listed(const struct sync *sync)
{
    struct node *node = nodes_first(sync->site->app->nodes);
    size_t count = 0;

    for (; node != NULL; node = nodes_next(node))
        count += node_is_listed(node);
    return count;
}

static void
nodes_take(struct sync *sync, struct sync_body *body, bool with_gone)
{
    struct node *node;

    node = nodes_changed_after(sync->site->app->nodes, sync->nodes_seen);
    for (; node != NULL; node = nodes_next(node)) {
        if (node_is_listed(node)) {
            if (body->node_count == SYNC_NODES)
                return;
            body->nodes[body->node_count++] =
                (struct sync_node){.number = node->number,
                                   .id = node->id,
                                   .url = node->url,
                                   .zone = node->zone,
                                   .cidrs = node->cidrs,
                                   .spare = node->spare};
        } else if (with_gone) {
            if (body->gone_count == SYNC_GONE)
                return;
            body->gone[body->gone_count++] = node->number;
        }
        sync->nodes_seen = node->version;
    }
}

static bool
has_news(const struct sync *sync)
{
    return nodes_version(sync->site->app->nodes) > sync->nodes_seen ||
           contents_unsent(sync->site->contents, sync->index) > 0;
}

/* Bodies. */

static unsigned
parts_of(size_t count, size_t size)
{
    return (unsigned)((count + size - 1) / size);
}

static void
full_start(struct sync *sync)
{
    size_t contents = contents_full_start(sync->site->contents, sync->index);

    sync->nodes_seen = 0;
    sync->node_parts = parts_of(nodes_listed(sync), SYNC_NODES);
    sync->parts = parts_of(contents, SYNC_CONTENTS) + sync->node_parts;
    if (contents > 0 && sync->node_parts > 0)
        sync->parts--; /* the last part with nodes has contents, too */
    if (sync->parts == 0)
        sync->parts = 1;
    sync->part = 0;
}

static void
full_fill(struct sync *sync, struct sync_body *body)
{
    body->part = ++sync->part;
    body->parts = sync->parts;
    if (sync->part <= sync->node_parts)
        nodes_take(sync, body, false);
    if (sync->part >= sync->node_parts)
        body->content_count = contents_full_take(
            sync->site->contents, sync->index, body->contents, SYNC_CONTENTS);
    if (sync->part == 1)
        sync->full_seq = body->seq;
}

static void
live_fill(struct sync *sync, struct sync_body *body, bool held)
{
    nodes_take(sync, body, true);
    body->content_count = contents_take(sync->site->contents, sync->index,
                                        body->contents, SYNC_CONTENTS);
    if (held && !has_news(sync))
        body->wait_ms = SYNC_WAIT_MS;
}

static struct sync_body *
body_make(struct sync *sync, uint64_t seq, bool held)
{
    const struct app *app = sync->site->app;
    int64_t now = app_now() + sync->offset_s;
    struct sync_body *body = calloc(1, sizeof(*body));

    if (body == NULL)
        return NULL;
    body->iss = app_id(app);
    body->aud = sync->site->iss;
    body->iat = now;
    body->exp = now + APP_JWS_LIFE_S;
    body->seq = seq;
    body->base = sync->base;
    body->ack = sync->ack;
    body->epoch = sync->known ? sync->epoch : NULL;
    if (sync->phase == SYNC_FULL)
        full_fill(sync, body);
    else if (sync->phase == SYNC_LIVE)
        live_fill(sync, body, held);
    return body;
}

/* Failures. */

static void
sync_failed(struct sync *sync, const char *why)
{
    int64_t wait = SYNC_BACKOFF_MS;

    log_limited(&sync_troubles, LOG_WARN_, "sync with %s: %s",
                sync->site->document.sync[sync->index], why);
    metrics_add(M_SYNCS_FAILED, 1);
    wait <<= sync->failures < 7 ? sync->failures : 7;
    if (wait > SYNC_BACKOFF_MAX_MS)
        wait = SYNC_BACKOFF_MAX_MS;
    sync->next_ms = app_ticks_ms() + wait / 2 + app_random((unsigned)wait / 2);
    if (++sync->failures >= SYNC_FAILURES)
        site_refetch(sync->site);
    if (sync->phase == SYNC_FULL)
        sync->parts = 0; /* from the first part on */
}

/* What the instance was told is known here is to be told again. */
static void
sync_forget(struct sync *sync)
{
    sync->ack = 0;
    sync->told++;
}

/* Another zone than before: all that is known of the instance is void. */
static void
sync_restart(struct sync *sync, const struct sync_answer *answer)
{
    if (sync->known)
        log_limited(&sync_troubles, LOG_INFO_,
                    "sync with %s: it has started over",
                    sync->site->document.sync[sync->index]);
    memcpy(sync->epoch, answer->epoch, sizeof(sync->epoch));
    sync->known = true;
    sync->base = 0;
    sync_forget(sync);
    sync->parts = 0;
    sync->phase = SYNC_LEARN;
    contents_forget_offers(sync->site->contents, sync->index);
}

/* Answers. */

static int
answer_open(struct sync *sync, const struct fetch_result *result, uint64_t seq,
            struct ol_jws *jws, struct sync_answer *ret, struct ol_error *err)
{
    struct site *site = sync->site;
    int rc;

    rc = ol_jws_open(result->body, result->body_len, OL_TYP_SYNC_ANSWER,
                     &site->document.keys, jws, err);
    if (rc == -ENOKEY)
        site_refetch(site);
    if (rc != 0)
        return rc;
    rc = ol_claims_check_string(jws->payload, "iss", site->iss, err);
    if (rc == 0)
        rc =
            ol_claims_check_string(jws->payload, "aud", app_id(site->app), err);
    if (rc == 0)
        rc =
            ol_claims_check_time(jws->payload, app_now() + sync->offset_s, err);
    if (rc == 0)
        rc = sync_decode(jws->payload, ret, err);
    if (rc == 0 && ret->seq != seq)
        rc = ol_error_set(err, EBADMSG, "seq: not that of the sync");
    if (rc != 0)
        ol_jws_clear(jws);
    return rc;
}

static void
phase_next(struct sync *sync, const struct sync_answer *answer, uint64_t seq)
{
    if (sync->phase == SYNC_LEARN) {
        if (!answer->more) {
            sync->phase = SYNC_FULL;
            sync->settle_ms = app_ticks_ms() + SYNC_SETTLE_MS;
        }
        return;
    }
    if (answer->need_full && seq >= sync->full_seq) {
        sync->phase = SYNC_FULL;
        sync->parts = 0;
        return;
    }
    if (sync->phase == SYNC_FULL && sync->parts > 0 &&
        sync->part == sync->parts && seq >= sync->full_seq) {
        contents_full_end(sync->site->contents, sync->index);
        sync->phase = SYNC_LIVE;
    }
}

static void
synced_store(struct sync *sync, const struct sync_answer *answer, int64_t now)
{
    struct site *site = sync->site;
    const struct store_site record = {.synced = (uint64_t)app_now(),
                                      .epoch = answer->epoch_text,
                                      .contents =
                                          contents_count(site->contents)};

    if (now - site->synced_ms < SYNC_STORE_MS ||
        (record.contents == site->synced_contents &&
         now - site->synced_ms < SYNC_SAME_MS))
        return;
    site->synced_ms = now;
    site->synced_contents = record.contents;
    store_site_synced(site->app->store, site->id, &record);
}

static void
clock_take(struct sync *sync, uint64_t clock, unsigned told)
{
    if (clock > sync->ack && told == sync->told)
        sync->ack = clock;
}

/* Lets go of what only waited for the store. */
static bool
sync_reap(struct sync *sync)
{
    if (!sync->dead)
        return false;
    if (!sync->asking && sync->bookings == 0)
        free(sync);
    return true;
}

static void
on_booked(void *arg, int rc)
{
    struct booking *booking = arg;
    struct sync *sync = booking->sync;

    sync->bookings--;
    if (!sync_reap(sync)) {
        site_wake(sync->site);
        if (rc == 0)
            clock_take(sync, booking->clock, booking->told);
        else
            sync->next_ms = app_ticks_ms() + SYNC_BACKOFF_MS;
    }
    free(booking);
}

/*
 * What the instance hears acknowledged, it may forget: so the accounts are in
 * the ledger before.  If they do not get there, all is told once more.
 */
static void
answer_book(struct sync *sync, const struct sync_answer *answer, unsigned told)
{
    const struct ledger_source from = {sync->site->id, sync->site->iss,
                                       answer->epoch};
    struct booking *booking;

    if (answer->account_count == 0) {
        clock_take(sync, answer->clock, told);
        return;
    }
    booking = calloc(1, sizeof(*booking));
    if (booking != NULL) {
        *booking = (struct booking){sync, answer->clock, told};
        if (ledger_confirm(sync->site->app, &from, answer->accounts,
                           answer->account_count, on_booked, booking) == 0) {
            sync->bookings++;
            if (sync->next_ms < app_ticks_ms() + SYNC_BOOK_MS)
                sync->next_ms = app_ticks_ms() + SYNC_BOOK_MS;
            return;
        }
    }
    free(booking);
    sync->next_ms = app_ticks_ms() + SYNC_BACKOFF_MS;
}

static void
answer_take(struct sync *sync, const struct sync_answer *answer,
            const struct exchange *x)
{
    uint64_t seq = x->seq;
    int64_t now = app_ticks_ms();

    metrics_add(M_SYNCS, 1);
    sync->failures = 0;
    sync->site->answered_ms = now;
    sync->next_ms = now + SYNC_MORE_MS;
    if (!sync->known ||
        memcmp(sync->epoch, answer->epoch, sizeof(sync->epoch)) != 0) {
        sync_restart(sync, answer);
        return;
    }
    /* One that was overtaken has nothing new, and may name what is gone. */
    for (size_t i = 0; i < answer->count && answer->clock >= sync->ack; i++)
        contents_offer(sync->site->contents, sync->index, &answer->entries[i],
                       sync->phase != SYNC_LEARN);
    phase_next(sync, answer, seq);
    if (sync->phase == SYNC_FULL)
        sync->next_ms = now + SYNC_PART_MS;
    else if (!answer->more)
        sync->next_ms = now + SYNC_GAP_MS;
    answer_book(sync, answer, x->told);
    synced_store(sync, answer, now);
}

/* 409 names the last seq, 401 for time has a Date: taken for the next try. */
static void
refusal_take(struct sync *sync, const struct fetch_result *result)
{
    int64_t offset = result->date - app_now();
    char why[160];
    json_t *json;
    uint64_t last;
    const char *text = "";

    json = ol_json_parse(result->body, result->body_len, NULL);
    if (json != NULL) {
        (void)ol_json_string(json, "error", 512, &text, NULL);
        if (result->status == 409 &&
            ol_json_uint(json, "seq", UINT64_MAX >> 11, &last, NULL) == 0)
            sync->floor = last + 1;
    }
    if (result->status == 401 && result->date != 0 &&
        (offset > SYNC_CLOCK_S || offset < -SYNC_CLOCK_S))
        sync->offset_s = offset;
    snprintf(why, sizeof(why), "status %d: %.120s", result->status, text);
    json_decref(json);
    sync_failed(sync, why);
}

static void
on_answer(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct exchange *x = arg;
    struct sync *sync = x->sync;
    struct sync_answer *answer;
    struct ol_error err = {""};
    struct ol_jws jws;

    (void)fetch;
    x->fetch = NULL;
    site_wake(sync->site);
    if (result->error != 0) {
        sync_failed(sync, result->text);
        return;
    }
    if (result->status != 200) {
        refusal_take(sync, result);
        return;
    }
    answer = malloc(sizeof(*answer));
    if (answer == NULL ||
        answer_open(sync, result, x->seq, &jws, answer, &err) != 0) {
        sync_failed(sync, answer == NULL ? "no memory" : err.text);
    } else {
        answer_take(sync, answer, x);
        ol_jws_clear(&jws);
    }
    free(answer);
}

/* Sending. */

static int
body_post(struct sync *sync, struct exchange *x, const struct sync_body *body)
{
    static const char *const headers[] = {"Content-Type: application/jwt",
                                          NULL};
    struct fetch_request request = {.url =
                                        sync->site->document.sync[sync->index],
                                    .method = "POST",
                                    .headers = headers,
                                    .max_body = SYNC_ANSWER_MAX,
                                    .total_ms = body->wait_ms + SYNC_ANSWER_MS,
                                    .stall_ms = body->wait_ms + SYNC_ANSWER_MS,
                                    .on_done = on_answer,
                                    .arg = x};
    json_t *json = sync_encode(body);
    char *token;
    size_t len;
    int rc;

    if (json == NULL)
        return -ENOMEM;
    rc = ol_jws_sign(sync->site->app->key, OL_TYP_SYNC, json, &token, &len);
    json_decref(json);
    if (rc != 0)
        return rc;
    request.body = token;
    request.body_len = len;
    rc = fetch_start(sync->site->app->pusher, &request, &x->fetch);
    free(token);
    return rc;
}

static void
sync_send(struct sync *sync, uint64_t seq)
{
    bool held = sync->phase == SYNC_LIVE && sync->held.fetch == NULL;
    struct exchange *x = held ? &sync->held : &sync->quick;
    struct sync_body *body;
    int rc = -ENOMEM;

    if (sync->phase == SYNC_FULL && sync->parts == 0)
        full_start(sync);
    body = body_make(sync, seq, held);
    if (body != NULL)
        rc = body_post(sync, x, body);
    free(body);
    x->seq = seq;
    x->told = sync->told;
    sync->sent_ms = app_ticks_ms();
    if (sync->phase != SYNC_LEARN)
        sync->base = seq;
    if (rc != 0)
        sync_failed(sync, strerror(-rc));
}

static void
on_seq(void *arg, int rc, uint64_t seq)
{
    struct sync *sync = arg;

    sync->asking = false;
    if (sync_reap(sync))
        return;
    site_wake(sync->site);
    if (rc == 0) {
        sync->site->gone_ms = 0;
        sync_send(sync, seq);
        return;
    }
    if (rc == -ENOENT && sync->site->gone_ms == 0)
        sync->site->gone_ms = app_ticks_ms();
    sync->next_ms = app_ticks_ms() + SYNC_BACKOFF_MS;
}

/* The instance's lease and keys are the caller's care. */
void
sync_tick(struct sync *sync, int64_t now)
{
    uint64_t floor = (uint64_t)app_now_ms();

    if (sync->asking || sync->bookings > 0 || sync->quick.fetch != NULL ||
        now < sync->next_ms)
        return;
    if (sync->phase == SYNC_FULL && sync->parts == 0 &&
        !contents_settled(sync->site->contents) && now < sync->settle_ms)
        return;
    if (sync->held.fetch != NULL) {
        if (sync->phase == SYNC_LIVE && !has_news(sync))
            return;
        if (now - sync->sent_ms < SYNC_ORDER_MS)
            return;
    }
    if (floor < sync->floor)
        floor = sync->floor;
    if (store_site_seq(sync->site->app->store, sync->site->id, floor, on_seq,
                       sync) == 0)
        sync->asking = true;
    else
        sync->next_ms = now + SYNC_BACKOFF_MS;
}

int64_t
sync_due(const struct sync *sync)
{
    if (sync->asking || sync->bookings > 0 || sync->quick.fetch != NULL ||
        (sync->held.fetch != NULL && sync->phase == SYNC_LIVE &&
         !has_news(sync)))
        return INT64_MAX;
    return sync->next_ms;
}

void
sync_refresh(struct sync *sync, bool fresh)
{
    sync_forget(sync);
    if (!fresh)
        return;
    sync->settle_ms = app_ticks_ms() + SYNC_SETTLE_MS;
    sync->parts = 0;
    if (sync->phase == SYNC_LIVE)
        sync->phase = SYNC_FULL;
}

int
sync_create(struct site *site, unsigned index, struct sync **ret)
{
    struct sync *sync = calloc(1, sizeof(*sync));

    if (sync == NULL)
        return -ENOMEM;
    sync->site = site;
    sync->index = index;
    sync->held.sync = sync->quick.sync = sync;
    *ret = sync;
    return 0;
}

void
sync_free(struct sync *sync)
{
    if (sync == NULL)
        return;
    if (sync->held.fetch != NULL)
        fetch_cancel(sync->held.fetch);
    if (sync->quick.fetch != NULL)
        fetch_cancel(sync->quick.fetch);
    contents_forget_offers(sync->site->contents, sync->index);
    sync->dead = true; /* on_seq or on_booked may have to free it */
    sync_reap(sync);
}
