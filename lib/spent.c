/*
 * A window over spent counters.  All of its arithmetic is modulo 2^32, on any
 * machine.  Knows nothing of receipts, locks nothing.
 */
#include "offload/spent.h"

#include <errno.h>
#include <string.h>

/* The bits of counters given since the last time are those of old ones. */
static void
clear(struct ol_spent *spent, uint32_t given)
{
    uint32_t left = given - spent->cleared, at, n;

    if (left > spent->size)
        left = spent->size;
    for (; left > 0; left -= n) {
        at = (given - left) % spent->size;
        n = left < spent->size - at ? left : spent->size - at;
        if (at % 8 == 0 && n >= 8) {
            n -= n % 8;
            memset(spent->bits + at / 8, 0, n / 8);
        } else {
            n = 1;
            spent->bits[at / 8] &= (uint8_t) ~(1u << at % 8);
        }
    }
    spent->cleared = given;
}

int
ol_spent_add(struct ol_spent *spent, uint32_t given, uint32_t counter)
{
    uint8_t *byte = &spent->bits[counter % spent->size / 8];
    uint8_t bit = (uint8_t)(1u << counter % 8);
    uint32_t age = given - counter;

    clear(spent, given);
    if (age == 0 || age > spent->size || (*byte & bit) != 0)
        return -EEXIST;
    *byte |= bit;
    return 0;
}
