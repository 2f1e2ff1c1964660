
/*
 * The candidates of a content as they are for one client: who is given, in
 * which order, and why the others are not.
 */


#ifndef _NGX_HTTP_OFFLOAD_SELECT_H_INCLUDED_
#define _NGX_HTTP_OFFLOAD_SELECT_H_INCLUDED_


#include "ngx_http_offload_zone.h"


typedef enum {
    NGX_HTTP_OFFLOAD_GOOD = 0,
    NGX_HTTP_OFFLOAD_NOT_HTTPS,
    NGX_HTTP_OFFLOAD_SILENT,                 /* its coordinator is */
    NGX_HTTP_OFFLOAD_UNKNOWN                 /* named by number only */
} ngx_http_offload_fault_e;


typedef struct {
    ngx_http_offload_node_t    *node;        /* NULL: UNKNOWN */
    ngx_uint_t                  nrecords;    /* of it, by each coordinator */
    ngx_http_offload_node_t    *records[OL_MANIFEST_TRACKERS];
    uint32_t                    n;
    uint32_t                    coordinator;
    uint32_t                    near;        /* its bit in an audience */
    ngx_http_offload_fault_e    fault;
    struct ol_candidate         candidate;
    ngx_int_t                   choice;      /* -1: none, for its fault */
} ngx_http_offload_choice_t;


typedef struct {
    ngx_uint_t                  n;
    ngx_http_offload_choice_t   candidates[OL_SELECTION_MAX];

    ngx_uint_t                  nchoices;    /* best first */
    struct ol_choice            choices[OL_SELECTION_MAX];
    uint8_t                     order[OL_SELECTION_MAX];  /* candidates */
} ngx_http_offload_selection_t;


/* everything behind ngx_http_offload_select(), likewise */

void ngx_http_offload_selection(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content, ngx_http_offload_client_t *client,
    ngx_uint_t variant, ngx_http_offload_selection_t *sel);


#endif /* _NGX_HTTP_OFFLOAD_SELECT_H_INCLUDED_ */
