
/*
 * A sync and its answer, as read from JSON and before they become JSON.
 */


#ifndef _NGX_HTTP_OFFLOAD_SYNC_H_INCLUDED_
#define _NGX_HTTP_OFFLOAD_SYNC_H_INCLUDED_


#include "ngx_http_offload.h"

#include "offload/json.h"


#define NGX_HTTP_OFFLOAD_SYNC_WAIT    10000  /* ms */
#define NGX_HTTP_OFFLOAD_SYNC_ITEMS   256    /* contents in an answer */
#define NGX_HTTP_OFFLOAD_SYNC_BYTES   40960  /* of JSON for them */
#define NGX_HTTP_OFFLOAD_SYNC_TALLIES 64     /* nodes in an answer */
#define NGX_HTTP_OFFLOAD_SYNC_BATCH   64     /* contents or nodes per lock */


typedef struct {
    u_char                         root[OL_HASH_BYTES];
    ngx_uint_t                     count;
    uint32_t                       list[NGX_HTTP_OFFLOAD_CANDIDATES];
} ngx_http_offload_sync_content_t;


typedef struct {
    uint64_t                       seq;
    uint64_t                       base;
    uint64_t                       ack;
    ngx_msec_t                     wait;
    u_char                         epoch[NGX_HTTP_OFFLOAD_EPOCH_LEN];
    unsigned                       has_epoch:1;
    unsigned                       has_base:1;

    ngx_uint_t                     part;     /* of a full state; 0: none */
    ngx_uint_t                     parts;

    ngx_uint_t                     nnodes;
    ngx_http_offload_node_data_t  *nodes;
    ngx_uint_t                     ngone;
    uint32_t                      *gone;
    ngx_uint_t                     ncontents;
    ngx_http_offload_sync_content_t
                                  *contents;
} ngx_http_offload_sync_t;


typedef struct {
    u_char                         root[OL_HASH_BYTES];
    ngx_str_t                      sub;
    off_t                          size;
    uint64_t                       demand;
    u_char                         infohash[OL_SHA1_BYTES];
    unsigned                       torrent:1;
    unsigned                       gone:1;
} ngx_http_offload_sync_item_t;


typedef struct {
    uint64_t                       seq;
    uint64_t                       clock;
    u_char                         epoch[NGX_HTTP_OFFLOAD_EPOCH_LEN];
    unsigned                       need_full:1;
    unsigned                       more:1;
    ngx_uint_t                     nitems;
    ngx_http_offload_sync_item_t   items[NGX_HTTP_OFFLOAD_SYNC_ITEMS];
    ngx_uint_t                     ntallies;
    ngx_http_offload_tally_item_t  tallies[NGX_HTTP_OFFLOAD_SYNC_TALLIES];
    size_t                         used;     /* bytes of text */
    u_char                         text[NGX_HTTP_OFFLOAD_SYNC_BYTES];
} ngx_http_offload_sync_answer_t;


/* ngx_http_offload_sync_body.c, ngx_http_offload_sync_answer.c */

ngx_int_t ngx_http_offload_sync_decode(const json_t *json, ngx_pool_t *pool,
    ngx_http_offload_sync_t *sync, struct ol_error *err);
json_t *ngx_http_offload_sync_encode(ngx_http_offload_sync_answer_t *answer,
    char *iss, const char *aud, time_t now);

/* ngx_http_offload_sync_state.c: what a sync does to the zone, and back */

ngx_int_t ngx_http_offload_sync_apply(ngx_http_offload_zone_t *zone,
    ngx_http_offload_srv_conf_t *oscf, const char *kid, u_char *addr,
    ngx_http_offload_sync_t *sync, uint64_t *last);
ngx_uint_t ngx_http_offload_sync_known(ngx_http_offload_zone_t *zone,
    ngx_http_offload_srv_conf_t *oscf, u_char *addr);
void ngx_http_offload_sync_collect(ngx_http_offload_zone_t *zone,
    ngx_http_offload_srv_conf_t *oscf, uint64_t ack,
    ngx_http_offload_sync_answer_t *answer);


#endif /* _NGX_HTTP_OFFLOAD_SYNC_H_INCLUDED_ */
