/*
 * Who is asked for which pieces: runs for idle sources, sized by how fast
 * they were, and the end of a download, where the fast ones take work from
 * the slow.
 *
 * Owns the owner of every piece and what is known of every source.  Knows no
 * clock, no network and no file.
 */
#include "client/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload/content.h"

#define RUN_MIN (UINT64_C(2) << 20)
#define RUN_MAX (UINT64_C(8) << 20)
#define RUN_SOLE (UINT64_C(64) << 20) /* nobody to share with */
#define RUN_TARGET_MS 1000            /* a run should take about that long */
#define RUN_LEAST_MS 50 /* below, asking costs more than it gains */
#define FAILS_PEER 3    /* in a row, then dead */
#define FAILS_ORIGIN 6
#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS 8000
#define ORIGIN_GRACE_MS                                                        \
    1000                    /* a peer that is asked again so soon may do it    \
                             */
#define STEAL_MARGIN_MS 300 /* what asking anew costs, generously */
#define STOPPED_REST_MS 1000
#define SLOW_AFTER_MS 10000
#define SLOW_BYTES_PER_MS 32 /* 32 kB/s, the peers at hand together */

#define OWNER_NONE 0xff
#define OWNER_DONE 0xfe

struct source {
    enum plan_kind kind;
    bool dead, banned, busy;
    struct plan_run run; /* first: the piece it is at */
    uint64_t run_start_ms, run_bytes;
    uint64_t piece_bytes; /* of the piece it is at */
    uint64_t mark_ms, mark_bytes;
    double speed; /* bytes per ms, 0: not known yet */
    unsigned fails;
    uint64_t retry_at_ms;
    bool partial; /* have counts */
    struct ol_bitmap have;
};

struct plan {
    uint64_t size;
    uint32_t count, done, todo;
    uint32_t window;    /* pieces from here on are not handed out */
    uint32_t todo_from; /* no piece below has OWNER_NONE */
    uint8_t *owner;
    int source_count;
    struct source sources[PLAN_SOURCES];
};

int
plan_create(uint64_t size, struct plan **ret)
{
    uint32_t count = ol_piece_count(size);
    struct plan *plan;

    if (count == 0)
        return -EINVAL;
    plan = calloc(1, sizeof(*plan));
    if (plan == NULL)
        return -ENOMEM;
    plan->owner = malloc(count);
    if (plan->owner == NULL) {
        free(plan);
        return -ENOMEM;
    }
    memset(plan->owner, OWNER_NONE, count);
    plan->size = size;
    plan->count = plan->todo = plan->window = count;
    *ret = plan;
    return 0;
}

void
plan_free(struct plan *plan)
{
    if (plan == NULL)
        return;
    for (int i = 0; i < plan->source_count; i++)
        if (plan->sources[i].partial)
            ol_bitmap_clear(&plan->sources[i].have);
    free(plan->owner);
    free(plan);
}

int
plan_add(struct plan *plan, enum plan_kind kind)
{
    if (plan->source_count == PLAN_SOURCES)
        return -ENOSPC;
    plan->sources[plan->source_count].kind = kind;
    return plan->source_count++;
}

int
plan_set_have(struct plan *plan, int source, const struct ol_bitmap *have)
{
    struct source *s = &plan->sources[source];
    struct ol_bitmap copy;

    if (have != NULL) {
        if (have->count != plan->count)
            return -EINVAL;
        if (ol_bitmap_init(&copy, have->count) != 0)
            return -ENOMEM;
        memcpy(copy.bits, have->bits, ol_bitmap_bytes(have->count));
        copy.set = have->set;
    }
    if (s->partial)
        ol_bitmap_clear(&s->have);
    s->partial = have != NULL;
    if (have != NULL)
        s->have = copy;
    return 0;
}

void
plan_skip(struct plan *plan, uint32_t piece)
{
    if (plan->owner[piece] != OWNER_NONE)
        return;
    plan->owner[piece] = OWNER_DONE;
    plan->todo--;
    plan->done++;
}

void
plan_set_window(struct plan *plan, uint32_t end)
{
    plan->window = end < plan->count ? end : plan->count;
}

