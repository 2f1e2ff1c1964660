/*
 * Placement as a whole, over thousands of random cases: the least is kept while
 * nodes suffice, nobody is overfilled, loads follow weights, a node that leaves
 * moves its share, and what moved goes back when it returns.
 */
#include "../../coordinator/contents/placement.c"

#include <string.h>

#include "tap.h"

#define NODES_MAX 60
#define CONTENTS_MAX 6000
#define FEW 200 /* contents of a node, below which chance outweighs */

struct world {
    size_t nodes, contents, least;
    uint8_t ids[NODES_MAX][32], roots[CONTENTS_MAX][32];
    uint8_t salt[OL_SALT_BYTES];
    struct placement_node node[NODES_MAX];
    uint64_t free[NODES_MAX], promised[NODES_MAX], size[CONTENTS_MAX];
    size_t count[CONTENTS_MAX];
    size_t placed[CONTENTS_MAX][PLACEMENT_HOLDERS_MAX];
};
static struct world w;

static uint64_t
next(void)
{
    static uint64_t x = 88172645463325252ull;

    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}

static void
fill(uint8_t *dst, size_t len)
{
    for (size_t i = 0; i < len; i++)
        dst[i] = (uint8_t)(next() >> 24);
}

/* Nodes of 20 GB to 4 TB with 10 to 1000 Mbit/s. */
static void
world_make(size_t nodes, size_t contents, size_t least)
{
    memset(&w, 0, sizeof(w));
    w.nodes = nodes;
    w.contents = contents;
    w.least = least;
    fill(w.salt, sizeof(w.salt));
    for (size_t i = 0; i < nodes; i++) {
        w.free[i] = 20000000000ull << next() % 8;
        fill(w.ids[i], 32);
        w.node[i] = (struct placement_node){
            .id = w.ids[i],
            .weight = placement_weight(w.free[i], 1250000ull << next() % 7),
            .takes = true};
    }
    for (size_t i = 0; i < contents; i++) {
        fill(w.roots[i], 32);
        w.size[i] = 1000000 + next() % 1000000000;
    }
}

/* As the coordinator does: what a content itself was promised counts as room.
 */
static void
place(size_t c, bool reckon)
{
    double min;

    for (size_t i = 0; i < w.count[c]; i++)
        w.promised[w.placed[c][i]] -= w.size[c];
    for (size_t i = 0; i < w.nodes; i++)
        w.node[i].room =
            reckon ? placement_room(w.free[i], w.promised[i]) : UINT64_MAX;
    w.count[c] = placement_pick(w.salt, w.roots[c], w.size[c], w.node, w.nodes,
                                w.least, w.placed[c], &min);
    for (size_t i = 0; i < w.count[c]; i++)
        w.promised[w.placed[c][i]] += w.size[c];
}

static bool
is_placed(size_t c, size_t node)
{
    for (size_t i = 0; i < w.count[c]; i++)
        if (w.placed[c][i] == node)
            return true;
    return false;
}

static void
test_room(void)
{
    size_t below = 0, over = 0, needless = 0, cases = 0;

    for (unsigned run = 0; run < 40; run++) {
        world_make(4 + next() % 20, 500 + next() % 1000, 1 + next() % 4);
        for (size_t i = 0; i < w.nodes; i++)
            w.free[i] /= 100; /* some are full before all is placed */
        for (size_t c = 0; c < w.contents; c++) {
            size_t fits = 0;

            for (size_t i = 0; i < w.nodes; i++)
                fits += w.free[i] - w.promised[i] >= w.size[c];
            place(c, true);
            below += w.count[c] < (fits < w.least ? fits : w.least);
            cases++;
        }
        for (size_t i = 0; i < w.nodes; i++)
            over += w.promised[i] > w.free[i];
        for (size_t c = 0; c < w.contents; c++) {
            size_t before[PLACEMENT_HOLDERS_MAX], count = w.count[c];

            memcpy(before, w.placed[c], sizeof(before));
            place(c, true);
            for (size_t i = 0; i < count; i++)
                needless += w.count[c] < count && !is_placed(c, before[i]);
        }
    }
    is_int(below, 0, "the least has room, so the least is placed (%zu cases)",
           cases);
    is_int(over, 0, "no node is promised more than it has");
    is_int(needless, 0, "placed again, no content has fewer nodes");
}

