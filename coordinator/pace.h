/*
 * How often strangers may make this process call a foreign server: a bucket of
 * tokens for each source address, and one for each server that is called.
 *
 * A fixed table: keys that share a slot share its tokens, so that it can only
 * be too strict, never be exhausted or grow.  Pure: the time is passed in.
 */
#ifndef COORDINATOR_PACE_H
#define COORDINATOR_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/netaddr.h"

#define PACE_SLOTS 4096

struct pace_limit {
    uint32_t burst;     /* tokens of a full bucket */
    uint32_t refill_ms; /* for one more */
};

struct pace {
    uint64_t seed; /* random: nobody can choose whose slot is shared */
    struct pace_limit limit;
    struct {
        int64_t since_ms; /* the bucket was `tokens` full then */
        uint32_t tokens;
        bool used;
    } slots[PACE_SLOTS];
};

void pace_init(struct pace *pace, uint64_t seed, struct pace_limit limit);
/* Takes a token of the key's bucket; false if there is none. */
bool pace_take(struct pace *pace, const void *key, size_t len, int64_t now_ms);

/*
 * The prefix that counts as one source: an IPv4 address, or the /64 of an IPv6
 * one.  Returns its length.
 */
size_t pace_source(const struct ol_addr *addr, uint8_t ret[16]);

#endif
