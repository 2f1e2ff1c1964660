/*
 * What Redis is asked: whether an infohash is registered, and what other
 * processes have heard of its swarm.
 *
 * At most one look at a swarm is under way; announces may wait for it, but not
 * long.  Must not know what is answered to them.
 */
#include "coordinator/tracker/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload/encoding.h"

bool
allowance_take(struct allowance *allowance, unsigned per_s, int64_t now_ms)
{
    if (allowance->second != now_ms / 1000) {
        allowance->second = now_ms / 1000;
        allowance->left = per_s;
    }
    if (allowance->left == 0)
        return false;
    allowance->left--;
    return true;
}

static struct look_bucket *
look_bucket(struct tracker *t, const uint8_t *infohash)
{
    uint32_t word;

    memcpy(&word, &infohash[SWARM_HASH_BYTES - 4], sizeof(word));
    word = (word ^ (uint32_t)t->table.seed) * UINT32_C(0x9e3779b1);
    return &t->look_buckets[(word >> 16) % LOOK_BUCKETS];
}

struct look *
look_find(struct tracker *t, const uint8_t *infohash)
{
    struct look *look;

    LIST_FOREACH(look, look_bucket(t, infohash), bucket)
    {
        if (memcmp(look->infohash, infohash, SWARM_HASH_BYTES) == 0)
            return look;
    }
    return NULL;
}

/* Whom it lets go may announce again, or cancel others. */
static void
waits_end(struct tracker *t, struct wait_list *waits, int rc)
{
    struct tracker_wait *wait;

    while ((wait = LIST_FIRST(waits)) != NULL) {
        LIST_REMOVE(wait, link);
        wait->waiting = false;
        t->wait_count--;
        wait->done(wait, rc);
    }
}

/* Merging. */

static uint8_t
member_zone(const struct tracker *t, enum swarm_kind kind,
            const uint8_t *member)
{
    size_t len = swarm_member_bytes(kind) - 2;
    struct ol_addr addr = {
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}};

    memcpy(addr.bytes + sizeof(addr.bytes) - len, member, len);
    return tracker_zone(t, &addr);
}

/* What others moved from one role to the other is so here, too. */
static void
peer_learn(struct tracker *t, struct swarm *swarm, enum swarm_kind kind,
           const uint8_t *member, uint32_t expires_s, uint32_t now_s)
{
    struct swarm_memory *memory = &t->table.memory;
    struct swarm_peer peer = {.flags = 0}, other;

    if (expires_s <= now_s || expires_s > now_s + 2 * tracker_life_s(t))
        return;
    if (swarm_find(swarm, memory, swarm_other(kind), member, &other)) {
        if (other.expires_s >= expires_s || other.flags & SWARM_UNWRITTEN)
            return;
        swarm_remove(swarm, memory, swarm_other(kind), member);
    }
    if (!swarm_find(swarm, memory, kind, member, &peer))
        peer.zone = member_zone(t, kind, member);
    peer.member = member;
    if (peer.expires_s < expires_s)
        peer.expires_s = expires_s;
    peer.flags |= SWARM_LEARNT;
    swarm_put(swarm, memory, kind, &peer, now_s);
}

static void
peers_merge(struct tracker *t, struct swarm *swarm, enum swarm_kind kind,
            const struct store_swarm_peers *peers, uint32_t sent_s)
{
    struct swarm_set *set = &swarm->sets[kind];
    uint32_t now_s = (uint32_t)app_now(), expires_s;
    int32_t since = set->since;
    const uint8_t *member;

    for (size_t i = 0; i < peers->listed; i++)
        if (store_swarm_peer(peers, i, swarm_member_bytes(kind), &member,
                             &expires_s))
            peer_learn(t, swarm, kind, member, expires_s, now_s);
    swarm_sweep(swarm, &t->table.memory, kind,
                peers->whole && rewrite_is_done(t)
                    ? sent_s + tracker_life_s(t) - REWRITE_LAG_S
                    : 0);
    set->base = peers->count > INT32_MAX ? INT32_MAX : (uint32_t)peers->count;
    set->delta = since;
}

static void
entry_merge(struct tracker *t, struct entry *e, const struct store_swarm *from,
            uint32_t sent_s)
{
    e->doubted = false;
    e->swarm.downloaded =
        from->downloaded > UINT32_MAX ? UINT32_MAX : (uint32_t)from->downloaded;
    for (int kind = 0; kind < SWARM_KINDS; kind++)
        peers_merge(t, &e->swarm, (enum swarm_kind)kind, &from->peers[kind],
                    sent_s);
}

/* Redis does not know a swarm that is known here: withdrawn, or Redis has lost
 * it and will be told again. */