static uint64_t
piece_bytes(const struct plan *plan, uint32_t piece)
{
    return ol_piece_length(plan->size, piece);
}

static bool
source_has(const struct source *s, uint32_t piece)
{
    return !s->partial || ol_bitmap_get(&s->have, piece);
}

static bool
source_lost(const struct source *s)
{
    return s->dead || s->banned;
}

/* May this source be given something now, or is it at work? */
static bool
source_usable(const struct source *s, uint64_t now_ms)
{
    return !source_lost(s) && (s->busy || s->retry_at_ms <= now_ms);
}

static unsigned
usable_count(const struct plan *plan, uint64_t now_ms)
{
    unsigned n = 0;

    for (int i = 0; i < plan->source_count; i++)
        n += plan->sources[i].kind == PLAN_PEER &&
             source_usable(&plan->sources[i], now_ms);
    return n;
}

/* Gives back what a source had under way. */
static void
release_run(struct plan *plan, struct source *s)
{
    if (!s->busy)
        return;
    for (uint32_t p = s->run.first; p < s->run.end; p++) {
        plan->owner[p] = OWNER_NONE;
        plan->todo++;
    }
    if (s->run.first < plan->todo_from)
        plan->todo_from = s->run.first;
    s->busy = false;
}

static void
assign_run(struct plan *plan, int source, struct plan_run run, uint64_t now_ms)
{
    struct source *s = &plan->sources[source];

    for (uint32_t p = run.first; p < run.end; p++) {
        if (plan->owner[p] == OWNER_NONE)
            plan->todo--;
        plan->owner[p] = (uint8_t)source;
    }
    s->busy = true;
    s->run = run;
    s->run_start_ms = s->mark_ms = now_ms;
    s->run_bytes = s->piece_bytes = s->mark_bytes = 0;
}

/* How many bytes a source should be asked for at once. */
static uint64_t
run_wish(const struct plan *plan, const struct source *s, uint64_t now_ms)
{
    unsigned sharers = usable_count(plan, now_ms);
    uint64_t wish, share;

    if (s->speed <= 0)
        return 1; /* one piece, to learn */
    wish = (uint64_t)(s->speed * RUN_TARGET_MS);
    if (s->kind == PLAN_ORIGIN || sharers <= 1)
        return wish < RUN_MIN ? RUN_MIN : wish < RUN_SOLE ? wish : RUN_SOLE;
    if (wish < RUN_MIN)
        wish = RUN_MIN;
    if (wish > RUN_MAX)
        wish = RUN_MAX;
    /* Smaller towards the end, so that all finish together. */
    share = (uint64_t)plan->todo * ol_piece_size(plan->size) / (2 * sharers);
    if (share < (uint64_t)(s->speed * RUN_LEAST_MS))
        share = (uint64_t)(s->speed * RUN_LEAST_MS);
    return wish < share ? wish : share;
}

/* The origin is spared what this peer may still give. */
static bool
spares_origin(const struct source *s, uint64_t now_ms)
{
    return s->kind == PLAN_PEER && source_usable(s, now_ms + ORIGIN_GRACE_MS);
}

/* Pieces that nobody but the origin can be asked for now, or soon. */
static bool
orphaned(const struct plan *plan, uint32_t piece, uint64_t now_ms)
{
    for (int i = 0; i < plan->source_count; i++) {
        const struct source *s = &plan->sources[i];

        if (spares_origin(s, now_ms) && source_has(s, piece))
            return false;
    }
    return true;
}

static bool
any_complete_peer(const struct plan *plan, uint64_t now_ms)
{
    for (int i = 0; i < plan->source_count; i++) {
        const struct source *s = &plan->sources[i];

        if (spares_origin(s, now_ms) && !s->partial)
            return true;
    }
    return false;
}

static bool
may_take(const struct plan *plan, const struct source *s, uint32_t piece,
         uint64_t now_ms)
{
    if (plan->owner[piece] != OWNER_NONE)
        return false;
    return s->kind == PLAN_ORIGIN ? orphaned(plan, piece, now_ms)
                                  : source_has(s, piece);
}

static bool
next_free(struct plan *plan, const struct source *s, uint64_t now_ms,
          struct plan_run *ret)
{
    uint64_t wish = run_wish(plan, s, now_ms), bytes;
    uint32_t p;

