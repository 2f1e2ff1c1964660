/*
 * Assignments that could not be taken, and when they may be tried again
 * (coordinators repeat what was not acknowledged).  Pure: the time is passed
 * in.
 */
#ifndef NODE_ATTEMPTS_H
#define NODE_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "node/assignment.h"

#define ATTEMPTS_KEPT 1024 /* a later one may take an earlier one's place */
#define ATTEMPTS_MIN_MS 2000
#define ATTEMPTS_MAX_MS 600000
#define ATTEMPTS_SOON_MS 1000

/* Zeroed: none has failed. */
struct attempts {
    struct attempt {
        uint8_t what[OL_HASH_BYTES]; /* site, path and root */
        uint64_t until_ms;
        uint32_t times;
    } list[ATTEMPTS_KEPT];
};

/* Whether it failed lately, so that it is too early. */
bool attempts_wait(const struct attempts *attempts, const struct assignment *a,
                   uint64_t now_ms);
/* The pause doubles, unless it is soon: the site only is not ready yet.
 * Returns whether it is the first failure. */
bool attempts_failed(struct attempts *attempts, const struct assignment *a,
                     bool soon, uint64_t now_ms);

#endif
