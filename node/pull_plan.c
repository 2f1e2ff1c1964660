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

/* Only who comes first of those that can be trusted, or nobody. */
static size_t
plan_patiently(const struct pull_facts *f, const uint8_t *order, size_t count,
               uint8_t ret[PULL_PLAN_MAX])
{
    for (size_t i = 0; i < count; i++) {
        uint64_t bit = UINT64_C(1) << order[i];

        if ((f->avoid & bit) != 0)
            continue;
        if (is_self(f, order[i]))
            break;
        ret[0] = order[i];
        return (f->slow & bit) == 0 ? 1 : 0;
    }
    ret[0] = PULL_ORIGIN;
    return f->origin ? 1 : 0;
}

static size_t
plan_all(const struct pull_facts *f, const uint8_t *order, size_t count,
         uint8_t ret[PULL_PLAN_MAX])
{
    uint8_t later[OL_OWNERS_MAX];
    size_t len = 0, kept = 0;
    bool asked = false; /* the origin has its place */

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
    if (f->origin && !asked)
        ret[len++] = PULL_ORIGIN;
    memcpy(ret + len, later, kept);
    return len + kept;
}

size_t
pull_plan(const struct pull_facts *f, uint8_t ret[PULL_PLAN_MAX])
{
    uint8_t order[OL_OWNERS_MAX];
    size_t count;

    if (f->hop) {
        ret[0] = PULL_ORIGIN;
        return f->origin ? 1 : 0;
    }
    count = owners(f, order);
    return f->patient ? plan_patiently(f, order, count, ret)
                      : plan_all(f, order, count, ret);
}

bool
pull_owns(const struct pull_facts *f)
{
    uint8_t order[OL_OWNERS_MAX];

    return owners(f, order) > 0 && is_self(f, order[0]);
}
