/*
 * The plan of a download as properties, on simulated sources with random
 * speeds, failures and lies: no piece has two sources, nothing is asked for
 * twice that was verified, who lied is never asked again, the origin waits for
 * its turn, and in the end everything has come or nobody is left.
 */
#include "client/plan.c"

#include "tap.h"

#define STEP_MS 10
#define END_MS (2 * 3600 * 1000) /* no simulated download takes longer */

struct actor {
    bool origin;
    double speed;       /* bytes per ms */
    unsigned fail, lie; /* per 1000 steps, per 1000 pieces */
    bool hangs;         /* from some piece on */
    bool busy, banned;
    uint32_t piece, end;
    double got;
    uint64_t stalled_ms;
};

struct world {
    struct plan *plan;
    uint64_t size, now, rng;
    unsigned actor_count;
    struct actor actors[PLAN_SOURCES];
    bool *have;
    unsigned violations;
};

static uint32_t
rnd(struct world *w, uint32_t below)
{
    w->rng = w->rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->rng >> 33) % below;
}

static void
expect(struct world *w, bool good, const char *what)
{
    if (!good && w->violations++ < 5)
        diag("at %llu ms: %s", (unsigned long long)w->now, what);
}

/* No piece is with two actors, and each actor has what the plan thinks. */
static void
check_owners(struct world *w)
{
    uint32_t count = ol_piece_count(w->size);
    uint8_t *owners = calloc(count, 1);

    for (unsigned i = 0; i < w->actor_count; i++) {
        const struct source *s = &w->plan->sources[i];

        expect(w, s->busy == w->actors[i].busy, "busy differs");
        for (uint32_t p = s->run.first; s->busy && p < s->run.end; p++) {
            expect(w, owners[p]++ == 0, "a piece has two sources");
            expect(w, !w->have[p], "a verified piece is asked for again");
            expect(w, w->plan->owner[p] == i, "owner and run differ");
        }
    }
    for (uint32_t p = 0; p < count; p++)
        expect(w, w->have[p] == (w->plan->owner[p] == OWNER_DONE),
               "what is done differs");
    free(owners);
}

static void
ask(struct world *w, unsigned i)
{
    struct actor *a = &w->actors[i];
    struct plan_run run;
    int stopped;

    if (a->busy || plan_next(w->plan, (int)i, w->now, &run, &stopped) != 0)
        return;
    expect(w, !a->banned, "a liar is asked again");
    expect(w, run.first < run.end && run.end <= ol_piece_count(w->size),
           "a run out of bounds");
    if (stopped >= 0) {
        expect(w, w->actors[stopped].busy, "an idle source is stopped");
        w->actors[stopped].busy = false;
    }
    if (a->origin)
        for (unsigned j = 0; j < w->actor_count; j++)
            expect(w,
                   w->actors[j].origin ||
                       plan_state(w->plan, (int)j, w->now) != PLAN_READY,
                   "the origin is asked although a peer is ready");
    a->busy = true;
    a->piece = run.first;
    a->got = 0;
    a->stalled_ms = 0;
}

static void
deliver(struct world *w, unsigned i)
{
    struct actor *a = &w->actors[i];
    uint32_t length = ol_piece_length(w->size, a->piece);
    double before = a->got;

    a->got += a->hangs ? 0 : a->speed * STEP_MS;
    if (a->got > length)
        a->got = length;
    plan_received(w->plan, (int)i, (uint64_t)a->got - (uint64_t)before);
    a->stalled_ms = a->got > before ? 0 : a->stalled_ms + STEP_MS;
    if (rnd(w, 1000) < a->fail || a->stalled_ms > 4000) {
        plan_failed(w->plan, (int)i, w->now, 0);
        a->busy = false;
    } else if (a->got >= length) {
        expect(w, plan_piece(w->plan, (int)i) == a->piece, "another piece");
        if (rnd(w, 1000) < a->lie) {
            plan_wrong(w->plan, (int)i);
            a->busy = false;
            a->banned = true;
            return;
        }
        w->have[a->piece++] = true;
        a->got = 0;
        a->busy = plan_verified(w->plan, (int)i, w->now);
    }
}

