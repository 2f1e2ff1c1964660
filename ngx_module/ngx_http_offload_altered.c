
/*
 * A body filter behind those of other modules: sees whether what goes out is
 * what nginx's own handler has read from the file.  A module may change a body
 * without a word in the headers, as long as it keeps its length; such a file
 * is not offered any more under this configuration.
 */


#include "ngx_http_offload.h"


static ngx_int_t ngx_http_offload_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_uint_t ngx_http_offload_tells(ngx_http_request_t *r);
static ngx_uint_t ngx_http_offload_own_body(ngx_chain_t *in);
static void ngx_http_offload_altered(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);


extern ngx_module_t  ngx_http_copy_filter_module;


static ngx_http_output_body_filter_pt  ngx_http_next_body_filter;


void
ngx_http_offload_altered_init(void)
{
    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_offload_body_filter;
}


static ngx_int_t
ngx_http_offload_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_offload_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_offload_module);

    if (ctx && ctx->learned) {

        if (!ngx_http_offload_tells(r)) {
            ctx->learned = 0;

        } else if (!ngx_http_offload_own_body(in)) {
            ctx->learned = 0;
            ngx_http_offload_altered(r, ctx);
        }
    }

    return ngx_http_next_body_filter(r, in);
}


/*
 * Not where nginx itself puts in more: a page that tells of a bad range, what
 * stands between several, and the ends of what is read with directio
 */

static ngx_uint_t
ngx_http_offload_tells(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->directio != NGX_OPEN_FILE_DIRECTIO_OFF) {
        return 0;
    }

    return r->headers_out.status == NGX_HTTP_OK
           || (r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT
               && r->headers_out.content_range);
}


/* parts of a file, or what the copy filter has read of them */

static ngx_uint_t
ngx_http_offload_own_body(ngx_chain_t *in)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)
            && b->last > b->pos
            && b->tag != (ngx_buf_tag_t) &ngx_http_copy_filter_module)
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_http_offload_altered(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_main_conf_t  *omcf;

    ngx_http_offload_revoke(r, ctx);

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    sh = ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_file_find(sh, &ctx->name);

    if (file) {
        file->altered = 1;
    }

    ngx_http_offload_unlock(omcf->zone);
}
