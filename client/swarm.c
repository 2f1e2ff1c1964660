/*
 * The download of one version: its sources, their transfers, and what becomes
 * of a source that fails.
 *
 * Owns the plan and the transfers.  Decides nothing that the plan decides, and
 * parses nothing that a transfer parses.
 */
#include "client/swarm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/plan.h"
#include "client/transfer.h"
#include "offload/bitmap.h"

#define TICK_MS 250
#define RENEW_LOST_MS 5000 /* no peers left: ask for others this often */
#define RENEW_EARLY_S 120  /* before a ticket ends */
#define RENEW_TICKET_MS 60000
#define ETAG_CAP 300

struct source {
    struct swarm *swarm;
    int number; /* in the plan */
    bool origin;
    char *url;
    struct report_source *stats;
    struct transfer *transfer; /* NULL: idle */
    uint64_t in_piece;         /* bytes of the piece under way */
};

struct swarm {
    struct swarm_options options;
    uint64_t size;
    struct plan *plan;
    unsigned count;
    struct source sources[PLAN_SOURCES];
    char if_match[ETAG_CAP];
    uv_timer_t tick;
    uint64_t lost_ms;   /* when peers may be asked for next, if all are lost */
    uint64_t ticket_ms; /* when the ticket should be renewed */
    bool renewed;       /* at least once */
    bool last_chance;   /* taken: with nobody left, the manifest was renewed */
    bool wake;          /* swarm_run has something to tell */
    bool renew;
    enum outcome outcome;
    struct ol_error error;
};

static void fill(struct swarm *swarm);
static void renew(struct swarm *swarm);

static uint64_t
now_ms(const struct swarm *swarm)
{
    return uv_now(&swarm->options.session->loop);
}

static void
fail(struct swarm *swarm, enum outcome outcome, const char *text)
{
    if (swarm->outcome != OUTCOME_OK)
        return;
    swarm->outcome = outcome;
    swarm->wake = true;
    ol_error_set(&swarm->error, EIO, "%s", text);
}

static void
fail_write(struct swarm *swarm, int error)
{
    char text[128];

    snprintf(text, sizeof(text), "cannot write: %s", strerror(-error));
    fail(swarm, OUTCOME_WRITE, text);
}

/* What transfers tell */

static bool
on_bytes(void *arg, uint64_t pos, const void *data, size_t len)
{
    struct source *source = arg;
    struct swarm *swarm = source->swarm;
    int rc = output_put(swarm->options.output, pos, data, len);

    if (rc != 0) {
        fail_write(swarm, rc);
        return false;
    }
    source->in_piece += len;
    plan_received(swarm->plan, source->number, len);
    return true;
}

static void
lied(struct source *source, uint32_t piece)
{
    struct swarm *swarm = source->swarm;
    char reason[64];

    snprintf(reason, sizeof(reason), "wrong bytes in piece %" PRIu32, piece);
    report_failure(source->stats, true, reason);
    progress_say(swarm->options.progress, "%s: %s, dropped", source->stats->url,
                 reason);
    plan_wrong(swarm->plan, source->number);
    if (source->origin)
        fail(swarm, OUTCOME_CHANGED,
             "the origin's bytes are not those of the manifest");
}

static bool
on_piece(void *arg, uint32_t piece, bool right)
{
    struct source *source = arg;
    struct swarm *swarm = source->swarm;

    source->in_piece = 0;
    if (!right) {
        lied(source, piece);
        return false;
    }
    source->stats->bytes += ol_piece_length(swarm->size, piece);
    source->stats->pieces++;
    output_keep(swarm->options.output, piece);
    return plan_verified(swarm->plan, source->number, now_ms(swarm));
}

/* An incomplete peer may be asked at once for what it has. */
static bool
take_have(struct source *source, const char *text)
{
    struct swarm *swarm = source->swarm;
    struct ol_bitmap have;
    bool taken;

    if (ol_bitmap_parse(&have, ol_piece_count(swarm->size), text, strlen(text),
                        NULL) != 0)
        return false;
    taken = plan_set_have(swarm->plan, source->number, &have) == 0;
    ol_bitmap_clear(&have);
    return taken;
}

static void
failed(struct source *source, const struct transfer_result *result)
{
    struct swarm *swarm = source->swarm;
    uint64_t retry_ms = result->retry_ms;

    if (source->origin && result->end == TRANSFER_CHANGED) {
        fail(swarm, OUTCOME_CHANGED, "the file changed at the origin");
        return; /* nobody's fault */
    }
    report_failure(source->stats, false, result->reason);
    if (result->have != NULL && take_have(source, result->have))
        retry_ms = 1;
    if (result->end == TRANSFER_BROKEN)
        plan_failed(swarm->plan, source->number, now_ms(swarm), retry_ms);
    else
        plan_drop(swarm->plan, source->number);
    if (plan_state(swarm->plan, source->number, now_ms(swarm)) == PLAN_DEAD)
        progress_say(swarm->options.progress, "%s: %s, given up",
                     source->stats->url, result->reason);
}

