/*
 * What one announce does to a swarm and what it is answered.
 *
 * Must not know Redis, HTTP or UDP.
 */
#include "coordinator/tracker/announce.h"

#include <string.h>

static bool
is_v4(const struct ol_addr *addr)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};

    return memcmp(addr->bytes, mapped, sizeof(mapped)) == 0;
}

static void
member_make(const struct announce *a, uint8_t member[SWARM_V6_BYTES])
{
    size_t len = is_v4(&a->addr) ? 4 : 16;

    memcpy(member, a->addr.bytes + 16 - len, len);
    member[len] = (uint8_t)(a->port >> 8);
    member[len + 1] = (uint8_t)a->port;
}

static void
plan_add(struct announce_plan *plan, enum announce_write what,
         enum swarm_kind kind)
{
    plan->writes[plan->count].what = what;
    plan->writes[plan->count++].kind = kind;
}

/* It may be listed as either, by another process too. */
static void
peer_stop(struct swarm *swarm, struct swarm_memory *memory,
          enum swarm_kind kind, struct announce_plan *plan)
{
    for (int i = 0; i < 2; i++, kind = swarm_other(kind)) {
        swarm_remove(swarm, memory, kind, plan->member);
        plan_add(plan, ANNOUNCE_REMOVE, kind);
    }
}

/*
 * A write that would move its end by less than a tenth is left out, and then
 * the sample keeps the end that was written.
 */
static void
peer_put(struct swarm *swarm, struct swarm_memory *memory,
         const struct announce *a, const struct announce_now *now,
         enum swarm_kind kind, struct announce_plan *plan)
{
    enum swarm_kind other = swarm_other(kind);
    struct swarm_peer peer = {.flags = 0}, changed;
    bool known = swarm_find(swarm, memory, kind, plan->member, &peer);
    bool moved = swarm_remove(swarm, memory, other, plan->member);
    bool completed = a->event == ANNOUNCE_COMPLETED && a->left == 0;

    if ((completed && !known) || peer.flags & SWARM_COMPLETED) {
        if (moved)
            swarm->downloaded++;
        plan_add(plan, ANNOUNCE_COMPLETE, kind);
    } else if (!known || moved || peer.flags & SWARM_UNWRITTEN ||
               peer.expires_s + now->life_s / 10 <= plan->expires_s) {
        plan_add(plan, ANNOUNCE_PUT, kind);
        /* A new seed was a leecher before, which another process may have
         * listed.  The other way round is rare, and ends by itself. */
        if (moved || (!known && a->left == 0))
            plan_add(plan, ANNOUNCE_REMOVE, other);
    } else {
        return;
    }
    changed = (struct swarm_peer){.member = plan->member,
                                  .expires_s = plan->expires_s,
                                  .zone = now->zone};
    swarm_put(swarm, memory, kind, &changed, now->time_s);
}

/* What one family has: leechers for all, and for who is no seed as many seeds.
 */
static size_t
family_hand(const struct swarm *swarm, const struct swarm_memory *memory,
            enum swarm_kind seeds, const struct swarm_asker *asker,
            bool wants_seeds, uint8_t *to, size_t max)
{
    enum swarm_kind leechers = swarm_other(seeds);
    size_t share = max, count;

    if (wants_seeds)
        share = swarm->sets[seeds].used <= max / 2
                    ? max - swarm->sets[seeds].used
                    : max / 2;
    count = swarm_hand(swarm, memory, leechers, asker, to, share);
    if (wants_seeds)
        count +=
            swarm_hand(swarm, memory, seeds, asker,
                       to + count * swarm_member_bytes(seeds), max - count);
    return count;
}

/* The asker's own family first; the other fills up, where it can be said. */
static void
peers_hand(const struct swarm *swarm, const struct swarm_memory *memory,
           const struct announce *a, const struct announce_now *now,
           const uint8_t *member, struct announce_answer *ret)
{
    bool v4 = is_v4(&a->addr), http = a->protocol == ANNOUNCE_HTTP;
    bool seeds = a->left != 0 && a->event != ANNOUNCE_PAUSED;
    size_t max = a->want < 0 ? TRACKER_WANT_DEFAULT : (size_t)a->want;
    struct swarm_asker asker = {
        .now_s = now->time_s, .random = now->random, .zone = now->zone};

    if (max > TRACKER_WANT_MAX)
        max = TRACKER_WANT_MAX;
    if (v4 || http) {
        asker.member = v4 ? member : NULL;
        if (v4)
            ret->count4 = family_hand(swarm, memory, SWARM_S4, &asker, seeds,
                                      ret->peers4, max);
    }
    if (!v4 || http) {
        asker.member = v4 ? NULL : member;
        ret->count6 = family_hand(swarm, memory, SWARM_S6, &asker, seeds,
                                  ret->peers6, max - ret->count4);
    }
    if (!v4 && http) {
        asker.member = NULL;
        ret->count4 = family_hand(swarm, memory, SWARM_S4, &asker, seeds,
                                  ret->peers4, max - ret->count6);
    }
}

static void
interval_set(const struct announce_now *now, struct announce_answer *ret)
{
    uint32_t tenth = now->interval_s / 10;

    ret->interval = now->interval_s - tenth +
                    (uint32_t)((now->random >> 16) % (2 * tenth + 1));
    ret->min_interval = ret->interval - ret->interval / 10;
}

void
announce_decide(struct swarm *swarm, struct swarm_memory *memory,
                const struct announce *a, const struct announce_now *now,
                struct announce_answer *ret, struct announce_plan *plan)
{
    enum swarm_kind kind = is_v4(&a->addr) ? SWARM_S4 : SWARM_S6;

    ret->failure = NULL;
    ret->count4 = ret->count6 = 0;
    plan->count = 0;
    plan->expires_s = now->time_s + now->life_s;
    member_make(a, plan->member);
    interval_set(now, ret);
    if (a->port != 0 && !now->limited) {
        if (a->event == ANNOUNCE_STOPPED)
            peer_stop(swarm, memory, kind, plan);
        else
            peer_put(swarm, memory, a, now,
                     a->left == 0 ? kind : swarm_other(kind), plan);
    }
    if (a->event != ANNOUNCE_STOPPED && !now->limited)
        peers_hand(swarm, memory, a, now, plan->member, ret);
    ret->seeds = swarm_count(swarm, SWARM_S4) + swarm_count(swarm, SWARM_S6);
    ret->leechers = swarm_count(swarm, SWARM_L4) + swarm_count(swarm, SWARM_L6);
    ret->downloaded = swarm->downloaded;
}
