/*
 * What this node has sent to clients, by site, since it started, and what of
 * that each coordinator has been told (doc/protocol.md sections 5 and 8).
 * Pure: no files, no clock.
 */
#ifndef NODE_SERVED_H
#define NODE_SERVED_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "node/assignment.h"

#define SERVED_SITES 4096 /* more are not counted */
#define SERVED_ENTRIES 64 /* in one heartbeat */
#define SERVED_EPOCH_BYTES 16

struct served;

/* What one heartbeat said. */
struct served_report {
    size_t count;
    struct {
        uint32_t place;
        uint64_t bytes;
    } list[SERVED_ENTRIES];
};

int served_create(const uint8_t epoch[SERVED_EPOCH_BYTES], struct served **ret);
void served_free(struct served *served); /* NULL is legal */

/* The place of a site; SERVED_NONE: there are too many. */
#define SERVED_NONE UINT32_MAX
uint32_t served_place(struct served *served, const char *iss);
/* Bytes have been sent for it. */
void served_add(struct served *served, uint32_t place, uint64_t bytes);
/*
 * Sets "epoch" and "served" of the message: what the link has not been told,
 * the longest untold first; again: and in turn a sixtieth of what it has been.
 * -ENOMEM.
 */
int served_fill(struct served *served, unsigned link, bool again,
                struct served_report *report, json_t *message);
/* The report was heard. */
void served_heard(struct served *served, unsigned link,
                  const struct served_report *report);
/* The link's coordinator has another store: it has been told nothing. */
void served_forget(struct served *served, unsigned link);

#endif
