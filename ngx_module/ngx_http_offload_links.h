
/*
 * What Link, Digest and Repr-Digest say of a file, and the holders that they
 * may name: what a redirect chooses from.
 */


#ifndef _NGX_HTTP_OFFLOAD_LINKS_H_INCLUDED_
#define _NGX_HTTP_OFFLOAD_LINKS_H_INCLUDED_


#include "ngx_http_offload.h"


typedef struct {                             /* a complete, trusted holder */
    double                      weight;      /* within its tier */
    uint32_t                    tier;        /* lower is better */
    uint32_t                    url_len;
    char                        id[OL_KEY_CHARS + 1];
} ngx_http_offload_target_t;


typedef struct {                             /* in the request's pool */
    ngx_uint_t                  ntargets;
    ngx_http_offload_target_t  *targets;     /* best first */
    u_char                     *urls;        /* theirs, one behind another */
    ngx_str_t                   path;        /* of the content, at each */
    ngx_str_t                   lines;       /* of the header, each with "\n" */
    size_t                      anyone;      /* of these, before those with */
                                             /* holders */
} ngx_http_offload_links_t;


ngx_int_t ngx_http_offload_links_get(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file,
    ngx_http_offload_links_t *links);
ngx_int_t ngx_http_offload_links_add(ngx_http_request_t *r,
    ngx_http_offload_links_t *links, ngx_uint_t holders);


#endif /* _NGX_HTTP_OFFLOAD_LINKS_H_INCLUDED_ */