static void
play(struct world *w)
{
    while (!plan_complete(w->plan) && !plan_hopeless(w->plan) &&
           w->now < END_MS && w->violations == 0) {
        for (unsigned i = 1; i < w->actor_count; i++)
            ask(w, i);
        ask(w, 0); /* the origin is the last to be asked, as in swarm.c */
        w->now += STEP_MS;
        for (unsigned i = 0; i < w->actor_count; i++) {
            if (w->actors[i].busy)
                deliver(w, i);
            if (plan_is_slow(w->plan, (int)i, w->now)) {
                plan_failed(w->plan, (int)i, w->now, 0);
                w->actors[i].busy = false;
            }
        }
        check_owners(w);
    }
}

static void
world_open(struct world *w, uint64_t size, unsigned actors, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->size = size;
    w->rng = seed * 0x9e3779b97f4a7c15u + 1;
    w->now = 1000;
    must(plan_create(size, &w->plan) == 0);
    w->have = calloc(ol_piece_count(size), sizeof(*w->have));
    w->actor_count = actors;
    for (unsigned i = 0; i < actors; i++) {
        w->actors[i].origin = i == 0;
        w->actors[i].speed = 5000;
        must(plan_add(w->plan, i == 0 ? PLAN_ORIGIN : PLAN_PEER) == (int)i);
    }
}

static void
world_close(struct world *w)
{
    plan_free(w->plan);
    free(w->have);
}

static void
test_random_worlds(void)
{
    unsigned broken = 0, incomplete = 0;

    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct world w;

        world_open(&w, 1 + (seed * 7919 * 65537) % 60000000,
                   2 + (unsigned)(seed % 9), seed);
        for (unsigned i = 0; i < w.actor_count; i++) {
            struct actor *a = &w.actors[i];

            a->speed = (double)(1u << rnd(&w, 16)) / 2;
            a->fail = i > 0 && rnd(&w, 3) == 0 ? rnd(&w, 40) : 0;
            a->lie = i > 0 && rnd(&w, 4) == 0 ? rnd(&w, 300) : 0;
            a->hangs = i > 0 && rnd(&w, 6) == 0;
        }
        w.actors[0].speed = 1000; /* the origin is good */
        play(&w);
        broken += w.violations > 0;
        incomplete += !plan_complete(w.plan);
        world_close(&w);
    }
    is_int(broken, 0, "300 random worlds keep the rules");
    is_int(incomplete, 0, "and all downloads are completed");
}

static void
test_nobody_left(void)
{
    struct world w;

    world_open(&w, 5000000, 3, 7);
    for (unsigned i = 0; i < 3; i++)
        w.actors[i].hangs = true;
    play(&w);
    ok(plan_hopeless(w.plan), "when all hang, it is said to be hopeless");
    ok(w.now < 120000, "within two minutes");
    is_int(w.violations, 0, "by the rules");
    is_int(plan_peers(w.plan), 0, "no peer is left");
    world_close(&w);
}

static void
test_origin_last(void)
{
    struct world w;

    world_open(&w, 30000000, 4, 3);
    play(&w);
    ok(plan_complete(w.plan), "with good peers it completes");
    is_int(w.plan->sources[0].speed, 0, "and the origin gives nothing");
    world_close(&w);
    world_open(&w, 3000000, 2, 3);
    w.actors[1].lie = 1000;
    play(&w);
    ok(plan_complete(w.plan), "with a liar alone the origin fills in");
    is_int(plan_state(w.plan, 1, w.now), PLAN_BANNED, "the liar is banned");
    ok(w.now < 3000, "at once");
    world_close(&w);
}

/* The time that n equal sources take is about a n-th; a slow one is no drag. */
static void
test_speed(void)
{
    struct world w;
    uint64_t alone, four, dragged;

    world_open(&w, 100000000, 2, 1);
    play(&w);
    alone = w.now - 1000;
    world_close(&w);
    world_open(&w, 100000000, 5, 1);
    play(&w);
    four = w.now - 1000;
    world_close(&w);
    world_open(&w, 100000000, 6, 1);
    w.actors[5].speed = 20;
    play(&w);
    dragged = w.now - 1000;
    world_close(&w);
    ok(alone > 19000 && alone < 25000, "one: %llu ms",
       (unsigned long long)alone);
    ok(four < alone * 3 / 10, "four: %llu ms", (unsigned long long)four);
    ok(dragged < four * 12 / 10, "and a very slow one: %llu ms",
       (unsigned long long)dragged);
}

