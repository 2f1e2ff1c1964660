
/*
 * Sends clients that know no manifest on to a node that holds all of the file:
 * only to one that this location trusts, since they will take what they get,
 * unless they say that they verify it.  Anything in doubt is a reason to give
 * the file.
 */


#include "ngx_http_offload.h"
#include "ngx_http_offload_links.h"

#include "offload/rendezvous.h"


static ngx_uint_t ngx_http_offload_redirect_conditional(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_redirect_links(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_t *links);
static ngx_http_offload_target_t *ngx_http_offload_redirect_choose(
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_t *links,
    ngx_str_t *url);
static uint64_t ngx_http_offload_redirect_mix(uint64_t x, void *data);
static ngx_int_t ngx_http_offload_redirect_location(ngx_http_request_t *r,
    ngx_str_t *url, ngx_str_t *path);


/* NGX_DECLINED: the file */

ngx_int_t
ngx_http_offload_redirect(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_str_t                     url;
    ngx_http_offload_links_t      links;
    ngx_http_offload_target_t    *target;
    ngx_http_offload_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if ((olcf->trust == NULL && !ctx->verifies)
        || ngx_http_offload_redirect_conditional(r)
        || ngx_http_offload_client(r, ctx) != NGX_OK
        || ngx_http_offload_redirect_links(r, ctx, &links) != NGX_OK
        || links.ntargets == 0)
    {
        return NGX_DECLINED;
    }

    target = ngx_http_offload_redirect_choose(ctx, &links, &url);

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = NGX_HTTP_MOVED_TEMPORARILY;

    if ((olcf->links && !ctx->verifies
         && ngx_http_offload_links_add(r, &links, 1) != NGX_OK)
        || ngx_http_offload_redirect_location(r, &url, &links.path) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(ctx->peer, target->id, OL_KEY_CHARS + 1);
    ctx->outcome = NGX_HTTP_OFFLOAD_REDIRECT;

    return NGX_HTTP_MOVED_TEMPORARILY;
}


/* such requests are about a version of this file, which a node knows not */

static ngx_uint_t
ngx_http_offload_redirect_conditional(ngx_http_request_t *r)
{
    return r->headers_in.if_match
           || r->headers_in.if_none_match
           || r->headers_in.if_modified_since
           || r->headers_in.if_unmodified_since
           || r->headers_in.if_range;
}


static ngx_int_t
ngx_http_offload_redirect_links(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_t *links)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_loc_conf_t   *olcf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    file = ngx_http_offload_locate(r, ctx);

    if (file == NULL || file->state != NGX_HTTP_OFFLOAD_READY) {
        ngx_http_offload_unlock(omcf->zone);
        return NGX_DECLINED;
    }

    if (ctx->verifies && !ngx_http_offload_sri_file(file)) {
        ctx->verifies = 0;
    }

    if (!ctx->verifies && (!olcf->redirect || olcf->trust == NULL)) {
        ngx_http_offload_unlock(omcf->zone);
        return NGX_DECLINED;
    }

    if (r->method == NGX_HTTP_GET) {
        sh = ngx_http_offload_peek(omcf->zone);

        ngx_http_offload_file_demanded(sh, file);
        ngx_http_offload_file_changed(sh, file);
    }

    ctx->size = file->ident.size;

    return ngx_http_offload_links_get(r, ctx, file, links);
}


/*
 * Weighted rendezvous among the best: a client that comes again for the rest
 * is sent to the same node, whatever has become of the others, and whichever
 * instance of a site it comes to
 */

static ngx_http_offload_target_t *
ngx_http_offload_redirect_choose(ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_links_t *links, ngx_str_t *url)
{
    double                      score, best;
    u_char                     *p;
    uint64_t                    x, hash;
    ngx_uint_t                  i;
    ngx_http_offload_target_t  *target, *found;

    hash = ngx_http_offload_redirect_mix(0, ctx->root);

    if (ctx->client.addressed) {
        hash = ngx_http_offload_redirect_mix(hash, ctx->client.addr.bytes);
        hash = ngx_http_offload_redirect_mix(hash, ctx->client.addr.bytes + 8);
    }

    found = NULL;
    best = 0;
    p = links->urls;
    ngx_str_null(url);

    for (i = 0; i < links->ntargets; i++) {
        target = &links->targets[i];

        if (target->tier > links->targets[0].tier) {
            break;
        }

        x = ngx_http_offload_redirect_mix(hash, target->id);
        score = ol_rendezvous_score_of(x, target->weight);

        if (found == NULL || score > best) {
            found = target;
            best = score;

            url->data = p;
            url->len = target->url_len;
        }

        p += target->url_len;
    }

    return found;
}


/* eight bytes more (the finalizer of MurmurHash3); no secret is kept by it */

static uint64_t
ngx_http_offload_redirect_mix(uint64_t x, void *data)
{
    uint64_t  y;

    ngx_memcpy(&y, data, sizeof(uint64_t));

    x = (x ^ y) + 0x9e3779b97f4a7c15;
    x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;

    return x ^ x >> 33;
}


static ngx_int_t
ngx_http_offload_redirect_location(ngx_http_request_t *r, ngx_str_t *url,
    ngx_str_t *path)
{
    ngx_str_t  value;

    static ngx_str_t  key = ngx_string("Location");

    value.len = url->len + path->len;
    value.data = ngx_pnalloc(r->pool, value.len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ngx_cpymem(value.data, url->data, url->len), path->data,
               path->len);

    r->headers_out.location = ngx_http_offload_push_header(r, &key, &value);

    return r->headers_out.location ? NGX_OK : NGX_ERROR;
}
