/*
 * Nodes that sent this one bytes that do not match, and which coordinators
 * have been told of it (doc/protocol.md section 5).  Each (node, root) is told
 * once an hour.  Bounded: WRONG_KEPT, newer ones in place of the oldest.  Pure:
 * time is passed in.
 */
#ifndef NODE_WRONG_H
#define NODE_WRONG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"

#define WRONG_KEPT 256
#define WRONG_ENTRIES 16 /* in one heartbeat */
#define WRONG_AGAIN_MS 3600000
#define WRONG_ID_BYTES 32

struct wrong {
    size_t count;
    struct wrong_entry {
        uint8_t id[WRONG_ID_BYTES], root[OL_HASH_BYTES];
        uint64_t at_ms;
        uint16_t untold; /* links by bit */
    } list[WRONG_KEPT];  /* oldest first */
};

/* What one heartbeat said. */
struct wrong_report {
    size_t count;
    uint8_t ids[WRONG_ENTRIES][WRONG_ID_BYTES];
    uint8_t roots[WRONG_ENTRIES][OL_HASH_BYTES];
};

/* Returns whether it is news. */
bool wrong_add(struct wrong *wrong, const uint8_t id[WRONG_ID_BYTES],
               const uint8_t root[OL_HASH_BYTES], uint64_t now_ms);
bool wrong_pending(const struct wrong *wrong, unsigned link);
/* Sets "wrong" of the message, if there is any to tell; it is told then.
 * -ENOMEM. */
int wrong_fill(struct wrong *wrong, unsigned link, struct wrong_report *report,
               json_t *message);
/* The report was not heard. */
void wrong_undo(struct wrong *wrong, unsigned link,
                const struct wrong_report *report);

#endif