static void
test_load(void)
{
    size_t beyond = 0, cases = 0;
    double worst = 0;

    for (unsigned run = 0; run < 10; run++) {
        double sum = 0, load[NODES_MAX] = {0}, share;

        world_make(30 + next() % 31, CONTENTS_MAX, 3);
        for (size_t i = 0; i < w.nodes; i++)
            sum += w.node[i].weight;
        for (size_t c = 0; c < w.contents; c++) {
            place(c, false);
            for (size_t i = 0; i < w.count[c]; i++)
                load[w.placed[c][i]]++;
        }
        for (size_t i = 0; i < w.nodes; i++) {
            share = 3.0 * CONTENTS_MAX * w.node[i].weight / sum;
            if (share < FEW) /* chance: three times its deviation */
                share += 3 * sqrt(share) / 1.25;
            beyond += load[i] > 1.25 * share;
            worst = load[i] / share > worst ? load[i] / share : worst;
            cases++;
        }
    }
    ok(beyond == 0, "load within 1.25 of the share by weight (%.3f, %zu nodes)",
       worst, cases);
}

static void
test_leaving(void)
{
    size_t cases = 0, more = 0, foreign = 0, back = 0;

    for (unsigned run = 0; run < 30; run++) {
        size_t gone, moved = 0, held = 0;
        static struct world before;

        world_make(10 + next() % 50, 2000, 3);
        for (size_t c = 0; c < w.contents; c++)
            place(c, true);
        before = w;
        gone = next() % w.nodes;
        w.node[gone].takes = false;
        for (size_t c = 0; c < w.contents; c++) {
            held += is_placed(c, gone);
            place(c, true);
            for (size_t i = 0; i < w.count[c]; i++) {
                bool was = false;

                for (size_t j = 0; j < before.count[c]; j++)
                    was |= before.placed[c][j] == w.placed[c][i];
                moved += !was;
            }
            foreign += is_placed(c, gone);
        }
        more += (double)moved > 1.05 * (double)held;
        w.node[gone].takes = true;
        for (size_t c = 0; c < w.contents; c++) {
            place(c, true);
            for (size_t i = 0; i < before.count[c]; i++)
                back += !is_placed(c, before.placed[c][i]);
        }
        cases += w.contents;
    }
    is_int(more, 0, "a node's leaving moves its share and 5 %% at most (%zu)",
           cases);
    is_int(foreign, 0, "nothing is left on it");
    is_int(back, 0, "all goes back where it was when it returns");
}

/* More nodes wanted, then fewer: those that are added are the first to go. */
static void
test_growth(void)
{
    size_t lost = 0;
    double min;

    world_make(40, 2000, 3);
    for (size_t c = 0; c < w.contents; c++) {
        size_t few[PLACEMENT_HOLDERS_MAX], many[PLACEMENT_HOLDERS_MAX];
        size_t some = 1 + next() % 8, all = some + next() % 16;

        for (size_t i = 0; i < w.nodes; i++)
            w.node[i].room = UINT64_MAX;
        placement_pick(w.salt, w.roots[c], w.size[c], w.node, w.nodes, some,
                       few, &min);
        placement_pick(w.salt, w.roots[c], w.size[c], w.node, w.nodes, all,
                       many, &min);
        lost += memcmp(few, many, some * sizeof(few[0])) != 0;
    }
    is_int(lost, 0, "growing adds, shrinking takes away the last ones");
}

int
main(void)
{
    test_room();
    test_load();
    test_leaving();
    test_growth();
    return tap_done();
}
