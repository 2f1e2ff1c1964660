/*
 * Selection as properties: the same from the same, whatever the order; tiers
 * before weights; first places in proportion to weights, over contents and over
 * the variants of one; who fails or is not heard of comes later, never never.
 */
#include "../../lib/selection.c"

#include "tap.h"

#define NODES 24
#define CONTENTS 4000
#define VARIANTS 8

static struct ol_candidate nodes[NODES];
static uint8_t roots[CONTENTS][OL_HASH_BYTES];

static uint32_t
next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static void
fill(uint8_t *dst, uint64_t seed)
{
    for (unsigned i = 0; i < 32; i++)
        dst[i] = (uint8_t)(next(&seed) >> 8);
}

static void
set_up(void)
{
    memset(nodes, 0, sizeof(nodes));
    for (unsigned i = 0; i < NODES; i++) {
        fill(nodes[i].id, 1000 + i);
        nodes[i].held = true;
        nodes[i].spare = OL_SPARE_UNKNOWN;
    }
    for (unsigned i = 0; i < CONTENTS; i++)
        fill(roots[i], 50000 + i);
}

/* How often each of the first `count` nodes comes first. */
static void
first_places(size_t count, double share[NODES])
{
    struct ol_choice choices[NODES];

    memset(share, 0, NODES * sizeof(share[0]));
    for (unsigned c = 0; c < CONTENTS; c++) {
        ol_select(roots[c], c % VARIANTS, nodes, count, choices);
        share[choices[0].candidate] += 1.0 / CONTENTS;
    }
}

static bool
close_to(double got, double want)
{
    /* four standard deviations of a share of CONTENTS draws */
    double tolerance = 4 * sqrt(want * (1 - want) / CONTENTS);

    if (fabs(got - want) <= tolerance)
        return true;
    diag("got %f, expected %f +- %f", got, want, tolerance);
    return false;
}

static void
shuffle(struct ol_candidate *list, size_t count, uint64_t seed)
{
    for (size_t i = count; i > 1; i--) {
        size_t k = next(&seed) % i;
        struct ol_candidate swap = list[k];

        list[k] = list[i - 1];
        list[i - 1] = swap;
    }
}

static void
at_random(struct ol_candidate *c, uint64_t *seed)
{
    c->held = next(seed) % 2;
    c->near = next(seed) % 2;
    c->local = next(seed) % 2;
    c->spare = next(seed) % 4 == 0 ? OL_SPARE_UNKNOWN : 1u << next(seed) % 25;
    c->age_s = next(seed) % 100;
    c->failures = next(seed) % 60;
}

static void
test_order(void)
{
    struct ol_candidate other[NODES];
    struct ol_choice a[NODES], b[NODES];
    unsigned moved = 0, tiers = 0, lost = 0, scores = 0;
    uint64_t seed = 7;

    for (unsigned round = 0; round < 500; round++) {
        unsigned seen = 0;

        for (unsigned i = 0; i < NODES; i++)
            at_random(&nodes[i], &seed);
        memcpy(other, nodes, sizeof(other));
        shuffle(other, NODES, round);
        ol_select(roots[round], round % VARIANTS, nodes, NODES, a);
        ol_select(roots[round], round % VARIANTS, other, NODES, b);
        for (unsigned i = 0; i < NODES; i++) {
            const struct ol_candidate *c = &nodes[a[i].candidate];

            moved += memcmp(c->id, other[b[i].candidate].id, 32) != 0 ||
                     a[i].score != b[i].score;
            seen |= 1u << a[i].candidate;
            tiers += a[i].tier != (c->held ? 0u : 3u) + (c->near    ? 0u
                                                         : c->local ? 1u
                                                                    : 2u);
            tiers += i > 0 && a[i].tier < a[i - 1].tier;
            scores += i > 0 && a[i].tier == a[i - 1].tier &&
                      a[i].score > a[i - 1].score;
            scores += !(a[i].weight > 0) || !(a[i].score > 0) ||
                      !isfinite(a[i].score);
            scores +=
                a[i].weight != a[i].capacity * a[i].freshness * a[i].health;
        }
        lost += seen != (1u << NODES) - 1;
    }
    is_int(moved, 0, "the same from the same, in whatever order it is given");
    is_int(tiers, 0, "holders, near, local: no weight outdoes these");
    is_int(scores, 0, "within a tier, by score");
    is_int(lost, 0, "nobody is left out, and nobody there twice");
    set_up();
}

