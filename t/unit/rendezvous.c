/*
 * Rendezvous hashing: fixed values that every implementation must give, shares
 * in proportion to weights, and that little moves when nodes come and go.
 */
#include "../../lib/rendezvous.c"

#include <stdbool.h>

#include "tap.h"

#define NODES 20
#define CONTENTS 20000

static const uint8_t salt[OL_SALT_BYTES] = "0123456789abcdef";
static uint8_t ids[NODES][32];

static void
root_of(unsigned content, uint8_t root[32])
{
    ol_sha256(&content, sizeof(content), root);
}

/* By Python's hashlib and decimals of 60 digits. */
static void
test_fixed(void)
{
    const double want = 0.611518637489293015516711362441659119;
    uint8_t root[32], id[32], zeros[16] = {0};
    double score;

    memset(root, 0x11, sizeof(root));
    memset(id, 0x22, sizeof(id));
    score = ol_rendezvous_score(zeros, root, id, 1.0);
    ok(fabs(score / want - 1) < 1e-12, "a fixed score: %.17g", score);
    ok(fabs(ol_rendezvous_score(zeros, root, id, 3.0) / score - 3) < 1e-12,
       "weight is a factor");
    ok(ol_rendezvous_score(salt, root, id, 1.0) != score, "salt matters");
    root[31] ^= 1;
    ok(ol_rendezvous_score(zeros, root, id, 1.0) != score, "the root does");
    root[31] ^= 1;
    id[31] ^= 1;
    ok(ol_rendezvous_score(zeros, root, id, 1.0) != score, "the id does");
}

static void
test_extremes(void)
{
    const uint64_t top = UINT64_MAX, half = UINT64_C(1) << 63;
    double seam =
        ol_rendezvous_score_of(half, 1) - ol_rendezvous_score_of(half - 1, 1);

    ok(isfinite(ol_rendezvous_score_of(top, 1)) &&
           ol_rendezvous_score_of(top, 1) > 1e19,
       "the best");
    ok(ol_rendezvous_score_of(top, 1) > ol_rendezvous_score_of(top - 1, 1),
       "is above the next");
    ok(ol_rendezvous_score_of(0, 1) > 0 && ol_rendezvous_score_of(0, 1) < 0.03,
       "the worst");
    ok(seam >= 0 && seam < 1e-12, "no step between the two formulas");
}

/* Four nodes of different weights. */
static void
test_proportions(void)
{
    static const double weights[] = {1, 2, 5, 12};
    const unsigned n = sizeof(weights) / sizeof(weights[0]);
    unsigned wins[4] = {0};
    double chi2 = 0;

    for (unsigned c = 0; c < CONTENTS; c++) {
        uint8_t root[32];
        unsigned best = 0;
        double top = -1;

        root_of(c, root);
        for (unsigned i = 0; i < n; i++) {
            double s = ol_rendezvous_score(salt, root, ids[i], weights[i]);

            if (s > top) {
                top = s;
                best = i;
            }
        }
        wins[best]++;
    }
    for (unsigned i = 0; i < n; i++) {
        double want = CONTENTS * weights[i] / 20;

        chi2 += (wins[i] - want) * (wins[i] - want) / want;
    }
    /* 3 degrees of freedom: one in a thousand seeds is above 16.3. */
    ok(chi2 < 16.3, "wins follow weights: %u %u %u %u (chi-squared %.2f)",
       wins[0], wins[1], wins[2], wins[3], chi2);
}

/* The three best of the first `nodes`, one with another weight. */
static void
holders(unsigned content, unsigned nodes, double first_weight, bool held[NODES])
{
    double scores[NODES];
    uint8_t root[32];

    root_of(content, root);
    memset(held, 0, NODES * sizeof(*held));
    for (unsigned i = 0; i < nodes; i++)
        scores[i] =
            ol_rendezvous_score(salt, root, ids[i], i == 0 ? first_weight : 1);
    for (int r = 0; r < 3; r++) {
        unsigned best = NODES;

        for (unsigned i = 0; i < nodes; i++) {
            if (!held[i] && (best == NODES || scores[i] > scores[best]))
                best = i;
        }
        held[best] = true;
    }
}

static void
test_moves(void)
{
    unsigned taken = 0, other = 0, left = 0;

    for (unsigned c = 0; c < 5000; c++) {
        bool before[NODES], after[NODES];

        holders(c, NODES - 1, 1, before);
        holders(c, NODES, 1, after);
        taken += after[NODES - 1];
        for (unsigned i = 0; i < NODES - 1; i++)
            other += after[i] && !before[i];

        holders(c, NODES, 1, before);
        holders(c, NODES, 2, after);
        left += before[0] && !after[0];
        for (unsigned i = 1; i < NODES; i++)
            other += after[i] && !before[i];
    }
    is_int(other, 0, "a new or heavier node moves nothing between others");
    is_int(left, 0, "a heavier node loses nothing");
    ok(taken > 650 && taken < 850,
       "a twentieth node takes a twentieth of 15000 places: %u", taken);
}

static void
test_owners(void)
{
    /* By Python's hashlib: ids are SHA-256 of the byte i. */
    static const struct {
        uint32_t index;
        uint8_t order[6];
    } cases[] = {
        {0, {2, 4, 1, 3, 5, 0}},
        {1, {3, 4, 5, 0, 2, 1}},
        {258, {2, 5, 0, 3, 4, 1}},
    };
    const uint8_t(*list)[32] = (const uint8_t(*)[32])ids;
    uint8_t root[32], order[OL_OWNERS_MAX], same[OL_OWNERS_MAX][32];
    bool in_place = true;

    memset(root, 0x11, sizeof(root));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ol_owner_order(salt, root, cases[i].index, list, 6, order);
        is_mem(order, cases[i].order, 6, "owners of piece %u", cases[i].index);
    }
    order[0] = 77;
    ol_owner_order(salt, root, 0, list, 0, order);
    is_int(order[0], 77, "nobody owns nothing");

    memset(same, 1, sizeof(same));
    ol_owner_order(salt, root, 0, (const uint8_t(*)[32])same, OL_OWNERS_MAX,
                   order);
    for (unsigned i = 0; i < OL_OWNERS_MAX; i++)
        in_place = in_place && order[i] == i;
    ok(in_place, "64 equal ids stay in place");
}

static void
test_owner_shares(void)
{
    const uint8_t(*list)[32] = (const uint8_t(*)[32])ids;
    unsigned owned[NODES] = {0}, low = UINT32_MAX, high = 0;
    uint8_t root[32], order[OL_OWNERS_MAX];

    root_of(1, root);
    for (uint32_t index = 0; index < CONTENTS; index++) {
        ol_owner_order(salt, root, index, list, NODES, order);
        owned[order[0]]++;
    }
    for (unsigned i = 0; i < NODES; i++) {
        low = owned[i] < low ? owned[i] : low;
        high = owned[i] > high ? owned[i] : high;
    }
    /* 1000 expected, standard deviation 31. */
    ok(low > 850 && high < 1150, "pieces are shared evenly: %u to %u", low,
       high);
}

int
main(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        uint8_t byte = (uint8_t)i;

        ol_sha256(&byte, 1, ids[i]);
    }
    test_fixed();
    test_extremes();
    test_proportions();
    test_moves();
    test_owners();
    test_owner_shares();
    return tap_done();
}
