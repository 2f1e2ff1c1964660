/*
 * What one announce does to a swarm and what it is answered: the decision
 * alone, so that HTTP, UDP and tests share it.  Pure: time and randomness are
 * passed in, and what Redis is to be told is handed back.
 */
#ifndef COORDINATOR_TRACKER_ANNOUNCE_H
#define COORDINATOR_TRACKER_ANNOUNCE_H

#include "coordinator/tracker/tracker.h"

struct announce_now {
    uint32_t time_s;
    uint64_t random;
    uint32_t interval_s; /* that is asked for, before its jitter */
    uint32_t life_s;     /* of a peer that is not heard again */
    bool limited;        /* neither stored nor given peers */
    uint8_t zone;
};

enum announce_write { ANNOUNCE_PUT, ANNOUNCE_REMOVE, ANNOUNCE_COMPLETE };
#define ANNOUNCE_WRITES 2

struct announce_plan {
    uint8_t member[SWARM_V6_BYTES];
    uint32_t expires_s;
    size_t count;
    struct {
        enum announce_write what;
        enum swarm_kind kind;
    } writes[ANNOUNCE_WRITES];
};

void announce_decide(struct swarm *swarm, struct swarm_memory *memory,
                     const struct announce *announce,
                     const struct announce_now *now,
                     struct announce_answer *ret, struct announce_plan *plan);

#endif
