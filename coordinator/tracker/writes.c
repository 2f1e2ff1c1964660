/*
 * What Redis is told of peers: what an announce has changed, and the samples
 * again when Redis has lost them.
 *
 * What is refused (Redis is away, or too much is unanswered) stays marked in
 * the sample, and is told later.  Must not know who announces.
 */
#include "coordinator/tracker/state.h"

#include <string.h>

/* The key has to last as long as any of its peers. */
static void
key_renew(struct tracker *t, struct swarm *swarm, enum swarm_kind kind,
          uint32_t now_s)
{
    struct swarm_set *set = &swarm->sets[kind];
    uint32_t life_s = tracker_life_s(t);
    uint32_t spare_s = life_s / 10 + SWARM_KEY_SPARE_S;

    /* With its last peer the key went, perhaps by another process. */
    if (set->key_until_s >= now_s + life_s && swarm_count(swarm, kind) > 1)
        return;
    if (store_swarm_renew(t->app->store, swarm->hex, kind, life_s + spare_s) ==
        0)
        set->key_until_s = now_s + life_s + spare_s;
}

static int
peer_write(struct tracker *t, struct swarm *swarm, enum swarm_kind kind,
           const struct swarm_peer *peer, uint32_t now_s)
{
    int rc;

    if (peer->flags & SWARM_COMPLETED)
        rc = store_swarm_completed(
            t->app->store, swarm->hex, kind, peer->member, peer->expires_s,
            tracker_life_s(t) + tracker_life_s(t) / 10 + SWARM_KEY_SPARE_S);
    else
        rc = store_swarm_put(t->app->store, swarm->hex, kind, peer->member,
                             peer->expires_s);
    if (rc == 0)
        key_renew(t, swarm, kind, now_s);
    else
        t->rewrite_again = true;
    return rc;
}

static void
peer_mark(struct tracker *t, struct swarm *swarm, enum swarm_kind kind,
          const uint8_t *member, unsigned flags, uint32_t now_s)
{
    struct swarm_peer peer;

    if (!swarm_find(swarm, &t->table.memory, kind, member, &peer))
        return;
    peer.flags = flags;
    swarm_put(swarm, &t->table.memory, kind, &peer, now_s);
}

void
writes_send(struct tracker *t, struct entry *entry,
            const struct announce_plan *plan, uint32_t now_s)
{
    struct swarm *swarm = &entry->swarm;

    for (size_t i = 0; i < plan->count; i++) {
        enum announce_write what = plan->writes[i].what;
        enum swarm_kind kind = plan->writes[i].kind;
        struct swarm_peer peer = {.member = plan->member,
                                  .expires_s = plan->expires_s};

        if (what == ANNOUNCE_REMOVE) {
            store_swarm_remove(t->app->store, swarm->hex, kind, plan->member);
            continue;
        }
        if (what == ANNOUNCE_COMPLETE)
            peer.flags = SWARM_COMPLETED;
        if (peer_write(t, swarm, kind, &peer, now_s) != 0)
            peer_mark(t, swarm, kind, plan->member,
                      peer.flags | SWARM_UNWRITTEN, now_s);
    }
}

/* The samples again. */

struct rewrite {
    struct tracker *tracker;
    struct swarm *swarm;
    enum swarm_kind kind;
    uint32_t now_s;
};

static void
on_peer(void *arg, const struct swarm_peer *peer)
{
    const struct rewrite *r = arg;
    unsigned flags = peer->flags & SWARM_COMPLETED;

    if (peer->expires_s <= r->now_s ||
        (!r->tracker->rewrite_all && (peer->flags & SWARM_UNWRITTEN) == 0))
        return;
    if (peer_write(r->tracker, r->swarm, r->kind, peer, r->now_s) == 0) {
        if (peer->flags != 0)
            peer_mark(r->tracker, r->swarm, r->kind, peer->member, 0, r->now_s);
    } else {
        peer_mark(r->tracker, r->swarm, r->kind, peer->member,
                  flags | SWARM_UNWRITTEN, r->now_s);
    }
}

static void
entry_rewrite(struct tracker *t, struct entry *e, uint32_t now_s)
{
    struct rewrite r = {t, &e->swarm, SWARM_S4, now_s};

    for (int kind = 0; kind < SWARM_KINDS; kind++) {
        r.kind = (enum swarm_kind)kind;
        swarm_visit(&e->swarm, r.kind, on_peer, &r);
    }
}

static void
on_rewriting(uv_timer_t *timer)
{
    struct tracker *t = timer->data;
    uint32_t now_s = (uint32_t)app_now();

    if (!store_is_up(t->app->store)) {
        uv_timer_stop(timer); /* tracker_refresh starts it again */
        return;
    }
    if (t->rewrite > t->table.count)
        t->rewrite = t->table.count;
    for (int i = 0; i < REWRITE_SWARMS && t->rewrite > 0 &&
                    store_swarm_has_room(t->app->store);
         i++) {
        struct entry *e = t->table.all[--t->rewrite];

        entry_rewrite(t, tracker_find(t, e->swarm.infohash), now_s);
    }
    if (t->rewrite == 0)
        uv_timer_stop(timer);
}

void
rewrite_start(struct tracker *t, bool all)
{
    t->rewrite = t->table.count;
    t->rewrite_all = all;
    t->rewrite_again = false;
    t->breaks = store_swarm_breaks(t->app->store);
    uv_timer_start(&t->rewriting, on_rewriting, REWRITE_TICK_MS,
                   REWRITE_TICK_MS);
}

bool
rewrite_is_done(const struct tracker *t)
{
    return t->rewrite == 0 && !t->rewrite_again && !t->full &&
           t->breaks == store_swarm_breaks(t->app->store);
}

static void
on_probed(void *arg, int rc)
{
    struct tracker *t = arg;
    bool was_full = t->full;

    t->probing = false;
    t->full = rc != 0;
    if (t->full || t->rewrite > 0)
        return;
    if (was_full || t->breaks != store_swarm_breaks(t->app->store))
        rewrite_start(t, true);
    else if (t->rewrite_again)
        rewrite_start(t, false);
}

void
rewrite_tick(struct tracker *t, int64_t now_ms)
{
    if (t->probing || now_ms - t->probed_ms < REWRITE_AGAIN_MS ||
        store_swarm_probe(t->app->store, on_probed, t) != 0)
        return;
    t->probing = true;
    t->probed_ms = now_ms;
}