static void
test_shares(void)
{
    double share[NODES];
    bool good = true;

    first_places(NODES, share);
    for (unsigned i = 0; i < NODES; i++)
        good &= close_to(share[i], 1.0 / NODES);
    ok(good, "nothing known: each as often as any other");

    nodes[0].spare = 1024;
    nodes[1].spare = 2048;
    nodes[2].spare = 4096;
    nodes[3].spare = 8192;
    first_places(4, share);
    ok(close_to(share[0], 1.0 / 15) && close_to(share[1], 2.0 / 15) &&
           close_to(share[2], 4.0 / 15) && close_to(share[3], 8.0 / 15),
       "in proportion to what they can spare");

    nodes[2].spare = OL_SPARE_UNKNOWN;
    nodes[3].spare = 1024;
    first_places(4, share);
    ok(close_to(share[2], 1.0 / 5), "not known: the median of the others");

    for (unsigned i = 0; i < 9; i++)
        nodes[i].spare = 1000 + i % 2;
    nodes[8].spare = OL_SPARE_MAX;
    first_places(9, share);
    ok(share[8] < 0.55, "one that claims all there is: %f, not 1", share[8]);
    nodes[1].spare = OL_SPARE_MAX;
    nodes[0].spare = 1024;
    first_places(2, share);
    ok(close_to(share[1], 8.0 / 9), "nor if it is one of two");
    for (unsigned i = 2; i < 9; i++)
        nodes[i].spare = 0;
    nodes[0].spare = 0;
    nodes[1].spare = 10240;
    first_places(9, share);
    ok(share[1] > 0.99, "what it claims, where the others have nothing");

    nodes[0].spare = 0;
    first_places(1, share);
    ok(share[0] > 0.999, "the only one, though it has nothing to spare");
    set_up();
}

static void
test_variants(void)
{
    struct ol_choice choices[VARIANTS][NODES];
    unsigned differ = 0, firsts = 0;

    for (unsigned c = 0; c < 100; c++) {
        uint32_t seen = 0;

        for (unsigned v = 0; v < VARIANTS; v++)
            ol_select(roots[c], v, nodes, NODES, choices[v]);
        for (unsigned v = 0; v < VARIANTS; v++)
            seen |= 1u << choices[v][0].candidate;
        for (; seen != 0; seen &= seen - 1)
            firsts++;
        differ += choices[0][0].candidate != choices[1][0].candidate;
    }
    /* 24 (1 - (23/24)^8) = 6.93 a content are to be expected */
    ok(firsts > 640 && firsts < 740, "eight variants: %u first ones of %u",
       firsts, 100 * VARIANTS);
    ok(differ > 80, "two variants differ");
}

static void
test_health(void)
{
    double share[NODES];
    uint32_t age = 0;
    double last = 2;
    bool falls = true;

    nodes[0].failures = 3;
    first_places(4, share);
    ok(close_to(share[0], 0.25 / 3.25), "three failures: a quarter");
    nodes[0].failures = OL_FAILURES_MAX;
    first_places(2, share);
    ok(share[0] > 0 && close_to(share[0], 1.0 / 65), "never none");
    set_up();

    nodes[0].age_s = FRESH_S + FADE_S;
    first_places(4, share);
    ok(close_to(share[0], 0.5 / 3.5), "not heard of lately: half");
    nodes[0].age_s = FRESH_S;
    first_places(4, share);
    ok(close_to(share[0], 0.25), "an ordinary pause is none");
    for (; age <= 75; age += 15) {
        falls &= freshness_of(age) <= last;
        last = freshness_of(age);
    }
    ok(falls && last > 0 && freshness_of(UINT32_MAX) > 0,
       "fades, but never to nothing");
    set_up();
}

static void
test_failures(void)
{
    double f = 0;

    f = ol_failures_add(f, 0);
    f = ol_failures_add(f, 0);
    ok(fabs(f - 2) < 1e-9, "failures add up");
    ok(fabs(ol_failures_left(f, OL_FAILURES_HALF_S) - 1) < 1e-9,
       "and count half, later");
    ok(fabs(ol_failures_add(f, OL_FAILURES_HALF_S) - 2) < 1e-9,
       "half and one more");
    ok(fabs(ol_failures_left(f, -1000) - 2) < 1e-9,
       "a clock that was set back changes nothing");
    ok(ol_failures_left(f, 86400) < 1e-6, "a day later it is forgotten");
    for (int i = 0; i < 1000; i++)
        f = ol_failures_add(f, 0);
    ok(f <= OL_FAILURES_MAX && ol_failures_left(f, 3600) < 0.02,
       "a thousand are forgiven in an hour");
}

int
main(void)
{
    set_up();
    test_order();
    test_shares();
    test_variants();
    test_health();
    test_failures();
    ol_select(roots[0], 0, nodes, 0, NULL);
    ok(true, "none to choose from");
    return tap_done();
}
