/*
 * The BitTorrent tracker of one process: which swarm an announce is for, what
 * is answered if there is none, scrapes, and the tracker's life.
 *
 * Must not know HTTP or packets.
 */
#include "coordinator/tracker/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/nodes/geo.h"
#include "coordinator/options.h"
#include "coordinator/status/metrics.h"
#include "offload/encoding.h"

static const char not_registered[] =
    "this torrent is not registered here: no site that uses this tracker "
    "offers it";
static const char busy[] = "the tracker is busy, try again in a minute";
static const char away[] =
    "the tracker cannot look up new torrents now, try again in a minute";

/* xorshift64*: for handouts and jitter, where a guess gains nothing. */
uint64_t
tracker_random(struct tracker *t)
{
    t->random ^= t->random >> 12;
    t->random ^= t->random << 25;
    t->random ^= t->random >> 27;
    return t->random * UINT64_C(0x2545f4914f6cdd1d);
}

/* A peer that is not heard for two intervals is gone. */
uint32_t
tracker_life_s(const struct tracker *t)
{
    return 2 * t->app->options->announce_interval;
}

/* Countries that share a number are near enough for a preference. */
uint8_t
tracker_zone(const struct tracker *t, const struct ol_addr *addr)
{
    char text[GEO_ZONE];

    if (t->app->options->geoip == NULL || t->app->geo == NULL ||
        geo_zone(t->app->geo, addr, text) == NULL)
        return 0;
    return (uint8_t)((26 * (text[0] - 'A') + text[1] - 'A') % UINT8_MAX + 1);
}

/* What Redis had before it was emptied, it does not have. */
struct entry *
tracker_find(struct tracker *t, const uint8_t *infohash)
{
    struct entry *e = table_find(&t->table, infohash);

    if (e == NULL || e->epoch == t->epoch)
        return e;
    e->epoch = t->epoch;
    for (int kind = 0; kind < SWARM_KINDS; kind++) {
        struct swarm_set *set = &e->swarm.sets[kind];

        set->base = 0;
        set->delta = set->used;
        set->since = 0;
        set->key_until_s = 0;
    }
    return e;
}

/* Announces. */

static void
announce_count(enum announce_protocol protocol, bool refused)
{
    static const enum metric rows[2][2] = {
        {M_ANNOUNCES_HTTP, M_ANNOUNCES_HTTP_REFUSED},
        {M_ANNOUNCES_UDP, M_ANNOUNCES_UDP_REFUSED}};

    metrics_add(rows[protocol][refused], 1);
}

static int
announce_refuse(const struct announce *a, const char *why,
                struct announce_answer *ret)
{
    announce_count(a->protocol, true);
    ret->failure = why;
    return 0;
}

const char *
tracker_failure(struct tracker *t, const struct announce *a, int rc)
{
    announce_count(a->protocol, true);
    if (rc != -ENOENT)
        limits_give(&t->strangers, &a->addr, (uint32_t)app_now());
    return rc == -ENOENT ? not_registered : rc == -EAGAIN ? busy : away;
}

/* Whether Redis may be asked; who asks in vain leaves others their share. */
static bool
stranger_may(struct tracker *t, const struct announce *a, int64_t now_ms)
{
    uint32_t left = limits_left(&t->strangers, &a->addr, (uint32_t)app_now());
    bool vain = left + STRANGERS_SOME < t->strangers.limit.burst;

    if (left == 0 || (vain && t->look_count >= LOOKS_MAX / 2))
        return false;
    return allowance_take(&t->strangers_left[vain], STRANGERS_PER_S / 2,
                          now_ms);
}

/* An infohash that no swarm is known of. */
static int
announce_strange(struct tracker *t, const struct announce *a, bool limited,
                 int64_t now_ms, struct announce_answer *ret)
{
    int rc;

    if (table_is_stranger(&t->table, a->infohash, now_ms))
        return announce_refuse(a, not_registered, ret);
    if (limited || t->wait_count >= TRACKER_WAITS_MAX)
        return announce_refuse(a, busy, ret);
    if (look_find(t, a->infohash) != NULL)
        return now_ms < t->slow_until_ms ? announce_refuse(a, away, ret)
                                         : -EINPROGRESS;
    if (!stranger_may(t, a, now_ms))
        return announce_refuse(a, busy, ret);
    rc = look_start(t, a->infohash, NULL, now_ms);
    if (rc == 0) {
        (void)limits_take(&t->strangers, &a->addr, (uint32_t)app_now());
        return -EINPROGRESS;
    }
    return announce_refuse(a, rc == -ENOTCONN ? away : busy, ret);
}