    if (s->kind == PLAN_ORIGIN && any_complete_peer(plan, now_ms))
        return false;
    while (plan->todo_from < plan->count &&
           plan->owner[plan->todo_from] != OWNER_NONE)
        plan->todo_from++;
    for (p = plan->todo_from; p < plan->window; p++)
        if (may_take(plan, s, p, now_ms))
            break;
    if (p >= plan->window)
        return false;
    ret->first = p;
    bytes = piece_bytes(plan, p++);
    while (p < plan->window && bytes + piece_bytes(plan, p) <= wish &&
           may_take(plan, s, p, now_ms))
        bytes += piece_bytes(plan, p++);
    ret->end = p;
    return true;
}

/* Bytes per ms that a busy source makes now. */
static double
source_rate(const struct source *s, uint64_t now_ms)
{
    double elapsed = (double)(now_ms - s->run_start_ms) + 1;
    double seen = (double)(s->run_bytes + s->piece_bytes) / elapsed;

    if (s->speed > 0 && (elapsed < STEAL_MARGIN_MS || s->speed < seen))
        return s->speed;
    return seen > 0.001 ? seen : 0.001;
}

static double
remaining_ms(const struct plan *plan, const struct source *s, uint64_t now_ms)
{
    uint64_t bytes = 0;

    for (uint32_t p = s->run.first; p < s->run.end; p++)
        bytes += piece_bytes(plan, p);
    return (double)(bytes - s->piece_bytes) / source_rate(s, now_ms);
}

/* Part of the victim's run that it has not begun, or false. */
static bool
steal_tail(const struct plan *plan, const struct source *thief,
           const struct source *victim, uint64_t now_ms, struct plan_run *ret)
{
    uint32_t begun = victim->run.first + 1, tail = victim->run.end - begun;
    double mine = thief->speed, theirs = source_rate(victim, now_ms);
    double share = mine > 0 ? mine / (mine + theirs) : 0.5;
    double piece = (double)piece_bytes(plan, begun - 1);
    double cost = STEAL_MARGIN_MS + (mine > 0 ? piece / mine : 0);
    uint32_t take = (uint32_t)(share * (tail + 1));

    if (tail == 0 || remaining_ms(plan, victim, now_ms) < cost)
        return false;
    if (take < 1)
        take = 1;
    if (take > tail)
        take = tail;
    ret->end = victim->run.end;
    ret->first = ret->end;
    while (take-- > 0 && source_has(thief, ret->first - 1))
        ret->first--;
    return ret->first < ret->end;
}

/* Is it quicker to begin the victim's present, last piece anew? */
static bool
steal_piece(const struct plan *plan, const struct source *thief,
            const struct source *victim, uint64_t now_ms)
{
    uint32_t piece = victim->run.first;

    return victim->run.end == piece + 1 && thief->speed > 0 &&
           source_has(thief, piece) &&
           remaining_ms(plan, victim, now_ms) >
               2 * (double)piece_bytes(plan, piece) / thief->speed +
                   STEAL_MARGIN_MS;
}

static bool
steal(struct plan *plan, int source, uint64_t now_ms, struct plan_run *ret,
      int *ret_stopped)
{
    const struct source *thief = &plan->sources[source];
    double worst = 0;
    int victim = -1;

    for (int i = 0; i < plan->source_count; i++) {
        const struct source *s = &plan->sources[i];
        struct plan_run run;
        double left;

        if (!s->busy || (!steal_tail(plan, thief, s, now_ms, &run) &&
                         !steal_piece(plan, thief, s, now_ms)))
            continue;
        left = remaining_ms(plan, s, now_ms);
        if (left > worst) {
            worst = left;
            victim = i;
        }
    }
    if (victim < 0)
        return false;
    if (steal_tail(plan, thief, &plan->sources[victim], now_ms, ret)) {
        plan->sources[victim].run.end = ret->first;
        return true;
    }
    *ret = plan->sources[victim].run;
    release_run(plan, &plan->sources[victim]);
    plan->sources[victim].retry_at_ms = now_ms + STOPPED_REST_MS;
    *ret_stopped = victim;
    return true;
}

