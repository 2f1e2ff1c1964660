
/*
 * A content in the formats of others, between being composed and being sent.
 */


#ifndef _NGX_HTTP_OFFLOAD_FORMAT_H_INCLUDED_
#define _NGX_HTTP_OFFLOAD_FORMAT_H_INCLUDED_


#include "ngx_http_offload.h"


typedef struct {                             /* sent in this order */
    ngx_str_t                   head;
    off_t                       from;        /* a part of the table's file, */
    off_t                       to;          /* of which no copy is made */
    ngx_str_t                   tail;

    ngx_str_t                   table;       /* its name */
    ngx_open_file_info_t        of;
} ngx_http_offload_body_t;


/*
 * ngx_http_offload_document.c: what each format says; NGX_DECLINED: there is
 * nothing to give
 */

ngx_int_t ngx_http_offload_meta4_body(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_body_t *body);
ngx_int_t ngx_http_offload_torrent_body(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_body_t *body);
ngx_int_t ngx_http_offload_sha256_body(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_body_t *body);
void ngx_http_offload_basename(ngx_str_t *sub, ngx_str_t *name);


#endif /* _NGX_HTTP_OFFLOAD_FORMAT_H_INCLUDED_ */