/* Looks at the swarm if it is time; true if the announce is to wait for it. */
static bool
announce_looks(struct tracker *t, struct entry *e, const struct announce *a,
               int64_t now_ms)
{
    bool few = e->announces++ < LOOK_FEW && now_ms >= t->slow_until_ms &&
               a->event != ANNOUNCE_STOPPED &&
               t->wait_count < TRACKER_WAITS_MAX;

    if (now_ms - e->looked_ms < LOOK_STALE_MS)
        return false;
    if (e->looking)
        return few;
    return allowance_take(&t->looks_left, LOOKS_PER_S, now_ms) &&
           look_start(t, e->swarm.infohash, e, now_ms) == 0 && few;
}

void
tracker_expect(const struct tracker *t, const uint8_t *const *infohashes,
               size_t count)
{
    for (int step = 0; step < TABLE_EXPECT_STEPS; step++) {
        for (size_t i = 0; i < count; i++)
            table_expect(&t->table, infohashes[i], step);
    }
}

int
tracker_announce(struct tracker *t, const struct announce *a,
                 struct announce_answer *ret)
{
    uint32_t interval = t->app->options->announce_interval;
    int64_t now_ms = app_ticks_ms();
    struct announce_now now = {.time_s = (uint32_t)app_now(),
                               .random = tracker_random(t),
                               .interval_s = interval,
                               .life_s = tracker_life_s(t),
                               .zone = tracker_zone(t, &a->addr)};
    struct announce_plan plan;
    struct entry *e;

    now.limited = !limits_take(&t->announces, &a->addr, now.time_s);
    e = tracker_find(t, a->infohash);
    if (e == NULL)
        return announce_strange(t, a, now.limited, now_ms, ret);
    e->seen_ms = now_ms;
    if (a->looked)
        limits_give(&t->strangers, &a->addr, now.time_s);
    if (!now.limited && announce_looks(t, e, a, now_ms))
        return -EINPROGRESS;
    if (!store_is_up(t->app->store))
        now.interval_s += interval / 2;
    announce_decide(&e->swarm, &t->table.memory, a, &now, ret, &plan);
    writes_send(t, e, &plan, now.time_s);
    announce_count(a->protocol, false);
    return 0;
}

/* Scrapes. */

struct scraped {
    struct scrape *scrape;
    size_t at;
};

