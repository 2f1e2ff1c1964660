/*
 * From whom a missing piece is fetched, in which order.  Pure.
 *
 * Every node computes the same owners of a piece (rendezvous.h).  The owner
 * asks the origin, the others ask the owner, so the origin gives each piece
 * about once; when an owner does not answer, the next one takes its place.
 */
#ifndef NODE_PULL_PLAN_H
#define NODE_PULL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offload/content.h"
#include "offload/rendezvous.h"

#define PULL_ORIGIN 0xff    /* a place in a plan; others are positions */
#define PULL_NODES_BEFORE 3 /* nodes asked before the origin */
#define PULL_PLAN_MAX (OL_OWNERS_MAX + 1)

struct pull_facts {
    const uint8_t *salt, *root;
    uint32_t index;
    const uint8_t (*ids)[32]; /* the content's nodes, at most OL_OWNERS_MAX */
    size_t count;
    const uint8_t *self; /* own id: among ids or not */
    uint64_t avoid;      /* bit i: node i gave wrong bytes, never ask */
    uint64_t slow;       /* bit i: node i failed a moment ago, ask last */
    bool hop;            /* asked by a node: the origin only */
    bool origin;         /* the origin may be asked now */
    bool patient;        /* nobody waits: only the owner is asked */
};

/* Writes positions in ids, or PULL_ORIGIN; returns how many. */
size_t pull_plan(const struct pull_facts *facts, uint8_t ret[PULL_PLAN_MAX]);
/* Whether this node comes first among the piece's owners. */
bool pull_owns(const struct pull_facts *facts);

#endif
