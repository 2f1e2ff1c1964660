
/*
 * Receipts and what they add up to, as far as the zone is concerned.
 */


#ifndef _NGX_HTTP_OFFLOAD_RECEIPTS_H_INCLUDED_
#define _NGX_HTTP_OFFLOAD_RECEIPTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "offload/report.h"
#include "offload/spent.h"


#define NGX_HTTP_OFFLOAD_RECEIPT_KEY   16
#define NGX_HTTP_OFFLOAD_RECEIPT_LIFE  86400  /* s after the manifest's */

/* a sixty-fourth of the zone each, and no more than */

#define NGX_HTTP_OFFLOAD_SPENT         (1 << 20)  /* counters, one bit each, */
#define NGX_HTTP_OFFLOAD_LANE          1024       /* so many of a lane at */
                                                  /* least */
#define NGX_HTTP_OFFLOAD_SEEN          (1 << 17)  /* fingerprints, 8 bytes */


typedef struct ngx_http_offload_tally_s  ngx_http_offload_tally_t;


typedef struct {                             /* receipts of some networks */
    ngx_atomic_t                counter;     /* of the next one; as much of */
                                             /* it as 32 bits hold */
    struct ol_spent             spent;
} ngx_http_offload_lane_t;


typedef struct {
    u_char                      key[NGX_HTTP_OFFLOAD_RECEIPT_KEY];
    uint64_t                    spread;      /* odd: of networks over lanes */
    ngx_http_offload_lane_t    *lanes;
    ngx_uint_t                  nlanes;      /* a power of two */

    uint64_t                   *seen;        /* who reported on what; the */
                                             /* last byte is the day's */
    uint64_t                    nseen;       /* a power of two */

    ngx_http_offload_tally_t  **buckets;
    ngx_uint_t                  nbuckets;    /* a power of two; as many */
    ngx_uint_t                  ntallies;    /* tallies at most */
    uint64_t                    looked;      /* clock of the last one that */
                                             /* could not make room */
    ngx_rbtree_t                changes;     /* tallies, by clock */
    ngx_rbtree_node_t           sentinel;

    ngx_atomic_t                reports;     /* answered with 204 */
    ngx_atomic_t                refused;     /* with anything else */
    ngx_atomic_t                confirmed;   /* bytes that counted */
} ngx_http_offload_receipts_t;


#endif /* _NGX_HTTP_OFFLOAD_RECEIPTS_H_INCLUDED_ */
