/*
 * Which of the last so many counters are spent: one bit each, in memory of the
 * caller's.  Counters are given in order, and 0 again after 2^32.
 */
#ifndef OL_SPENT_H
#define OL_SPENT_H

#include <stdint.h>

struct ol_spent {
    uint8_t *bits;
    uint32_t size;    /* of them: a power of two, 8 at least */
    uint32_t cleared; /* up to here the bits are those of these counters */
};

/*
 * given: what the next counter will be.  -EEXIST: it was spent before, or is
 * older than the last `size` given, or was not given yet.
 */
int ol_spent_add(struct ol_spent *spent, uint32_t given, uint32_t counter);

#endif
