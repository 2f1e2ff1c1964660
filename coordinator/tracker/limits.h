/*
 * How often one address may announce: a bucket of tokens for each IPv4 address
 * or /64, in a fixed table.  An address that meets another one's slot gets a
 * full bucket, so it can only be too generous, and never grows.  Pure: the time
 * is passed in.
 */
#ifndef COORDINATOR_TRACKER_LIMITS_H
#define COORDINATOR_TRACKER_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "offload/netaddr.h"

#define LIMITS_SLOTS 65536
/* A seedbox with a thousand torrents starts within a minute or so, and a
 * client with two addresses and hybrid torrents announces four times at once.
 */
#define LIMITS_BURST 2000
#define LIMITS_PER_S 20

struct limits {
    uint64_t seed; /* nobody can choose whose slot is shared */
    struct {
        uint32_t tag, since_s;
        uint32_t tokens;
    } slots[LIMITS_SLOTS];
};

/* False if the address has none left; for public addresses only. */
bool limits_take(struct limits *limits, const struct ol_addr *addr,
                 uint32_t now_s);

#endif