static void
test_faster_get_more(void)
{
    struct world w;
    uint32_t pieces[3] = {0};

    world_open(&w, 60000000, 3, 5);
    w.actors[1].speed = 8000;
    w.actors[2].speed = 1000;
    while (!plan_complete(w.plan)) {
        uint32_t before[3];

        for (unsigned i = 1; i < 3; i++)
            ask(&w, i);
        w.now += STEP_MS;
        for (unsigned i = 1; i < 3; i++) {
            before[i] = w.plan->done;
            if (w.actors[i].busy)
                deliver(&w, i);
            pieces[i] += w.plan->done - before[i];
        }
    }
    ok(pieces[1] > 5 * pieces[2], "eight times as fast: %u pieces to %u",
       pieces[1], pieces[2]);
    world_close(&w);
}

static void
test_window(void)
{
    struct plan *plan;
    struct plan_run run;
    int stopped;

    must(plan_create(100u << 20, &plan) == 0);
    must(plan_add(plan, PLAN_PEER) == 0 && plan_add(plan, PLAN_PEER) == 1);
    plan_set_window(plan, 1);
    is_int(plan_next(plan, 0, 0, &run, &stopped), 0, "inside the window");
    ok(run.first == 0 && run.end == 1, "the one piece that fits");
    is_int(plan_next(plan, 1, 0, &run, &stopped), -EAGAIN, "then no more");
    plan_set_window(plan, 2);
    is_int(plan_next(plan, 1, 0, &run, &stopped), 0, "until it moves");
    is_int(run.first, 1, "to the next");
    plan_free(plan);
}

static void
test_have(void)
{
    struct ol_bitmap have, other;
    struct plan *plan;
    struct plan_run run;
    int stopped;

    must(plan_create(4 * OL_PIECE_MIN, &plan) == 0);
    must(ol_bitmap_init(&have, 4) == 0 && ol_bitmap_init(&other, 5) == 0);
    must(plan_add(plan, PLAN_ORIGIN) == 0 && plan_add(plan, PLAN_PEER) == 1);
    ol_bitmap_put(&have, 2, true);
    is_int(plan_set_have(plan, 1, &other), -EINVAL, "a bitmap that is no fit");
    is_int(plan_set_have(plan, 1, &have), 0, "one that is");
    plan_skip(plan, 0);
    is_int(plan_next(plan, 1, 0, &run, &stopped), 0, "a peer is asked");
    ok(run.first == 2 && run.end == 3, "for what it has");
    is_int(plan_next(plan, 0, 0, &run, &stopped), 0, "the origin is asked");
    is_int(run.first, 1, "for what no peer has");
    ok(!plan_verified(plan, 0, 5) && plan_has(plan, 1), "and gives it");
    ok(!plan_has(plan, 2) && plan_piece(plan, 1) == 2,
       "the peer is at its own");
    plan_drop(plan, 1);
    is_int(plan_state(plan, 1, 9), PLAN_DEAD, "a dropped peer is dead");
    ok(!plan_hopeless(plan), "the origin is left");
    ol_bitmap_clear(&have);
    ol_bitmap_clear(&other);
    plan_free(plan);
}

static void
test_limits(void)
{
    struct plan *plan;

    is_int(plan_create(0, &plan), -EINVAL, "an empty content has no plan");
    must(plan_create(1, &plan) == 0);
    for (int i = 0; i < PLAN_SOURCES; i++)
        must(plan_add(plan, PLAN_PEER) == i);
    is_int(plan_add(plan, PLAN_PEER), -ENOSPC, "sources are bounded");
    plan_free(plan);
    plan_free(NULL);
}

int
main(void)
{
    test_random_worlds();
    test_nobody_left();
    test_origin_last();
    test_speed();
    test_faster_get_more();
    test_window();
    test_have();
    test_limits();
    return tap_done();
}
