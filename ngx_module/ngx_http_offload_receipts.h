
/*
 * Receipts and what they add up to, as far as the zone is concerned.
 */


#ifndef _NGX_HTTP_OFFLOAD_RECEIPTS_H_INCLUDED_
#define _NGX_HTTP_OFFLOAD_RECEIPTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "offload/report.h"


#define NGX_HTTP_OFFLOAD_RECEIPT_KEY   32
#define NGX_HTTP_OFFLOAD_RECEIPT_LIFE  86400  /* s after the manifest's */

/* a sixty-fourth of the zone each, and no more than */

#define NGX_HTTP_OFFLOAD_SPENT         (1 << 20)  /* counters, one bit each */
#define NGX_HTTP_OFFLOAD_SEEN          (1 << 17)  /* fingerprints, 8 bytes */


typedef struct ngx_http_offload_tally_s  ngx_http_offload_tally_t;


typedef struct {
    u_char                      key[NGX_HTTP_OFFLOAD_RECEIPT_KEY];
    ngx_atomic_t                counter;     /* of the next receipt */

    u_char                     *spent;       /* a bit for each of the last */
    uint64_t                    nspent;      /* counters; a power of two */
    uint64_t                    cleared;     /* bits are, below this one */

    uint64_t                   *seen;        /* who reported on what today */
    uint64_t                    nseen;       /* a power of two */

    ngx_http_offload_tally_t  **buckets;
    ngx_uint_t                  nbuckets;    /* a power of two; as many */
    ngx_uint_t                  ntallies;    /* tallies at most */
    ngx_rbtree_t                changes;     /* tallies, by clock */
    ngx_rbtree_node_t           sentinel;

    ngx_atomic_t                reports;     /* answered with 204 */
    ngx_atomic_t                refused;     /* with anything else */
    ngx_atomic_t                confirmed;   /* bytes that counted */
} ngx_http_offload_receipts_t;


#endif /* _NGX_HTTP_OFFLOAD_RECEIPTS_H_INCLUDED_ */