static void
on_end(void *arg, const struct transfer_result *result)
{
    struct source *source = arg;

    source->transfer = NULL;
    source->in_piece = 0;
    if (result->end != TRANSFER_OVER && source->swarm->outcome == OUTCOME_OK)
        failed(source, result);
    fill(source->swarm);
}

/* Giving out work */

static void
stop(struct source *source)
{
    if (source->transfer != NULL)
        transfer_stop(source->transfer);
    source->transfer = NULL;
    source->in_piece = 0;
}

static void
start(struct source *source, struct plan_run run)
{
    struct swarm *swarm = source->swarm;
    const char *headers[] = {"Offload-Fetch: direct", swarm->if_match, NULL};
    struct transfer_task task = {.url = source->url,
                                 .headers = source->origin ? headers : NULL,
                                 .size = swarm->size,
                                 .table = swarm->options.table,
                                 .run = run,
                                 .on_bytes = on_bytes,
                                 .on_piece = on_piece,
                                 .on_end = on_end,
                                 .arg = source};
    int rc = transfer_start(swarm->options.session->fetcher, &task,
                            &source->transfer);

    if (rc != 0) {
        report_failure(source->stats, false, strerror(-rc));
        plan_drop(swarm->plan, source->number);
    }
}

static void
fill_one(struct swarm *swarm, struct source *source)
{
    struct plan_run run;
    int stopped;

    if (source->transfer != NULL ||
        plan_next(swarm->plan, source->number, now_ms(swarm), &run, &stopped) !=
            0)
        return;
    for (unsigned i = 0; stopped >= 0 && i < swarm->count; i++)
        if (swarm->sources[i].number == stopped)
            stop(&swarm->sources[i]);
    start(source, run);
}

static void
fill(struct swarm *swarm)
{
    if (swarm->outcome != OUTCOME_OK || swarm->options.session->interrupted)
        return;
    if (plan_complete(swarm->plan)) {
        swarm->wake |= output_is_drained(swarm->options.output);
        return;
    }
    plan_set_window(swarm->plan, output_window(swarm->options.output));
    for (int origin = 0; origin <= 1; origin++)
        for (unsigned i = 0; i < swarm->count; i++)
            if (swarm->sources[i].origin == (bool)origin)
                fill_one(swarm, &swarm->sources[i]);
    if (!plan_hopeless(swarm->plan))
        return;
    if (swarm->last_chance)
        fail(swarm, OUTCOME_PARTIAL, "every source has failed");
    swarm->last_chance = true;
    renew(swarm);
}

void
swarm_poke(struct swarm *swarm)
{
    int rc = output_error(swarm->options.output);

    if (rc != 0)
        fail_write(swarm, rc);
    fill(swarm);
}

/* Time */

static void
drop_slow(struct swarm *swarm)
{
    static const struct transfer_result slow = {.end = TRANSFER_BROKEN,
                                                .reason = "far too slow"};

    for (unsigned i = 0; i < swarm->count; i++) {
        struct source *source = &swarm->sources[i];

        if (plan_is_slow(swarm->plan, source->number, now_ms(swarm))) {
            stop(source);
            failed(source, &slow);
        }
    }
}

static void
show(struct swarm *swarm)
{
    const struct report *report = swarm->options.report;
    struct progress_state state = {
        .size = swarm->size,
        .from_peers = report_bytes(report, false),
        .from_origin = report_bytes(report, true),
    };

    state.done = report->resumed + state.from_peers + state.from_origin;
    for (unsigned i = 0; i < swarm->count; i++) {
        state.done += swarm->sources[i].in_piece;
        state.peers +=
            swarm->sources[i].transfer != NULL && !swarm->sources[i].origin;
    }
    progress_show(swarm->options.progress, &state, now_ms(swarm));
}

static void
renew(struct swarm *swarm)
{
    swarm->lost_ms = now_ms(swarm) + RENEW_LOST_MS;
    swarm->ticket_ms = now_ms(swarm) + RENEW_TICKET_MS; /* if it fails */
    swarm->renew = swarm->renewed = swarm->wake = true;
}

static void
want_renewal(struct swarm *swarm)
{
    uint64_t now = now_ms(swarm);
    bool lost = plan_peers(swarm->plan) == 0 && now > swarm->lost_ms;

    if (!plan_complete(swarm->plan) && (lost || now > swarm->ticket_ms))
        renew(swarm);
}

static void
on_tick(uv_timer_t *timer)
{
    struct swarm *swarm = timer->data;

    drop_slow(swarm);
    fill(swarm);
    show(swarm);
    want_renewal(swarm);
}

/* Sources */

static int
set_url(struct source *source, const char *base, const char *path)
{
    char *url;

    if (asprintf(&url, "%s%s", base, path) < 0)
        return -ENOMEM;
    free(source->url);
    source->url = url;
    return 0;
}

