/*
 * Placement: the properties that make it worth its name.  Every process picks
 * alike, loads follow weights, and a node that comes or goes moves no more than
 * it must.
 */
#include "../../coordinator/contents/placement.c"

#include <stdlib.h>

#include "tap.h"

#define NODES 40
#define CONTENTS 2000
#define WANTED 3
#define SIZE 1000

static const uint8_t salt[OL_SALT_BYTES] = "a salt, 16 bytes";
static uint8_t ids[NODES][32], roots[CONTENTS][32];
static struct placement_node nodes[NODES];

static void
fill(uint8_t *dst, unsigned seed)
{
    for (unsigned i = 0; i < 32; i++) {
        seed = seed * 1664525u + 1013904223u;
        dst[i] = (uint8_t)(seed >> 24);
    }
}

static size_t
pick(unsigned content, size_t ret[PLACEMENT_HOLDERS_MAX], double *min)
{
    return placement_pick(salt, roots[content], SIZE, nodes, NODES, WANTED, ret,
                          min);
}

static bool
contains(const size_t *list, size_t count, size_t what)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == what)
            return true;
    return false;
}

static void
test_pick(void)
{
    size_t got[PLACEMENT_HOLDERS_MAX], bad_order = 0, bad_min = 0, twice = 0;
    double min, score;

    for (unsigned c = 0; c < CONTENTS; c++) {
        must(pick(c, got, &min) == WANTED);
        twice += got[0] == got[1] || got[1] == got[2] || got[0] == got[2];
        for (size_t n = 0; n < NODES; n++) {
            score = placement_score(salt, roots[c], &nodes[n]);
            if (contains(got, WANTED, n))
                bad_min += score < min;
            else
                bad_order += score > min;
        }
    }
    is_int(twice, 0, "three different nodes");
    is_int(bad_order, 0, "no node that is left out has a higher score");
    is_int(bad_min, 0, "the lowest score is told");
}

static void
test_change(void)
{
    size_t before[PLACEMENT_HOLDERS_MAX], after[PLACEMENT_HOLDERS_MAX];
    size_t moved = 0, needless = 0;
    double min;

    for (unsigned c = 0; c < CONTENTS; c++) {
        pick(c, before, &min);
        nodes[7].takes = false;
        pick(c, after, &min);
        nodes[7].takes = true;
        for (size_t i = 0; i < WANTED; i++) {
            moved += !contains(after, WANTED, before[i]);
            needless += before[i] != 7 && !contains(after, WANTED, before[i]);
        }
    }
    is_int(needless, 0, "a dead node moves only what it held");
    ok(moved > CONTENTS * WANTED / NODES / 2 &&
           moved < CONTENTS * WANTED / NODES * 2,
       "and that is its share (%zu)", moved);
}

static void
test_weight(void)
{
    size_t got[PLACEMENT_HOLDERS_MAX], heavy = 0, light = 0;
    double min;

    nodes[0].weight = 10;
    nodes[1].weight = 2.5;
    for (unsigned c = 0; c < CONTENTS; c++) {
        pick(c, got, &min);
        heavy += contains(got, WANTED, 0);
        light += contains(got, WANTED, 1);
    }
    nodes[0].weight = nodes[1].weight = 5;
    ok(heavy > 3 * light && heavy < 6 * light,
       "four times the weight, about four times the contents (%zu, %zu)", heavy,
       light);
    ok(placement_weight(1ull << 40, 0) > placement_weight(1ull << 34, 0),
       "more room weighs more");
    ok(placement_weight(1ull << 40, 0) < 3 * placement_weight(1ull << 34, 0),
       "but a claim of 64 times the room less than 3 times");
    ok(placement_weight(1ull << 34, 1 << 20) <
           placement_weight(1ull << 34, 50 << 20),
       "a faster node weighs more");
    ok(placement_weight(1ull << 34, 1ull << 40) ==
           placement_weight(1ull << 34, 0),
       "no rate at all is the fastest");
    ok(placement_weight(1ull << 60, 0) == placement_weight(4ull << 40, 0),
       "more than 4 TiB weighs no more");
    ok(placement_weight(0, 1) > 0, "no weight is zero");
}

