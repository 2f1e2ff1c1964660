
/*
 * What Link, Digest and Repr-Digest say of a file, and the holders that they
 * may name: what a redirect chooses from.
 */


#ifndef _NGX_HTTP_OFFLOAD_LINKS_H_INCLUDED_
#define _NGX_HTTP_OFFLOAD_LINKS_H_INCLUDED_


#include "ngx_http_offload.h"


typedef struct {                             /* a complete holder, trusted */
                                             /* or to be verified */
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


typedef struct {
    char                        id[OL_KEY_CHARS + 1];
    char                        url[OL_URL_MAX + 1];
    char                        geo[sizeof("; geo=xx")];
    double                      weight;
    uint32_t                    tier;
    uint32_t                    slot;
    uint32_t                    generation;
} ngx_http_offload_holder_t;


typedef struct {                             /* a copy of what the zone says */
    uint64_t                    serial;
    uint64_t                    coordinators;
    uint32_t                    version;
    u_char                      root[OL_HASH_BYTES];
    u_char                      sha256[OL_HASH_BYTES];
    unsigned                    torrent:1;
    ngx_http_offload_audience_t
                                audience;
    ngx_uint_t                  nholders;
    ngx_http_offload_holder_t   holders[OL_MANIFEST_PEERS];
} ngx_http_offload_links_offer_t;


/* ngx_http_offload_links.c: finds or makes them, adds them to an answer */

ngx_int_t ngx_http_offload_links_get(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file,
    ngx_http_offload_links_t *links);
ngx_int_t ngx_http_offload_links_add(ngx_http_request_t *r,
    ngx_http_offload_links_t *links, ngx_uint_t holders);

/* ngx_http_offload_lines.c: the text that is kept of them */

ngx_int_t ngx_http_offload_lines_make(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer,
    ngx_str_t *text);
ngx_int_t ngx_http_offload_lines_copy(ngx_http_request_t *r,
    ngx_http_offload_manifest_t *m, ngx_str_t *text);
ngx_int_t ngx_http_offload_lines_name(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_str_t *name);
ngx_int_t ngx_http_offload_lines_take(ngx_http_request_t *r, ngx_str_t *text,
    ngx_http_offload_links_t *links);


#endif /* _NGX_HTTP_OFFLOAD_LINKS_H_INCLUDED_ */