static void
entry_doubt(struct tracker *t, struct entry *e, int64_t now_ms)
{
    bool lost = t->epoch > 1 && now_ms - t->fresh_ms < DOUBT_GRACE_MS;
    struct doubt *doubt;

    if (!lost && (e->doubted || t->doubt_count == DOUBTS_MAX)) {
        table_add_stranger(&t->table, e->swarm.infohash, now_ms);
        table_drop(&t->table, e);
        return;
    }
    e->doubted = true;
    if (t->doubt_count == DOUBTS_MAX)
        return;
    doubt = &t->doubts[(t->doubt_first + t->doubt_count++) % DOUBTS_MAX];
    memcpy(doubt->infohash, e->swarm.infohash, SWARM_HASH_BYTES);
    doubt->due_ms = now_ms + DOUBT_MS;
}

/* Looking. */

/* Returns what those are told that wait for it. */
static int
look_take(struct tracker *t, const struct look *look, int rc,
          const struct store_swarm *swarm)
{
    int64_t now_ms = app_ticks_ms();
    struct entry *e = tracker_find(t, look->infohash);

    if (e != NULL) {
        e->looking = false;
        e->looked_ms = now_ms;
        e->announces = 0;
        if (rc == 0)
            entry_merge(t, e, swarm, look->sent_s);
        else if (rc == -ENOENT)
            entry_doubt(t, e, now_ms);
        return 0;
    }
    if (rc == -ENOENT)
        table_add_stranger(&t->table, look->infohash, now_ms);
    if (rc != 0)
        return rc;
    e = table_add(&t->table, look->infohash, tracker_random(t));
    if (e == NULL)
        return -ENOMEM;
    e->epoch = t->epoch;
    e->looked_ms = e->seen_ms = now_ms;
    entry_merge(t, e, swarm, look->sent_s);
    return 0;
}

static void
on_look(void *arg, int rc, const struct store_swarm *swarm)
{
    struct look *look = arg;
    struct tracker *t = look->tracker;

    TAILQ_REMOVE(&t->looks, look, link);
    LIST_REMOVE(look, bucket);
    t->look_count--;
    rc = look_take(t, look, rc, swarm);
    waits_end(t, &look->waits, rc);
    free(look);
}

int
look_start(struct tracker *t, const uint8_t *infohash, struct entry *entry,
           int64_t now_ms)
{
    char hex[2 * SWARM_HASH_BYTES + 1];
    struct look *look;
    int rc;

    if (!store_is_up(t->app->store))
        return -ENOTCONN;
    if (t->look_count >= LOOKS_MAX)
        return -EAGAIN;
    look = calloc(1, sizeof(*look));
    if (look == NULL)
        return -EAGAIN;
    look->tracker = t;
    look->sent_ms = now_ms;
    look->sent_s = (uint32_t)app_now();
    LIST_INIT(&look->waits);
    memcpy(look->infohash, infohash, SWARM_HASH_BYTES);
    ol_hex_encode(hex, infohash, SWARM_HASH_BYTES);
    rc = store_swarm_look(t->app->store, hex, look->sent_s,
                          (uint32_t)(tracker_random(t) >> 40),
                          tracker_life_s(t), on_look, look);
    if (rc != 0) {
        free(look);
        return rc;
    }
    TAILQ_INSERT_TAIL(&t->looks, look, link);
    LIST_INSERT_HEAD(look_bucket(t, infohash), look, bucket);
    t->look_count++;
    if (entry != NULL) {
        entry->looking = true;
        for (int kind = 0; kind < SWARM_KINDS; kind++)
            entry->swarm.sets[kind].since = 0;
    }
    return 0;
}

/* Those that Redis keeps waiting are answered from the sample, or refused. */
static void
waits_expire(struct tracker *t, int64_t now_ms)
{
    struct look *look;
    struct entry *e;

    TAILQ_FOREACH(look, &t->looks, link)
    {
        if (now_ms - look->sent_ms < TRACKER_LATE_MS)
            return;
        t->slow_until_ms = now_ms + LOOK_SLOW_MS;
        e = table_find(&t->table, look->infohash);
        if (e != NULL)
            e->looked_ms = now_ms;
        waits_end(t, &look->waits, e != NULL ? 0 : -ETIMEDOUT);
    }
}

void
looks_tick(struct tracker *t, int64_t now_ms)
{
    struct doubt *doubt;
    struct entry *e;

    waits_expire(t, now_ms);
    while (t->doubt_count > 0) {
        doubt = &t->doubts[t->doubt_first];
        if (now_ms < doubt->due_ms)
            return;
        e = tracker_find(t, doubt->infohash);
        if (e != NULL && e->doubted && !e->looking &&
            look_start(t, doubt->infohash, e, now_ms) != 0)
            return;
        t->doubt_first = (t->doubt_first + 1) % DOUBTS_MAX;
        t->doubt_count--;
    }
}

/* Waiting. */

void
tracker_wait(struct tracker *t, const uint8_t infohash[SWARM_HASH_BYTES],
             struct tracker_wait *wait)
{
    struct look *look = look_find(t, infohash);

    LIST_INSERT_HEAD(&look->waits, wait, link);
    wait->waiting = true;
    t->wait_count++;
}

void
tracker_wait_cancel(struct tracker *t, struct tracker_wait *wait)
{
    if (!wait->waiting)
        return;
    LIST_REMOVE(wait, link);
    wait->waiting = false;
    t->wait_count--;
}
