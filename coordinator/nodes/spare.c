/*
 * Spare capacity in powers of two, with some inertia.
 *
 * Pure: must not know nodes, clock or network.
 */
#include "coordinator/nodes/spare.h"

#define KIB 1024

uint32_t
spare_told(uint64_t rate, uint64_t load, uint32_t told)
{
    uint64_t left = load < rate ? (rate - load) / KIB : 0;
    uint32_t power = 1;

    if (rate == 0)
        return SPARE_UNKNOWN;
    if (left >= SPARE_MAX)
        return SPARE_MAX;
    if (told != SPARE_UNKNOWN && left >= told - told / 4 &&
        left < 2 * (uint64_t)told + told / 2)
        return told;
    while (2 * (uint64_t)power <= left)
        power *= 2;
    return power;
}
