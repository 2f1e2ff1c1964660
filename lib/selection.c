/*
 * Selection: tiers, weights, and the draw within a tier.
 *
 * Must not know clocks, requests, nor where candidates come from.
 */
#include "offload/selection.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "offload/rendezvous.h"

/*
 * Heard within FRESH_S, a node counts in full (coordinators speak every ten
 * seconds); after that half as much each FADE_S.
 */
#define FRESH_S 15
#define FADE_S 15
#define FADE_MAX_S 300

/* A node without capacity left still gets a client now and then. */
#define CAPACITY_MIN 1.0

static unsigned
tier_of(const struct ol_candidate *c)
{
    unsigned place = c->near ? 0 : c->local ? 1 : 2;

    return c->held ? place : 3 + place;
}

static double
freshness_of(uint32_t age_s)
{
    if (age_s <= FRESH_S)
        return 1;
    if (age_s > FADE_MAX_S)
        age_s = FADE_MAX_S;
    return exp2(-(double)(age_s - FRESH_S) / FADE_S);
}

static double
health_of(double failures)
{
    return 1 / (1 + failures);
}

static double
capacity_of(uint32_t spare)
{
    return spare > CAPACITY_MIN ? (double)spare : CAPACITY_MIN;
}

static int
spare_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

struct scale {
    double neutral; /* of a node of which nothing is known: an ordinary one */
    double most;    /* that any node counts with */
};

/*
 * Nobody checks what a node claims, so it counts with a few times what others
 * claim that have something to spare, at most; of an even number of claims,
 * the lower one is in the middle, so that one of two cannot move it.
 */
static struct scale
scale_of(const struct ol_candidate *candidates, size_t count)
{
    struct scale scale = {CAPACITY_MIN, OL_SPARE_MAX};
    uint32_t spare[OL_SELECTION_MAX];
    size_t known = 0, none = 0;

    for (size_t i = 0; i < count; i++)
        if (candidates[i].spare != OL_SPARE_UNKNOWN)
            spare[known++] = candidates[i].spare;
    if (known == 0)
        return scale;
    qsort(spare, known, sizeof(spare[0]), spare_compare);
    while (none < known && spare[none] <= CAPACITY_MIN)
        none++;
    scale.neutral = capacity_of(spare[(known - 1) / 2]);
    if (none < known)
        scale.most = OL_SPARE_TIMES * (double)spare[(none + known - 1) / 2];
    return scale;
}

struct drawn {
    struct ol_choice choice;
    const uint8_t *id;
};

static int
drawn_compare(const void *a, const void *b)
{
    const struct drawn *x = a, *y = b;

    if (x->choice.tier != y->choice.tier)
        return x->choice.tier < y->choice.tier ? -1 : 1;
    if (x->choice.score != y->choice.score)
        return x->choice.score > y->choice.score ? -1 : 1;
    return memcmp(x->id, y->id, OL_KEY_BYTES);
}

void
ol_select(const uint8_t root[OL_HASH_BYTES], unsigned variant,
          const struct ol_candidate *candidates, size_t count,
          struct ol_choice *ret)
{
    uint8_t salt[OL_SALT_BYTES] = "offload variant";
    struct drawn drawn[OL_SELECTION_MAX];
    struct scale scale;

    assert(count <= OL_SELECTION_MAX);
    salt[OL_SALT_BYTES - 1] = (uint8_t)variant;
    scale = scale_of(candidates, count);
    for (size_t i = 0; i < count; i++) {
        const struct ol_candidate *c = &candidates[i];
        struct ol_choice *choice = &drawn[i].choice;

        drawn[i].id = c->id;
        choice->candidate = i;
        choice->tier = tier_of(c);
        choice->capacity = c->spare == OL_SPARE_UNKNOWN
                               ? scale.neutral
                               : fmin(capacity_of(c->spare), scale.most);
        choice->freshness = freshness_of(c->age_s);
        choice->health = health_of(c->failures);
        choice->weight = choice->capacity * choice->freshness * choice->health;
        choice->score = ol_rendezvous_score(salt, root, c->id, choice->weight);
    }
    qsort(drawn, count, sizeof(drawn[0]), drawn_compare);
    for (size_t i = 0; i < count; i++)
        ret[i] = drawn[i].choice;
}

double
ol_failures_left(double failures, int64_t elapsed_s)
{
    if (elapsed_s <= 0) /* the clock was set back */
        return failures;
    return failures * exp2(-(double)elapsed_s / OL_FAILURES_HALF_S);
}

double
ol_failures_add(double failures, int64_t elapsed_s)
{
    return fmin(ol_failures_left(failures, elapsed_s) + 1, OL_FAILURES_MAX);
}
