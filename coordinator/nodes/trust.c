/*
 * Trust from age, audits and reports.
 *
 * Pure: must not know nodes, the store or the clock.
 */
#include "coordinator/nodes/trust.h"

static double
growth(const struct trust_facts *facts, int64_t age_s)
{
    uint64_t passed = facts->audited ? facts->passed : TRUST_WHOLE_AUDITS;

    if (facts->vouched)
        return 1;
    if (age_s >= TRUST_WHOLE_S && passed >= TRUST_WHOLE_AUDITS)
        return 1;
    if (age_s >= TRUST_HALF_S && passed >= TRUST_HALF_AUDITS)
        return 0.5;
    return 0.25;
}

double
trust_factor(const struct trust_facts *facts, int64_t now_s)
{
    double factor = growth(facts, now_s - facts->born_s);
    int64_t age_s = now_s - facts->low_s;
    uint64_t forgiven = age_s > 0 ? (uint64_t)(age_s / TRUST_LOW_S) : 0;
    uint64_t low = facts->low < TRUST_LOW_MAX ? facts->low : TRUST_LOW_MAX;

    for (; low > forgiven; low--)
        factor /= 2;
    return factor;
}

uint64_t
trust_rate(const struct trust_facts *facts)
{
    uint64_t most = TRUST_RATE_MIN;

    if (!facts->audited || facts->passed < TRUST_WHOLE_AUDITS)
        return facts->rate;
    while (most < UINT64_MAX / 2 && most / TRUST_RATE_FACTOR < facts->peak)
        most *= 2;
    return facts->rate == 0 || facts->rate > most ? most : facts->rate;
}
