
/*
 * The content phase.  Decides what a request gets: a manifest if it asks for
 * one and there is one to give, another place if this location redirects, or
 * whatever the static handler, whose turn is next, would give to anyone.
 */


#include "ngx_http_offload.h"


#define NGX_HTTP_OFFLOAD_TEXT  65536         /* the longest manifest cached */


static ngx_uint_t ngx_http_offload_stays(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_static(ngx_http_request_t *r,
    ngx_http_offload_want_e want);
static ngx_int_t ngx_http_offload_asked(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);
static ngx_int_t ngx_http_offload_lookup(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_uint_t *variant, ngx_str_t *text);
static ngx_int_t ngx_http_offload_cached(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file,
    ngx_uint_t *variant, ngx_str_t *text);
static ngx_http_offload_manifest_t *ngx_http_offload_choose(
    ngx_http_offload_sh_t *sh, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_file_t *file, u_char *signer, ngx_uint_t *variant);
static ngx_http_offload_manifest_t *ngx_http_offload_makeshift(
    ngx_http_offload_sh_t *sh, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_file_t *file, u_char *signer, ngx_uint_t variant);
static ngx_http_offload_manifest_t *ngx_http_offload_any(
    ngx_http_offload_sh_t *sh, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_file_t *file, u_char *signer, ngx_uint_t variant);
static ngx_uint_t ngx_http_offload_conditional(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_copy(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_str_t *text);


/*
 * Most requests want a file as it is: these say so without any allocation, and
 * a filter makes a context of its own for an answer that may be offered
 */

static const ngx_http_offload_ctx_t  ngx_http_offload_unasked[] = {
    { .want = NGX_HTTP_OFFLOAD_WANT_FILE,
      .outcome = NGX_HTTP_OFFLOAD_INELIGIBLE, .shared = 1 },

    { .want = NGX_HTTP_OFFLOAD_WANT_DIRECT,
      .outcome = NGX_HTTP_OFFLOAD_INELIGIBLE, .shared = 1 },

    { .want = NGX_HTTP_OFFLOAD_WANT_BYPASS,
      .outcome = NGX_HTTP_OFFLOAD_BYPASS, .shared = 1 }
};


/* a manifest on its way out of the zone, and its peers */

static u_char  ngx_http_offload_text[NGX_HTTP_OFFLOAD_TEXT];
static u_char  ngx_http_offload_text_peers[OL_MANIFEST_PEERS
                                            * OL_RECEIPT_PEER_CHARS];


ngx_int_t
ngx_http_offload_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_str_t                     node;
    ngx_uint_t                    verifies;
    ngx_http_offload_ctx_t       *ctx;
    ngx_http_offload_want_e       want;
    ngx_http_offload_loc_conf_t  *olcf;

    if (r->internal) {
        rc = ngx_http_offload_suffixed(r);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if (!olcf->enable || r != r->main
        || !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)))
    {
        return NGX_DECLINED;
    }

    /* what was offered before there was a guard is not any more */

    if (!r->internal && ngx_http_offload_guarded(r)) {
        return ngx_http_offload_static(r, NGX_HTTP_OFFLOAD_WANT_DIRECT);
    }

    if (!ngx_http_offload_public(r)) {
        ngx_http_offload_count(r, NGX_HTTP_OFFLOAD_INELIGIBLE);
        return NGX_DECLINED;
    }

    if (olcf->bypass
        && ngx_http_test_predicates(r, olcf->bypass) != NGX_OK)
    {
        return ngx_http_offload_static(r, NGX_HTTP_OFFLOAD_WANT_BYPASS);
    }

    want = ngx_http_offload_want(r, &node);

    if (want == NGX_HTTP_OFFLOAD_WANT_DIRECT && node.len) {
        rc = ngx_http_offload_node_budget(r, &node);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    /* HEAD asks about the file */

    if (want >= NGX_HTTP_OFFLOAD_WANT_PEERS && r->method != NGX_HTTP_GET) {
        want = NGX_HTTP_OFFLOAD_WANT_FILE;
    }

    if (want == NGX_HTTP_OFFLOAD_WANT_FILE && ngx_http_offload_stays(r)) {
        want = NGX_HTTP_OFFLOAD_WANT_DIRECT;
    }

    verifies = olcf->sri && want == NGX_HTTP_OFFLOAD_WANT_FILE
               && ngx_http_offload_sri_asked(r);

    if (want == NGX_HTTP_OFFLOAD_WANT_DIRECT
        || (want == NGX_HTTP_OFFLOAD_WANT_FILE && !olcf->redirect
            && !verifies))
    {
        return ngx_http_offload_static(r, want);
    }

    ctx = ngx_http_offload_ctx_create(r, want);
    if (ctx == NULL) {
        return NGX_DECLINED;
    }

    ctx->verifies = verifies;

    return ngx_http_offload_asked(r, ctx);
}


/* a Metalink's last URL, for those who found nobody else */

static ngx_uint_t
ngx_http_offload_stays(ngx_http_request_t *r)
{
    return r->args.len == sizeof(NGX_HTTP_OFFLOAD_STAY) - 1
           && ngx_strncmp(r->args.data, NGX_HTTP_OFFLOAD_STAY, r->args.len)
              == 0;
}


/* captures that a path is made of may be gone when the filter wants it */

static ngx_int_t
ngx_http_offload_static(ngx_http_request_t *r, ngx_http_offload_want_e want)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->root_lengths) {
        (void) ngx_http_offload_ctx_create(r, want);
        return NGX_DECLINED;
    }

    ngx_http_set_ctx(r, (void *) &ngx_http_offload_unasked[want],
                     ngx_http_offload_module);

    return NGX_DECLINED;
}


