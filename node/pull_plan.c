/*
 * From whom a missing piece is fetched, in which order (pull_plan.h).
 *
 * Owns: that decision.  Must not know the network, the store or the clock.
 */
#include "node/pull_plan.h"

#include <string.h>

static size_t
owners(const struct pull_facts *f, uint8_t order[OL_OWNERS_MAX])
{
    size_t count = f->count < OL_OWNERS_MAX ? f->count : OL_OWNERS_MAX;

    ol_owner_order(f->salt, f->root, f->index, f->ids, count, order);
    return count;
}

static bool
is_self(const struct pull_facts *f, uint8_t position)
{
    return memcmp(f->ids[position], f->self, 32) == 0;
}

size_t
pull_plan(const struct pull_facts *f, uint8_t ret[PULL_PLAN_MAX])
{
    uint8_t order[OL_OWNERS_MAX], later[OL_OWNERS_MAX];
    size_t count, len = 0, kept = 0;
    bool asked = false; /* the origin has its place */

    if (f->hop) {
        ret[0] = PULL_ORIGIN;
        return f->origin ? 1 : 0;
    }
    count = owners(f, order);
    if (f->patient && count > 0)
        count = 1;
    for (size_t i = 0; i < count; i++) {
        uint64_t bit = UINT64_C(1) << order[i];

        if (is_self(f, order[i])) {
            if (f->origin && !asked)
                ret[len++] = PULL_ORIGIN;
            asked = true;
        } else if ((f->avoid & bit) != 0) {
            continue;
        } else if ((f->slow & bit) != 0 ||
                   (!asked && len == PULL_NODES_BEFORE)) {
            later[kept++] = order[i];
        } else {
            ret[len++] = order[i];
        }
    }
    if (f->origin && !asked && (!f->patient || count == 0))
        ret[len++] = PULL_ORIGIN;
    memcpy(ret + len, later, kept);
    return len + kept;
}

bool
pull_owns(const struct pull_facts *f)
{
    uint8_t order[OL_OWNERS_MAX];

    return owners(f, order) > 0 && is_self(f, order[0]);
}
