/*
 * What a heartbeat says: which holdings have changed, a sixtieth of all, what
 * was dropped, and the load (doc/protocol.md section 5).
 */
#ifndef NODE_BEAT_H
#define NODE_BEAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/contents.h"

#define BEAT_HOLDINGS 512
#define BEAT_DROPPED 512
#define BEAT_BYTES 131072 /* of holdings and dropped, encoded, about */

struct dropped { /* roots to tell of; the oldest make room */
    size_t count;
    uint8_t roots[BEAT_DROPPED][OL_HASH_BYTES];
};
void dropped_add(struct dropped *dropped, const uint8_t root[OL_HASH_BYTES]);

/* What one heartbeat said, to be said again if it was not heard. */
struct beat {
    size_t count;
    uint8_t roots[BEAT_HOLDINGS][OL_HASH_BYTES];
    struct dropped dropped;
};

/*
 * Fills "holdings" and "dropped" of message, clears those contents' dirty
 * bits of this link and takes the dropped ones.  cursor: the next content of
 * the sixtieth, advanced; NULL: changes only.  -ENOMEM.
 */
int beat_fill(struct beat *beat, struct contents *contents, unsigned link,
              uint32_t *cursor, struct dropped *dropped, json_t *message);
/* It was not heard. */
void beat_undo(const struct beat *beat, struct contents *contents,
               unsigned link, struct dropped *dropped);

#endif