/* for something else than just the file; while there is no need: the file */

static ngx_int_t
ngx_http_offload_asked(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_str_t  text;

    ctx->idle = !ngx_http_offload_busy(r);

    if (ctx->idle && ctx->want != NGX_HTTP_OFFLOAD_WANT_MANIFEST) {
        ctx->outcome = NGX_HTTP_OFFLOAD_IDLE;
        return NGX_DECLINED;
    }

    if (ctx->want == NGX_HTTP_OFFLOAD_WANT_FILE) {
        return ngx_http_offload_redirect(r, ctx);
    }

    if (ngx_http_offload_manifest(r, ctx, &text) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_offload_give(r, ctx, &text);
}


/* NGX_DECLINED: there is none to give */

ngx_int_t
ngx_http_offload_manifest(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_str_t *text)
{
    ngx_int_t   rc;
    ngx_uint_t  variant;

    if (ngx_http_offload_client(r, ctx) != NGX_OK) {
        return NGX_DECLINED;
    }

    rc = ngx_http_offload_lookup(r, ctx, &variant, text);

    if (rc == NGX_AGAIN) {
        rc = ngx_http_offload_manifest_sign(r, ctx, variant, text);
    }

    return rc;
}


/* NGX_OK: text; NGX_AGAIN: one is to be signed; NGX_DECLINED: the file */

static ngx_int_t
ngx_http_offload_lookup(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_uint_t *variant, ngx_str_t *text)
{
    ngx_int_t                      rc;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    file = ngx_http_offload_locate(r, ctx);
    sh = ngx_http_offload_peek(omcf->zone);

    rc = NGX_DECLINED;

    if (file) {

        if (!ctx->idle) {
            ngx_http_offload_file_demanded(sh, file);
        }

        if (file->state == NGX_HTTP_OFFLOAD_READY) {

            if (!ctx->idle) {
                ngx_http_offload_file_changed(sh, file);
            }

            rc = ngx_http_offload_cached(r, ctx, file, variant, text);
        }
    }

    ngx_http_offload_unlock(omcf->zone);

    if (rc == NGX_OK) {
        rc = ngx_http_offload_copy(r, ctx, text);
    }

    return rc;
}


static ngx_int_t
ngx_http_offload_cached(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_file_t *file, ngx_uint_t *variant, ngx_str_t *text)
{
    u_char                        *signer;
    ngx_uint_t                     i;
    struct ol_key                **key;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_manifest_t   *m;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    sh = ngx_http_offload_peek(omcf->zone);

    key = oscf->keys->elts;
    signer = (u_char *) ol_key_id_bytes(*key);

    *variant = ctx->idle ? NGX_HTTP_OFFLOAD_PEERLESS
                         : ngx_http_offload_file_variant(file);

    m = ngx_http_offload_choose(sh, ctx, file, signer, variant);

    if (m == NULL) {

        if (ctx->outcome == NGX_HTTP_OFFLOAD_NOPEERS) {
            return NGX_DECLINED;
        }

        if (ngx_http_offload_manifest_left() <= NGX_HTTP_OFFLOAD_GENERIC) {
            m = ngx_http_offload_makeshift(sh, ctx, file, signer, *variant);
        }

        if (m == NULL && ngx_http_offload_manifest_budget()) {
            return NGX_AGAIN;
        }
    }

    if (m == NULL || m->len > NGX_HTTP_OFFLOAD_TEXT) {
        return NGX_DECLINED;
    }

    ngx_http_offload_cache_used(sh, m);

    text->len = m->len;
    ngx_memcpy(ngx_http_offload_text, ngx_http_offload_manifest_text(m),
               m->len);

    for (i = 0; i < m->npeers; i++) {
        ngx_memcpy(ngx_http_offload_text_peers + i * OL_RECEIPT_PEER_CHARS,
                   m->peers[i].id, OL_RECEIPT_PEER_CHARS);
    }

    ctx->peers.len = m->npeers * OL_RECEIPT_PEER_CHARS;
    ctx->size = file->ident.size;
    ctx->mtime = file->ident.mtime;
    ctx->exp = m->exp;
    ctx->outcome = ctx->idle ? NGX_HTTP_OFFLOAD_IDLE
                             : NGX_HTTP_OFFLOAD_MANIFEST;

    return NGX_OK;
}


/* what is there for this client; NULL: one is to be made, or there is none */

static ngx_http_offload_manifest_t *
ngx_http_offload_choose(ngx_http_offload_sh_t *sh, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_file_t *file, u_char *signer, ngx_uint_t *variant)
{
    ngx_http_offload_manifest_t  *m;
    ngx_http_offload_audience_t   audience;

    for ( ;; ) {
        ngx_http_offload_manifest_audience(sh, file->content, &ctx->client,
                                           *variant, &audience);

        m = ngx_http_offload_cache_find(sh, file, &audience);

        if (m && ngx_http_offload_cache_valid(sh, m, signer)) {
            return m;
        }

        if (*variant == NGX_HTTP_OFFLOAD_PEERLESS
            || ngx_http_offload_has_peers(sh, file->content,
                                          ctx->client.https))
        {
            return NULL;
        }

        if (ctx->want == NGX_HTTP_OFFLOAD_WANT_PEERS) {
            ctx->outcome = NGX_HTTP_OFFLOAD_NOPEERS;
            return NULL;
        }

        *variant = NGX_HTTP_OFFLOAD_PEERLESS;
    }
}


/*
 * When much has been signed in this second: another variant for this client,
 * or what those get of whom nothing is known.  If that is not there either it
 * may be made, for this client as for anyone
 */

static ngx_http_offload_manifest_t *
ngx_http_offload_makeshift(ngx_http_offload_sh_t *sh,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file, u_char *signer,
    ngx_uint_t variant)
{
    ngx_http_offload_manifest_t  *m;

    m = ngx_http_offload_any(sh, ctx, file, signer, variant);
    if (m) {
        return m;
    }

    ctx->client.addressed = 0;
    ctx->client.locality.len = 0;

    return ngx_http_offload_any(sh, ctx, file, signer, variant);
}


static ngx_http_offload_manifest_t *
ngx_http_offload_any(ngx_http_offload_sh_t *sh, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_file_t *file, u_char *signer, ngx_uint_t variant)
{
    ngx_uint_t                    i;
    ngx_http_offload_manifest_t  *m;
    ngx_http_offload_audience_t   audience;

    if (variant == NGX_HTTP_OFFLOAD_PEERLESS) {
        return NULL;
    }

    for (i = 0; i < NGX_HTTP_OFFLOAD_VARIANTS; i++) {
        ngx_http_offload_manifest_audience(sh, file->content, &ctx->client,
                                           (variant + i)
                                           % NGX_HTTP_OFFLOAD_VARIANTS,
                                           &audience);

        m = ngx_http_offload_cache_find(sh, file, &audience);

        if (m && ngx_http_offload_cache_valid(sh, m, signer)) {
            return m;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_offload_copy(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_str_t *text)
{
    text->data = ngx_pnalloc(r->pool, text->len + ctx->peers.len);
    if (text->data == NULL) {
        return NGX_DECLINED;
    }

    ctx->peers.data = ngx_cpymem(text->data, ngx_http_offload_text, text->len);
    ngx_memcpy(ctx->peers.data, ngx_http_offload_text_peers, ctx->peers.len);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_offload_conditional(ngx_http_request_t *r)
{
    return r->headers_in.if_match || r->headers_in.if_none_match
           || r->headers_in.if_modified_since
           || r->headers_in.if_unmodified_since;
}


/*
 * The file's validators go out with the header, so that the core's filter
 * judges the preconditions by them; ours takes them off a manifest later
 */

ngx_int_t
ngx_http_offload_give(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_str_t *text)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;

    if (ngx_http_offload_conditional(r)) {
        r->headers_out.last_modified_time = ctx->mtime;
        r->headers_out.content_length_n = ctx->size;

        if (ngx_http_set_etag(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    r->headers_out.content_length_n = text->len;

    ngx_str_set(&r->headers_out.content_type, OL_MANIFEST_TYPE);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

#if (NGX_HTTP_GZIP)
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif

    ctx->manifest = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


void
ngx_http_offload_count(ngx_http_request_t *r,
    ngx_http_offload_outcome_e outcome)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    sh = ngx_http_offload_peek(omcf->zone);

    (void) ngx_atomic_fetch_add(&sh->outcomes[outcome], 1);
}
