/*
 * Which node is audited when, and what follows from the result.
 *
 * The process that pushes to a site audits those that hold its contents, since
 * it knows the site's keys.  Must not know how a node is asked.
 */
#include "coordinator/nodes/audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/nodes/audit_probe.h"
#include "coordinator/nodes/nodes.h"
#include "coordinator/options.h"
#include "coordinator/sites/sites.h"
#include "coordinator/status/metrics.h"
#include "coordinator/store/standing.h"
#include "net/log.h"
#include "offload/origin.h"

#define BUDGET_S 4 /* what may be saved up, and at least one piece */

struct audit {
    struct audits *audits;
    struct audit_probe *probe;
    char id[OL_KEY_CHARS + 1], root[OL_ROOT_HEX + 1];
    char iss[OL_ORIGIN_MAX];
    uint64_t size;
    bool second; /* after wrong bytes, at once */
    TAILQ_ENTRY(audit) link;
};

struct audits {
    struct app *app;
    struct fetcher *fetcher;
    struct audit_cache cache;
    uv_timer_t tick;
    TAILQ_HEAD(audit_list, audit) running;
    unsigned count;
    int64_t budget, ticks_ms; /* bytes that may be asked for; when counted */
};

static void
audit_end(struct audit *audit)
{
    TAILQ_REMOVE(&audit->audits->running, audit, link);
    audit->audits->count--;
    audit_probe_free(audit->probe);
    free(audit);
}

/* What follows. */

static void
node_ban(struct audit *audit, uint32_t piece)
{
    struct app *app = audit->audits->app;
    char reason[STORE_REASON_MAX], details[STORE_REASON_MAX + OL_ORIGIN_MAX];
    const struct store_ban ban = {.id = audit->id,
                                  .reason = reason,
                                  .by = "audit",
                                  .details = details,
                                  .since_s = (uint64_t)app_now()};

    snprintf(reason, sizeof(reason),
             "audits got wrong bytes twice, lastly piece %u of %.16s...", piece,
             audit->root);
    snprintf(details, sizeof(details), "piece %u of %s, of the site %s", piece,
             audit->root, audit->iss);
    if (store_ban(app->store, &ban, NULL, NULL) != 0)
        return; /* it is still counted: the next wrong piece bans it */
    metrics_add(M_BANS, 1);
    log_warn("node %s is excluded: %s (%s)", audit->id, reason, details);
}

static void
on_wrong(void *arg, int rc, uint64_t count)
{
    struct audit *audit = arg;
    uint32_t random = app_random(0);

    if (rc != 0) {
        audit_end(audit);
    } else if (count >= AUDIT_WRONG) {
        node_ban(audit, audit_probe_piece(audit->probe));
        audit_end(audit);
    } else if (audit->second) {
        audit_end(audit);
    } else { /* now: whether it lies, or one piece is damaged */
        audit->second = true;
        audit->audits->budget -= ol_piece_size(audit->size);
        audit_probe_again(audit->probe, random);
    }
}

static void
audit_wrong(struct audit *audit)
{
    static struct log_kind wrong = {.name = "audits"};
    struct app *app = audit->audits->app;

    metrics_add(M_AUDITS_WRONG, 1);
    log_limited(&wrong, LOG_WARN_,
                "node %s: audit: wrong bytes in piece %u of %s", audit->id,
                audit_probe_piece(audit->probe), audit->root);
    if (store_audit_wrong(app->store, audit->id, app_now(), on_wrong, audit) !=
        0)
        audit_end(audit);
}

static void
on_result(void *arg, enum audit_result result)
{
    static struct log_kind failed = {.name = "audits"};
    struct audit *audit = arg;
    struct store *store = audit->audits->app->store;

    if (result == AUDIT_WRONG_BYTES) {
        audit_wrong(audit);
        return;
    }
    if (result == AUDIT_PASSED) {
        metrics_add(M_AUDITS_PASSED, 1);
        store_audit_passed(store, audit->id, audit_probe_rate(audit->probe));
    } else if (result == AUDIT_FAILED) {
        metrics_add(M_AUDITS_FAILED, 1);
        log_limited(&failed, LOG_INFO_, "node %s: audit: %s", audit->id,
                    audit_probe_why(audit->probe));
        store_audit_failed(store, audit->id, audit_probe_why(audit->probe));
    } else {
        metrics_add(M_AUDITS_UNKNOWN, 1);
        if (result == AUDIT_GONE)
            store_drop(store, audit->root, audit->id);
    }
    audit_end(audit);
}

/* How it begins: what the node has, then whether it is its turn. */

static void
on_turn(void *arg, int rc, uint64_t mine)
{
    struct audit *audit = arg;
    struct app *app = audit->audits->app;
    struct node *node = nodes_find(app->nodes, audit->id);

    if (node != NULL && rc == 0 && mine == 1) {
        node->audit_due = false;
        node->audit_next_ms = app_ticks_ms() + AUDIT_PAUSE_MS;
        audit->audits->budget -= ol_piece_size(audit->size);
        audit_probe_start(audit->probe, app_random(0), app_now());
    } else {
        audit_end(audit);
    }
}

static void
turn_ask(struct audit *audit)
{
    struct app *app = audit->audits->app;

    if (store_audit_begin(app->store, audit->id, on_turn, audit) != 0)
        audit_end(audit);
}