static void
test_edges(void)
{
    size_t got[PLACEMENT_HOLDERS_MAX];
    double min = 1;

    is_int(placement_pick(salt, roots[0], SIZE, nodes, 0, 3, got, &min), 0,
           "no nodes, no holders");
    ok(min == 0, "whom any node beats");
    is_int(placement_pick(salt, roots[0], SIZE, nodes, 2, 3, got, &min), 2,
           "two nodes, two holders");
    is_int(placement_pick(salt, roots[0], SIZE, nodes, NODES, 100, got, &min),
           PLACEMENT_HOLDERS_MAX, "not more than the most");
    for (size_t i = 0; i < NODES; i++)
        nodes[i].takes = i == 5;
    is_int(placement_pick(salt, roots[0], SIZE, nodes, NODES, 3, got, &min), 1,
           "only usable ones");
    is_int(got[0], 5, "that one");
    nodes[5].room = SIZE - 1;
    is_int(placement_pick(salt, roots[0], SIZE, nodes, NODES, 3, got, &min), 0,
           "only those with room");
    nodes[5].keeps = true;
    is_int(placement_pick(salt, roots[0], SIZE, nodes, NODES, 3, got, &min), 1,
           "or with some of it");
    is_int(placement_room(10, 3), 7, "room: what is free and not promised");
    is_int(placement_room(3, 10), 0, "none, if too much was promised");
}

static void
test_rank(void)
{
    struct placement_holder list[] = {{.number = 4, .score = 9},
                                      {3, true, 1, 0, 0, false},
                                      {2, true, 5, 0, 0, false},
                                      {1, true, 5, 0, 0, false},
                                      {5, false, 2, 0, 0, false}};

    is_int(placement_rank(list, 5, 8), 5, "all, if there are not too many");
    ok(list[0].number == 1 && list[1].number == 2 && list[2].number == 3 &&
           list[3].number == 4 && list[4].number == 5,
       "complete first, then by score, then by number");
    is_int(placement_rank(list, 0, 4), 0, "none");
}

/* 60 holders, 20 of them in one network, for 24 places. */
static void
test_choice(void)
{
    size_t crowd = 0, alone = 0, ordered = 0, lost = 0, seen[60] = {0};

    for (unsigned run = 0; run < 3000; run++) {
        struct placement_holder list[60];

        for (unsigned i = 0; i < 60; i++)
            list[i] = (struct placement_holder){
                .number = i,
                .complete = i % 4 != 0,
                .score = i < 20 ? 1000 + i : (double)(rand() % 1000),
                .uniform = (double)rand(),
                .network = i < 20 ? 7 : 100 + i};
        must(placement_rank(list, 60, 24) == 24);
        for (unsigned i = 0, in = 0; i < 24; i++) {
            in += list[i].network == 7;
            seen[list[i].number]++;
            crowd += i == 23 && in > 1 + PLACEMENT_RANDOM;
            ordered += i > 0 && list[i].complete && !list[i - 1].complete;
        }
    }
    for (unsigned i = 0; i < 60; i++) {
        lost += seen[i] == 0 && i % 4 != 0;
        alone += seen[i] == 3000;
    }
    is_int(crowd, 0, "one network has one place, besides random ones");
    is_int(ordered, 0, "complete ones come first");
    is_int(lost, 0, "no complete holder is left out for ever");
    ok(alone >= 1, "the best is always there");
    ok(placement_spare(0, 1 << 30) >= PLACEMENT_UNLIMITED_BPS,
       "one without a limit is not at its end because it sends a lot");
    ok(placement_spare(8000, 9000) <= 1000 &&
           placement_spare(8000, 9000) >= 1000,
       "an eighth of its rate is always there");
    ok(placement_spare_score(1, 1 << 20) > placement_spare_score(1, 1 << 10) &&
           placement_spare_score(1, 0) > placement_spare_score(1, 1),
       "who can spare more scores more; not known is the middle");
}

int
main(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        fill(ids[i], i + 1);
        nodes[i] = (struct placement_node){ids[i], 5, SIZE, true, false};
    }
    for (unsigned i = 0; i < CONTENTS; i++)
        fill(roots[i], 1000 + i);
    test_pick();
    test_change();
    test_weight();
    test_rank();
    test_choice();
    test_edges();
    return tap_done();
}
