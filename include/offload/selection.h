/*
 * Selection: in which order nodes are named to clients.  Pure: what is known of
 * the nodes, and time, are passed in, so that a simulator runs the code that
 * serves.
 *
 * Nodes that hold all of a content come before those that would pull it; among
 * these, near ones before local ones before others.  Within such a tier a
 * weighted rendezvous, drawn anew for each variant of a manifest, gives every
 * node the first place in proportion to its weight.
 */
#ifndef OL_SELECTION_H
#define OL_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"
#include "offload/key.h"

#define OL_SELECTION_MAX 64 /* candidates of one content */
#define OL_SPARE_UNKNOWN UINT32_MAX
#define OL_SPARE_MAX (1u << 24) /* KiB per second */
/*
 * What a node can spare is what it says of itself: it counts up to so many
 * times the median of the candidates that have something to spare.  If it is
 * unknown, it counts as the median of the others.
 */
#define OL_SPARE_TIMES 8

/* Failures that are kept of a node, and after how long they count half. */
#define OL_FAILURES_MAX 63.0
#define OL_FAILURES_HALF_S 300

struct ol_candidate {
    uint8_t id[OL_KEY_BYTES];
    bool held;       /* all of it, verified; else it would pull it */
    bool near;       /* a network that it named contains the client */
    bool local;      /* it is in the client's zone */
    uint32_t spare;  /* KiB per second, or OL_SPARE_UNKNOWN */
    uint32_t age_s;  /* since it was last heard to be well */
    double failures; /* of late: ol_failures_left() */
};

struct ol_choice {
    size_t candidate; /* its position in what was given */
    unsigned tier;    /* 0 .. 5, lower is better */
    double capacity;  /* KiB per second: see OL_SPARE_TIMES */
    double freshness; /* (0, 1] */
    double health;    /* (0, 1] */
    double weight;    /* the product of these three, > 0 */
    double score;     /* higher is better, within a tier */
};

/*
 * Writes one choice per candidate, best first.  count <= OL_SELECTION_MAX; the
 * order of what is given does not matter.
 */
void ol_select(const uint8_t root[OL_HASH_BYTES], unsigned variant,
               const struct ol_candidate *candidates, size_t count,
               struct ol_choice *ret);

/* What is left of failures some time later. */
double ol_failures_left(double failures, int64_t elapsed_s);
/* The same with one more, at most OL_FAILURES_MAX. */
double ol_failures_add(double failures, int64_t elapsed_s);

#endif
