/*
 * How often one address may do something: a bucket of tokens for each IPv4
 * address or /64, in a fixed table.  An address that meets another one's slot
 * gets a full bucket, so it can only be too generous, and never grows.
 * Addresses that are not public have no limit.  Pure: the time is passed in.
 */
#ifndef COORDINATOR_LIMITS_H
#define COORDINATOR_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "offload/netaddr.h"

#define LIMITS_SLOTS 65536

struct limit {
    uint32_t burst;            /* tokens of a full bucket */
    uint32_t refill, period_s; /* so many more in each period */
};

struct limits {
    uint64_t seed; /* nobody can choose whose slot is shared */
    struct limit limit;
    struct {
        uint32_t tag, since_s;
        uint32_t tokens;
    } slots[LIMITS_SLOTS];
};

/* False if the address has none left; for public addresses only. */
bool limits_take(struct limits *limits, const struct ol_addr *addr,
                 uint32_t now_s);
/* Gives back what was taken. */
void limits_give(struct limits *limits, const struct ol_addr *addr,
                 uint32_t now_s);
/* How many it could take now; what the burst is if it has no limit. */
uint32_t limits_left(struct limits *limits, const struct ol_addr *addr,
                     uint32_t now_s);

#endif
