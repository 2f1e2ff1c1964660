
/*
 * The headers of an answer in the file's place, a manifest or a redirect: how
 * long it may be kept and by whom, and a receipt with it.  Knows nothing of how
 * the answer came about.
 */


#include "ngx_http_offload.h"


static ngx_int_t ngx_http_offload_hand_out(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);


/*
 * A cached manifest in the file's place would do harm, so no other directive
 * has a say in how long one may be kept
 */

ngx_int_t
ngx_http_offload_fix(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  names[] = {
        ngx_string("Cache-Control"),
        ngx_string("Vary"),
        ngx_string("Expires"),
        ngx_string("Pragma"),
        ngx_null_string
    };
    static ngx_str_t  control = ngx_string("private, no-store");
    static ngx_str_t  vary = ngx_string("Accept, Offload-Fetch");
    static ngx_str_t  signature =
                      ngx_string("Accept, Offload-Fetch, Accept-Signature");

    part = &r->headers_out.headers.part;
    i = 0;

    while ((h = ngx_http_offload_next_header(&part, &i)) != NULL) {
        for (n = 0; names[n].len; n++) {

            if (h->key.len == names[n].len
                && ngx_strncasecmp(h->key.data, names[n].data, names[n].len)
                   == 0)
            {
                h->hash = 0;
                break;
            }
        }
    }

    /* they were the file's */

    ngx_http_clear_etag(r);
    ngx_http_clear_last_modified(r);

    r->headers_out.expires = NULL;
    r->headers_out.charset.len = 0;
    r->allow_ranges = 0;

#if (NGX_HTTP_GZIP)
    r->gzip_vary = 0;
#endif

    if (ngx_http_offload_add_header(r, &names[0], &control) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_offload_add_header(r, &names[1],
                                    ctx->verifies ? &signature : &vary)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->verifies && ngx_http_offload_sri_open(r) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_offload_hand_out(r, ctx);
}


/* the client goes elsewhere for the bytes, and may say afterwards where to */

static ngx_int_t
ngx_http_offload_hand_out(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_str_t  value;

    static ngx_str_t  name = ngx_string("Offload-Receipt");

    if (ctx->outcome == NGX_HTTP_OFFLOAD_REDIRECT) {
        ngx_http_offload_offered(r, ctx->size);
        return NGX_OK;
    }

    if (ctx->peers.len == 0) {
        return NGX_OK;
    }

    ngx_http_offload_offered(r, ctx->size);

    if (ngx_http_offload_receipt(r, (u_char *) ctx->root, ctx->exp,
                                 &ctx->peers, &value)
        != NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_http_offload_add_header(r, &name, &value);
}