int
plan_next(struct plan *plan, int source, uint64_t now_ms, struct plan_run *ret,
          int *ret_stopped)
{
    struct source *s = &plan->sources[source];
    struct plan_run run;

    *ret_stopped = -1;
    if (plan_state(plan, source, now_ms) != PLAN_READY)
        return -EAGAIN;
    if (!next_free(plan, s, now_ms, &run) &&
        (s->kind == PLAN_ORIGIN ||
         !steal(plan, source, now_ms, &run, ret_stopped)))
        return -EAGAIN;
    assign_run(plan, source, run, now_ms);
    *ret = run;
    return 0;
}

uint32_t
plan_piece(const struct plan *plan, int source)
{
    return plan->sources[source].run.first;
}

void
plan_received(struct plan *plan, int source, uint64_t bytes)
{
    plan->sources[source].piece_bytes += bytes;
    plan->sources[source].mark_bytes += bytes;
}

bool
plan_verified(struct plan *plan, int source, uint64_t now_ms)
{
    struct source *s = &plan->sources[source];
    double speed;

    plan->owner[s->run.first] = OWNER_DONE;
    plan->done++;
    s->run_bytes += piece_bytes(plan, s->run.first);
    s->piece_bytes = 0;
    s->fails = 0;
    s->run.first++;
    if (s->run.first < s->run.end)
        return true;
    speed = (double)s->run_bytes / (double)(now_ms - s->run_start_ms + 1);
    s->speed = s->speed > 0 ? (s->speed + speed) / 2 : speed;
    s->busy = false;
    return false;
}

void
plan_wrong(struct plan *plan, int source)
{
    release_run(plan, &plan->sources[source]);
    plan->sources[source].banned = true;
}

void
plan_failed(struct plan *plan, int source, uint64_t now_ms, uint64_t retry_ms)
{
    struct source *s = &plan->sources[source];
    unsigned limit = s->kind == PLAN_ORIGIN ? FAILS_ORIGIN : FAILS_PEER;

    release_run(plan, s);
    if (retry_ms == 0)
        retry_ms = (uint64_t)RETRY_FIRST_MS << s->fails;
    if (retry_ms > RETRY_MAX_MS)
        retry_ms = RETRY_MAX_MS;
    s->retry_at_ms = now_ms + retry_ms;
    if (++s->fails >= limit)
        s->dead = true;
}

void
plan_drop(struct plan *plan, int source)
{
    release_run(plan, &plan->sources[source]);
    plan->sources[source].dead = true;
}

bool
plan_is_slow(struct plan *plan, int source, uint64_t now_ms)
{
    struct source *s = &plan->sources[source];
    uint64_t bytes = s->mark_bytes, elapsed = now_ms - s->mark_ms;
    unsigned sharers = usable_count(plan, now_ms);

    if (!s->busy || s->kind == PLAN_ORIGIN || elapsed < SLOW_AFTER_MS)
        return false;
    s->mark_ms = now_ms;
    s->mark_bytes = 0;
    return bytes * sharers < elapsed * SLOW_BYTES_PER_MS;
}

enum plan_state
plan_state(const struct plan *plan, int source, uint64_t now_ms)
{
    const struct source *s = &plan->sources[source];

    if (s->banned)
        return PLAN_BANNED;
    if (s->dead)
        return PLAN_DEAD;
    if (s->busy)
        return PLAN_BUSY;
    return s->retry_at_ms > now_ms ? PLAN_WAITING : PLAN_READY;
}

bool
plan_complete(const struct plan *plan)
{
    return plan->done == plan->count;
}

bool
plan_has(const struct plan *plan, uint32_t piece)
{
    return plan->owner[piece] == OWNER_DONE;
}

unsigned
plan_peers(const struct plan *plan)
{
    unsigned n = 0;

    for (int i = 0; i < plan->source_count; i++)
        n += plan->sources[i].kind == PLAN_PEER &&
             !source_lost(&plan->sources[i]);
    return n;
}

bool
plan_hopeless(const struct plan *plan)
{
    if (plan_complete(plan))
        return false;
    for (int i = 0; i < plan->source_count; i++)
        if (!source_lost(&plan->sources[i]))
            return false;
    return true;
}