static int
add_source(struct swarm *swarm, const char *id, const char *base,
           const char *path, bool origin)
{
    struct source *source = &swarm->sources[swarm->count];
    int number = plan_add(swarm->plan, origin ? PLAN_ORIGIN : PLAN_PEER);

    if (number < 0)
        return 0; /* enough of them */
    source->swarm = swarm;
    source->number = number;
    source->origin = origin;
    source->stats = report_source(swarm->options.report, id, base, origin);
    swarm->count++;
    swarm->last_chance = false;
    return set_url(source, base, path);
}

/* When the ticket in "/c/<root>?e=<e>&s=<s>" should be renewed. */
static void
note_ticket(struct swarm *swarm, const char *path, int64_t date)
{
    const char *e = strstr(path, "?e=");
    long long left = e != NULL ? atoll(e + 3) - date - RENEW_EARLY_S : 0;
    uint64_t wait = left > 0 ? (uint64_t)left * 1000 : 0;

    if (swarm->renewed && wait < RENEW_TICKET_MS)
        wait = RENEW_TICKET_MS;
    swarm->ticket_ms = now_ms(swarm) + wait;
}

static struct source *
find_peer(struct swarm *swarm, const char *url)
{
    for (unsigned i = 0; i < swarm->count; i++)
        if (!swarm->sources[i].origin &&
            strcmp(swarm->sources[i].stats->url, url) == 0)
            return &swarm->sources[i];
    return NULL;
}

int
swarm_merge(struct swarm *swarm, const struct ol_manifest *manifest,
            int64_t date)
{
    for (size_t i = 0; i < manifest->peer_count; i++) {
        const struct ol_peer *peer = &manifest->peers[i];
        struct source *known = find_peer(swarm, peer->url);
        int rc = known != NULL ? set_url(known, peer->url, manifest->path)
                               : add_source(swarm, peer->id, peer->url,
                                            manifest->path, false);

        if (rc != 0)
            return rc;
    }
    note_ticket(swarm, manifest->path, date);
    return 0;
}

/* What an earlier run of the program has left. */
static void
recall(struct swarm *swarm)
{
    const struct swarm_options *options = &swarm->options;
    uint32_t count = ol_piece_count(swarm->size);

    if (output_is_pipe(options->output))
        return;
    for (uint32_t i = 0; i < count && !options->session->interrupted; i++) {
        uv_run(&options->session->loop, UV_RUN_NOWAIT); /* signals */
        if (!output_recall(options->output, options->table, i))
            continue;
        plan_skip(swarm->plan, i);
        options->report->resumed += ol_piece_length(swarm->size, i);
    }
}

enum outcome
swarm_create(const struct swarm_options *options, struct swarm **ret,
             struct ol_error *err)
{
    const struct ol_manifest *manifest = options->manifest;
    struct swarm *swarm = calloc(1, sizeof(*swarm));

    if (swarm == NULL) {
        ol_error_set(err, ENOMEM, "no memory");
        return OUTCOME_MEMORY;
    }
    swarm->options = *options;
    swarm->options.manifest = NULL;
    swarm->size = manifest->size;
    snprintf(swarm->if_match, sizeof(swarm->if_match), "If-Match: %s",
             manifest->etag);
    uv_timer_init(&options->session->loop, &swarm->tick);
    swarm->tick.data = swarm;
    swarm->lost_ms = now_ms(swarm) + RENEW_LOST_MS;
    if (plan_create(swarm->size, &swarm->plan) != 0 ||
        add_source(swarm, "", options->origin, options->path, true) != 0 ||
        swarm_merge(swarm, manifest, options->date) != 0) {
        swarm_free(swarm);
        ol_error_set(err, ENOMEM, "no memory");
        return OUTCOME_MEMORY;
    }
    if (output_begin_pieces(options->output, swarm->size, err) != 0) {
        swarm_free(swarm);
        return OUTCOME_WRITE;
    }
    recall(swarm);
    uv_timer_start(&swarm->tick, on_tick, TICK_MS, TICK_MS);
    *ret = swarm;
    return OUTCOME_OK;
}

static void
on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void
swarm_free(struct swarm *swarm)
{
    if (swarm == NULL)
        return;
    for (unsigned i = 0; i < swarm->count; i++) {
        stop(&swarm->sources[i]);
        free(swarm->sources[i].url);
    }
    plan_free(swarm->plan);
    uv_close((uv_handle_t *)&swarm->tick, on_closed);
}

enum outcome
swarm_run(struct swarm *swarm, bool *ret_renew, struct ol_error *err)
{
    struct session *session = swarm->options.session;

    *ret_renew = false;
    swarm->wake = swarm->outcome != OUTCOME_OK;
    swarm_poke(swarm);
    session_wait(session, &swarm->wake);
    if (session->interrupted) {
        ol_error_set(err, EINTR, "interrupted");
        return OUTCOME_INTERRUPTED;
    }
    *ret_renew = swarm->renew;
    swarm->renew = false;
    if (swarm->outcome != OUTCOME_OK && err != NULL)
        *err = swarm->error;
    return swarm->outcome;
}
