/*
 * Who is asked for which pieces: the plan of one download.
 *
 * Pure: no I/O, no clock; `now_ms` is any clock that does not go back.  A
 * piece has one source at a time, so that two never write the same bytes.
 * Sources are numbered from 0 in the order they were added.
 */
#ifndef CLIENT_PLAN_H
#define CLIENT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "offload/bitmap.h"

#define PLAN_SOURCES 64 /* peers of a manifest and of its renewals, origin */

struct plan;

enum plan_kind { PLAN_PEER, PLAN_ORIGIN };

enum plan_state {
    PLAN_READY,   /* may be asked */
    PLAN_BUSY,    /* has a run */
    PLAN_WAITING, /* failed a moment ago */
    PLAN_DEAD,    /* failed too often, or for good */
    PLAN_BANNED,  /* sent wrong bytes */
};

/* Pieces first .. end - 1, to be asked for with one Range. */
struct plan_run {
    uint32_t first, end;
};

int plan_create(uint64_t size, struct plan **ret);
void plan_free(struct plan *plan);

/* The new source's number, or -ENOSPC. */
int plan_add(struct plan *plan, enum plan_kind kind);
/* What an incomplete peer has; copied; NULL: everything. */
int plan_set_have(struct plan *plan, int source, const struct ol_bitmap *have);
/* This piece is there already. */
void plan_skip(struct plan *plan, uint32_t piece);
/* Pieces from `end` on are not handed out (a bounded buffer behind). */
void plan_set_window(struct plan *plan, uint32_t end);

/*
 * The next run for a source that is ready: 0, or -EAGAIN.  If no piece is
 * left, it takes some from a slower source: from the end of its run, so that
 * it stops earlier; or the very piece it is at, then *ret_stopped is that
 * source, which has no run any more and whose transfer must end at once (else
 * -1).  The origin gets only what no peer can be asked for within a second.
 */
int plan_next(struct plan *plan, int source, uint64_t now_ms,
              struct plan_run *ret, int *ret_stopped);

/* The piece that a busy source is at. */
uint32_t plan_piece(const struct plan *plan, int source);
void plan_received(struct plan *plan, int source, uint64_t bytes);
/* That piece has come and is right.  False: the run is over. */
bool plan_verified(struct plan *plan, int source, uint64_t now_ms);
/* Its bytes are wrong: never asked again. */
void plan_wrong(struct plan *plan, int source);
/*
 * The rest of the run did not come.  Asked again after retry_ms (0: a time
 * that doubles), unless that happens too often without a piece in between.
 */
void plan_failed(struct plan *plan, int source, uint64_t now_ms,
                 uint64_t retry_ms);
/* Not asked again in this download. */
void plan_drop(struct plan *plan, int source);
/* To be asked now and then: a busy peer was far too slow for 10 s. */
bool plan_is_slow(struct plan *plan, int source, uint64_t now_ms);

enum plan_state plan_state(const struct plan *plan, int source,
                           uint64_t now_ms);
bool plan_complete(const struct plan *plan);
bool plan_has(const struct plan *plan, uint32_t piece);
/* Peers that are neither dead nor banned. */
unsigned plan_peers(const struct plan *plan);
/* Pieces are missing and every source is dead or banned. */
bool plan_hopeless(const struct plan *plan);

#endif