static uint32_t
cut(uint64_t n)
{
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static void
on_counts(void *arg, int rc, uint64_t seeds, uint64_t leechers,
          uint64_t downloaded)
{
    struct scraped *scraped = arg;
    struct scrape *scrape = scraped->scrape;

    if (rc == 0)
        scrape->counts[scraped->at] =
            (struct scrape_counts){.seeds = cut(seeds),
                                   .downloaded = cut(downloaded),
                                   .leechers = cut(leechers)};
    else if (rc == -ENOENT)
        memset(&scrape->counts[scraped->at], 0, sizeof(scrape->counts[0]));
    free(scraped);
    if (--scrape->asked > 0)
        return;
    if (!scrape->late)
        TAILQ_REMOVE(&scrape->tracker->scrapes, scrape, link);
    scrape->done(scrape, true);
}

/* Redis keeps them waiting: what is known here has to do. */
static void
scrapes_expire(struct tracker *t, int64_t now_ms)
{
    struct scrape *scrape;

    while ((scrape = TAILQ_FIRST(&t->scrapes)) != NULL &&
           now_ms - scrape->since_ms >= TRACKER_LATE_MS) {
        TAILQ_REMOVE(&t->scrapes, scrape, link);
        t->slow_until_ms = now_ms + LOOK_SLOW_MS;
        scrape->late = true;
        scrape->done(scrape, false);
    }
}

static void
scrape_local(struct tracker *t, struct scrape *scrape, size_t i)
{
    const struct entry *e = tracker_find(t, scrape->infohash[i]);
    const struct swarm *swarm;

    memset(&scrape->counts[i], 0, sizeof(scrape->counts[i]));
    if (e == NULL)
        return;
    swarm = &e->swarm;
    scrape->counts[i].seeds =
        swarm_count(swarm, SWARM_S4) + swarm_count(swarm, SWARM_S6);
    scrape->counts[i].leechers =
        swarm_count(swarm, SWARM_L4) + swarm_count(swarm, SWARM_L6);
    scrape->counts[i].downloaded = swarm->downloaded;
}

/* What is said here stands if Redis cannot be asked. */
static int
scrape_ask(struct tracker *t, struct scrape *scrape, size_t i, int64_t now_ms)
{
    char hex[2 * SWARM_HASH_BYTES + 1];
    struct scraped *scraped;
    int rc;

    if (table_is_stranger(&t->table, scrape->infohash[i], now_ms))
        return -ENOENT;
    if (now_ms < t->slow_until_ms || !store_has_room(t->app->store) ||
        !allowance_take(&t->scrapes_left, SCRAPES_PER_S, now_ms))
        return -EAGAIN;
    scraped = malloc(sizeof(*scraped));
    if (scraped == NULL)
        return -ENOMEM;
    scraped->scrape = scrape;
    scraped->at = i;
    ol_hex_encode(hex, scrape->infohash[i], SWARM_HASH_BYTES);
    rc = store_swarm_counts(t->app->store, hex, (uint32_t)app_now(), on_counts,
                            scraped);
    if (rc != 0)
        free(scraped);
    return rc;
}

int
tracker_scrape(struct tracker *t, struct scrape *scrape)
{
    int64_t now_ms = app_ticks_ms();

    scrape->tracker = t;
    scrape->asked = 0;
    scrape->late = false;
    scrape->since_ms = now_ms;
    for (size_t i = 0; i < scrape->count; i++) {
        scrape_local(t, scrape, i);
        scrape->asked += scrape_ask(t, scrape, i, now_ms) == 0;
    }
    metrics_add(
        scrape->protocol == ANNOUNCE_UDP ? M_SCRAPES_UDP : M_SCRAPES_HTTP, 1);
    if (scrape->asked == 0)
        return 0;
    TAILQ_INSERT_TAIL(&t->scrapes, scrape, link);
    return -EINPROGRESS;
}

/* Life. */

static void
on_tick(uv_timer_t *timer)
{
    struct tracker *t = timer->data;

    int64_t now_ms = app_ticks_ms();

    looks_tick(t, now_ms);
    scrapes_expire(t, now_ms);
    rewrite_tick(t, now_ms);
    metrics_set(M_TRACKER_SWARMS, t->table.count);
    metrics_set(M_TRACKER_PEERS, t->table.memory.peers);
}

int
tracker_create(struct app *app, struct tracker **ret)
{
    struct tracker *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return -ENOMEM;
    t->app = app;
    t->random = (uint64_t)app_random(0) << 32 | app_random(0) | 1;
    t->announces.seed = t->strangers.seed =
        (uint64_t)app_random(0) << 32 | app_random(0);
    t->announces.limit = ANNOUNCES;
    t->strangers.limit = STRANGERS;
    table_init(&t->table, (uint64_t)app_random(0) << 32 | app_random(0));
    TAILQ_INIT(&t->looks);
    TAILQ_INIT(&t->scrapes);
    uv_timer_init(app->loop, &t->tick);
    uv_timer_init(app->loop, &t->rewriting);
    t->tick.data = t->rewriting.data = t;
    t->handles = 2;
    uv_timer_start(&t->tick, on_tick, TRACKER_TICK_MS, TRACKER_TICK_MS);
    *ret = t;
    return 0;
}

static void
on_closed(uv_handle_t *handle)
{
    struct tracker *t = handle->data;

    if (--t->handles == 0)
        free(t);
}

void
tracker_free(struct tracker *t)
{
    if (t == NULL)
        return;
    table_clear(&t->table);
    uv_close((uv_handle_t *)&t->tick, on_closed);
    uv_close((uv_handle_t *)&t->rewriting, on_closed);
}

void
tracker_refresh(struct tracker *t, bool fresh)
{
    if (t == NULL)
        return;
    if (fresh) {
        t->epoch++;
        t->fresh_ms = app_ticks_ms();
    }
    rewrite_start(t, true);
}
