/*
 * Which nodes hold a content, and in which order its holders are offered.
 * Pure: the same for every process that is given the same arguments.
 */
#ifndef COORDINATOR_PLACEMENT_H
#define COORDINATOR_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/rendezvous.h"

#define PLACEMENT_HOLDERS_MAX 24

/*
 * A node's weight grows with the logarithms of its capacity (bytes) and rate
 * (bytes per second, 0: unlimited): twice the disk is worth a little more, and
 * claiming a thousand times the disk does not draw every content.  Beyond 4 TiB
 * nothing is gained.
 */
double placement_weight(uint64_t capacity, uint64_t rate);

/*
 * What a node can send beyond what it sends, bytes per second: rate less load,
 * an eighth of its rate at least.  Nobody has measured an unlimited one (0): it
 * is taken to have PLACEMENT_UNLIMITED_BPS, whatever it sends.
 */
#define PLACEMENT_UNLIMITED_BPS (12.5 * 1000 * 1000)
double placement_spare(uint64_t rate, uint64_t load);

struct placement_node {
    const uint8_t *id; /* 32 raw bytes */
    double weight;
    uint64_t room; /* bytes: placement_room */
    bool takes;    /* alive, and may hold contents of the site */
    bool keeps;    /* holds some of it: needs no further room */
};

/* What is left of a node's free space once it has what it was promised. */
uint64_t placement_room(uint64_t free, uint64_t promised);
bool placement_fits(const struct placement_node *node, uint64_t size);

double placement_score(const uint8_t salt[OL_SALT_BYTES], const uint8_t *root,
                       const struct placement_node *node);

/*
 * Writes the positions of the `wanted` nodes that fit with the highest scores,
 * best first, and returns how many there are.  *ret_min is the lowest of their
 * scores: a node that comes later belongs to them if it beats that.
 */
size_t placement_pick(const uint8_t salt[OL_SALT_BYTES], const uint8_t *root,
                      uint64_t size, const struct placement_node *nodes,
                      size_t count, size_t wanted,
                      size_t ret[PLACEMENT_HOLDERS_MAX], double *ret_min);

/*
 * Which holders are offered: best first, complete ones before others, then by
 * score; at most `max`.  If there are more: first one of each network, the rest
 * by score, and PLACEMENT_RANDOM of the places by a score that knows no weight,
 * so that no holder is left out for ever.
 */
#define PLACEMENT_RANDOM 3
struct placement_holder {
    uint32_t number; /* of the node */
    bool complete;
    double score, uniform;
    uint64_t network; /* the same for one /24, /48 or name */
    bool chosen;      /* placement_rank's */
};
size_t placement_rank(struct placement_holder *holders, size_t count,
                      size_t max);

/* The score of a holder, by what its node can spare, KiB per second; 0: not
 * known. */
double placement_spare_score(double score, uint32_t spare);

#endif