/* "have/count bitmap"; of very many pieces only the numbers are kept. */
static int
pieces_read(const char *text, uint64_t size, struct ol_bitmap *ret)
{
    const char *bits = strchr(text, ' ');

    if (bits == NULL || bits[1] == '-')
        return -ENOENT;
    return ol_bitmap_parse(ret, ol_piece_count(size), bits + 1,
                           strlen(bits + 1), NULL);
}

static void
on_bitmap(void *arg, int rc, const char *text)
{
    struct audit *audit = arg;
    struct ol_bitmap pieces = {0};

    if (rc == 0)
        rc = pieces_read(text, audit->size, &pieces);
    if (rc == 0 && pieces.set > 0) {
        audit_probe_pieces(audit->probe, &pieces);
        turn_ask(audit);
    } else {
        ol_bitmap_clear(&pieces);
        audit_end(audit);
    }
}

static void
audit_start(struct audits *audits, const struct sites_sample *site,
            const struct contents_holding *holding)
{
    struct app *app = audits->app;
    const struct audit_target target = {.iss = site->iss,
                                        .sub = holding->sub,
                                        .root = holding->root,
                                        .url = holding->node->url,
                                        .size = holding->size,
                                        .keys = &site->document->keys};
    struct audit *audit = calloc(1, sizeof(*audit));

    holding->node->audit_next_ms = app_ticks_ms() + AUDIT_AGAIN_MS;
    if (audit == NULL)
        return;
    audit->audits = audits;
    audit->size = holding->size;
    memcpy(audit->id, holding->node->id, sizeof(audit->id));
    memcpy(audit->root, holding->root, sizeof(audit->root));
    snprintf(audit->iss, sizeof(audit->iss), "%s", site->iss);
    TAILQ_INSERT_TAIL(&audits->running, audit, link);
    audits->count++;
    if (audit_probe_create(audits->fetcher, &audits->cache, &target, on_result,
                           audit, &audit->probe) != 0) {
        audit_end(audit);
    } else if (holding->complete) {
        turn_ask(audit);
    } else if (store_bitmap(app->store, audit->root, audit->id, on_bitmap,
                            audit) != 0) {
        audit_end(audit);
    }
}

/* Whom. */

static bool
node_is_ripe(const struct node *node, int64_t now)
{
    return node->url != NULL && !node->excluded &&
           (node->audit_due || node->audit_next_ms <= now);
}

/* Those that were reported first, then who waits longest. */
static bool
node_is_riper(const struct node *a, const struct node *b)
{
    if (a->audit_due != b->audit_due)
        return a->audit_due;
    return a->audit_next_ms < b->audit_next_ms;
}

static bool
holding_find(struct audits *audits, struct sites_sample *ret_site,
             struct contents_holding *ret)
{
    struct app *app = audits->app;
    struct contents_holding found;
    struct sites_sample site;
    bool any = false;

    for (int i = 0; i < AUDIT_SAMPLES; i++) {
        if (!sites_sample(app->sites, app_random(0), &site) ||
            site.document->keys.count == 0 || site.contents == NULL ||
            !contents_sample(site.contents, app_random(0), &found) ||
            !node_is_ripe(found.node, app_ticks_ms()) ||
            (any && !node_is_riper(found.node, ret->node)))
            continue;
        *ret = found;
        *ret_site = site;
        any = true;
    }
    return any;
}

static void
budget_add(struct audits *audits, uint64_t rate)
{
    int64_t now = app_ticks_ms(), most = (int64_t)rate * BUDGET_S;

    audits->budget += (int64_t)rate * (now - audits->ticks_ms) / 1000;
    audits->ticks_ms = now;
    if (most < OL_PIECE_MAX)
        most = OL_PIECE_MAX;
    if (audits->budget > most)
        audits->budget = most;
}

static void
on_tick(uv_timer_t *timer)
{
    struct audits *audits = timer->data;
    const struct options *o = audits->app->options;
    struct contents_holding holding = {0};
    struct sites_sample site;

    budget_add(audits, o->audit_rate / o->workers);
    if (o->audit_rate == 0 || audits->budget <= 0 ||
        audits->count >= AUDIT_RUNNING || !store_has_room(audits->app->store))
        return;
    if (holding_find(audits, &site, &holding))
        audit_start(audits, &site, &holding);
}

/* Creation. */

int
audits_create(struct app *app, struct audits **ret)
{
    struct audits *audits = calloc(1, sizeof(*audits));
    const struct fetcher_options options = {
        .user_agent = "offload/" OL_VERSION, /* as a client */
        .public_only = true,
        .allow = &app->options->allow,
        .max_active = AUDIT_RUNNING};

    if (audits == NULL ||
        fetcher_create(app->loop, &options, &audits->fetcher) != 0) {
        free(audits);
        return -ENOMEM;
    }
    audits->app = app;
    audits->ticks_ms = app_ticks_ms();
    TAILQ_INIT(&audits->running);
    uv_timer_init(app->loop, &audits->tick);
    audits->tick.data = audits;
    uv_timer_start(&audits->tick, on_tick, AUDIT_TICK_MS, AUDIT_TICK_MS);
    *ret = audits;
    return 0;
}

static void
on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void
audits_free(struct audits *audits)
{
    struct audit *audit;

    if (audits == NULL)
        return;
    while ((audit = TAILQ_FIRST(&audits->running)) != NULL)
        audit_end(audit);
    fetcher_free(audits->fetcher);
    audit_cache_clear(&audits->cache);
    uv_close((uv_handle_t *)&audits->tick, on_closed);
}
