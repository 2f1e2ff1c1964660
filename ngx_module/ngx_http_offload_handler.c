
/*
 * The content phase.  Decides whether a request is one that the static handler
 * would answer for anyone, and gives a manifest if it asks for one and there
 * is one to give; whatever is missing, the static handler's turn is next.
 */


#include "ngx_http_offload.h"

#include "offload/encoding.h"
#include "offload/origin.h"


#define NGX_HTTP_OFFLOAD_TEXT  65536         /* the longest manifest cached */


static ngx_uint_t ngx_http_offload_public(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_name(ngx_http_request_t *r,
    ngx_http_offload_name_t *name);
static ngx_int_t ngx_http_offload_lookup(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_str_t *text);
static ngx_http_offload_file_t *ngx_http_offload_offered(
    ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_zone_t *zone);
static ngx_uint_t ngx_http_offload_type(ngx_hash_t *types,
    ngx_http_offload_file_t *file);
static ngx_int_t ngx_http_offload_cached(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_sh_t *sh,
    ngx_http_offload_file_t *file, ngx_str_t *text);
static ngx_int_t ngx_http_offload_unchanged(ngx_http_request_t *r,
    ngx_str_t *name, ngx_http_offload_ident_t *ident);
static ngx_int_t ngx_http_offload_give(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_str_t *text);


/* a manifest on its way out of the zone */

static u_char  ngx_http_offload_text[NGX_HTTP_OFFLOAD_TEXT];


ngx_int_t
ngx_http_offload_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_str_t                     text;
    ngx_http_offload_ctx_t       *ctx;
    ngx_http_offload_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if (!olcf->enable || r != r->main
        || !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)))
    {
        return NGX_DECLINED;
    }

    if (!ngx_http_offload_public(r)) {
        ngx_http_offload_count(r, NGX_HTTP_OFFLOAD_INELIGIBLE);
        return NGX_DECLINED;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_offload_ctx_t));

    if (ctx == NULL || ngx_http_offload_name(r, &ctx->name) != NGX_OK) {
        return NGX_DECLINED;
    }

    ctx->outcome = NGX_HTTP_OFFLOAD_INELIGIBLE;
    ctx->want = ngx_http_offload_want(r);

    ngx_http_set_ctx(r, ctx, ngx_http_offload_module);

    if (ctx->want < NGX_HTTP_OFFLOAD_WANT_PEERS || r->method != NGX_HTTP_GET) {
        return NGX_DECLINED;
    }

    rc = ngx_http_offload_lookup(r, ctx, &text);

    if (rc == NGX_AGAIN) {
        rc = ngx_http_offload_manifest_sign(r, ctx, &text);
    }

    if (rc != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_offload_give(r, ctx, &text);
}


/*
 * What anyone may fetch, by its own URL, without credentials.  A rewrite makes
 * a request internal, as a redirect by X-Accel or an error page does, which
 * cannot be told from it
 */

static ngx_uint_t
ngx_http_offload_public(ngx_http_request_t *r)
{
    return !r->internal
           && r->uri.data[r->uri.len - 1] != '/'
           && r->headers_in.authorization == NULL
           && r->headers_in.user.len == 0;
}


/* the subject is the path that was asked for, whatever it was mapped to */

static ngx_int_t
ngx_http_offload_name(ngx_http_request_t *r, ngx_http_offload_name_t *name)
{
    u_char                       *last;
    size_t                        root, len;
    ngx_str_t                     sub;
    ngx_http_offload_srv_conf_t  *oscf;
    ngx_http_offload_main_conf_t *omcf;

    for (len = 0; len < r->unparsed_uri.len; len++) {
        if (r->unparsed_uri.data[len] == '?'
            || r->unparsed_uri.data[len] == '#')
        {
            break;
        }
    }

    if (len > 3 * OL_SUB_MAX) {
        return NGX_DECLINED;
    }

    /* decoding does not make it longer */

    sub.data = ngx_pnalloc(r->pool, len + 1);
    if (sub.data == NULL) {
        return NGX_ERROR;
    }

    if (ol_subject_normalise((char *) r->unparsed_uri.data, len,
                             (char *) sub.data, len + 1, &sub.len)
        != 0 || sub.len > OL_SUB_MAX)
    {
        return NGX_DECLINED;
    }

    last = ngx_http_map_uri_to_path(r, &name->path, &root, 0);
    if (last == NULL) {
        return NGX_ERROR;
    }

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    name->path.len = last - name->path.data;
    name->site = oscf->id;
    name->sub = sub;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    ngx_http_offload_name_hash(ngx_http_offload_peek(omcf->zone), name);

    return NGX_OK;
}


/* NGX_OK: text; NGX_AGAIN: one is to be signed; NGX_DECLINED: the file */

static ngx_int_t
ngx_http_offload_lookup(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_str_t *text)
{
    uint64_t                       serial;
    ngx_int_t                      rc;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_ident_t       ident;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    sh = ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_offered(r, ctx, omcf->zone);

    if (file && file->state == NGX_HTTP_OFFLOAD_READY
        && file->checked != ngx_time())
    {
        /* once a second: is the file still the one that was hashed? */

        file->checked = ngx_time();
        serial = file->serial;
        ident = file->ident;

        ngx_http_offload_unlock(omcf->zone);

        if (ngx_http_offload_unchanged(r, &ctx->name.path, &ident) != NGX_OK) {
            ngx_http_offload_replaced(r, ctx, serial);
            return NGX_DECLINED;
        }

        sh = ngx_http_offload_lock(omcf->zone);

        file = ngx_http_offload_offered(r, ctx, omcf->zone);
    }

    rc = NGX_DECLINED;

    if (file) {
        ngx_http_offload_file_used(sh, file);
        file->demand++;

        if (file->state == NGX_HTTP_OFFLOAD_READY) {
            ngx_http_offload_file_changed(sh, file);
            rc = ngx_http_offload_cached(r, ctx, sh, file, text);
        }
    }

    ngx_http_offload_unlock(omcf->zone);

    if (rc != NGX_OK) {
        return rc;
    }

    text->data = ngx_pnalloc(r->pool, text->len);
    if (text->data == NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(text->data, ngx_http_offload_text, text->len);

    return NGX_OK;
}


/* the file, if this location offers it still; says what became of it */

static ngx_http_offload_file_t *
ngx_http_offload_offered(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_zone_t *zone)
{
    ngx_http_offload_file_t      *file;
    ngx_http_offload_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    file = ngx_http_offload_file_find(ngx_http_offload_peek(zone),
                                      &ctx->name);

    if (file == NULL || file->ident.size < olcf->min_length
        || !ngx_http_offload_type(&olcf->types, file))
    {
        return NULL;
    }

    if (!ngx_http_offload_file_public(zone, file)) {
        ctx->unjudged = 1;
        return NULL;
    }

    ngx_http_offload_index_again(zone, file);
    ngx_http_offload_found(ctx, file);

    return file;
}


/* as ngx_http_test_content_type(), for the type that the file had */

static ngx_uint_t
ngx_http_offload_type(ngx_hash_t *types, ngx_http_offload_file_t *file)
{
    size_t      i;
    u_char     *type, lowcase[NGX_HTTP_OFFLOAD_TYPE_LEN];
    ngx_uint_t  hash;

    if (types->size == 0) {
        return 1;
    }

    type = ngx_http_offload_file_type(file);
    hash = 0;

    for (i = 0; i < file->type_len && i < sizeof(lowcase); i++) {
        lowcase[i] = ngx_tolower(type[i]);
        hash = ngx_hash(hash, lowcase[i]);
    }

    return ngx_hash_find(types, hash, lowcase, i) != NULL;
}


/* what is known of a file, for the variables and the filter */

void
ngx_http_offload_found(ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_file_t *file)
{
    switch (file->state) {

    case NGX_HTTP_OFFLOAD_READY:
        ol_hex_encode(ctx->root, file->content->root, OL_HASH_BYTES);
        ctx->rooted = 1;
        ctx->outcome = NGX_HTTP_OFFLOAD_DIRECT;
        break;

    case NGX_HTTP_OFFLOAD_FAILED:
        ctx->outcome = NGX_HTTP_OFFLOAD_INELIGIBLE;
        break;

    default:
        ctx->outcome = NGX_HTTP_OFFLOAD_INDEXING;
    }
}


static ngx_int_t
ngx_http_offload_cached(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_sh_t *sh, ngx_http_offload_file_t *file, ngx_str_t *text)
{
    struct ol_key                **key;
    ngx_http_offload_node_t       *peer;
    ngx_http_offload_manifest_t   *manifest;
    ngx_http_offload_srv_conf_t   *oscf;

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    key = oscf->keys->elts;
    manifest = file->manifest;

    if (manifest && !ngx_http_offload_manifest_valid(sh, file, *key)) {
        manifest = NULL;
    }

    if (manifest
        && (manifest->npeers || ctx->want == NGX_HTTP_OFFLOAD_WANT_MANIFEST)
        && manifest->len <= NGX_HTTP_OFFLOAD_TEXT)
    {
        text->len = manifest->len;
        ngx_memcpy(ngx_http_offload_text,
                   ngx_http_offload_manifest_text(manifest), manifest->len);

        ctx->size = file->ident.size;
        ctx->mtime = file->ident.mtime;
        ctx->outcome = NGX_HTTP_OFFLOAD_MANIFEST;
        return NGX_OK;
    }

    if (ctx->want == NGX_HTTP_OFFLOAD_WANT_PEERS
        && ngx_http_offload_peers(sh, file->content, oscf->https, &peer, 1)
           == 0)
    {
        ctx->outcome = NGX_HTTP_OFFLOAD_NOPEERS;
        return NGX_DECLINED;
    }

    return NGX_AGAIN;
}


/* the static handler will meet the new version, and the filter will see it */

void
ngx_http_offload_replaced(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    uint64_t serial)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    sh = ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_file_find(sh, &ctx->name);

    if (file && file->serial == serial) {
        ngx_http_offload_file_gone(omcf->zone, file);
    }

    ngx_http_offload_unlock(omcf->zone);

    ctx->outcome = NGX_HTTP_OFFLOAD_INELIGIBLE;
    ctx->rooted = 0;
}


/* opened as the static handler would, so that both see the same */

static ngx_int_t
ngx_http_offload_unchanged(ngx_http_request_t *r, ngx_str_t *name,
    ngx_http_offload_ident_t *ident)
{
    ngx_open_file_info_t       of;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_memzero(&of, sizeof(ngx_open_file_info_t));

    of.read_ahead = clcf->read_ahead;
    of.directio = clcf->directio;
    of.valid = clcf->open_file_cache_valid;
    of.min_uses = clcf->open_file_cache_min_uses;
    of.errors = clcf->open_file_cache_errors;
    of.events = clcf->open_file_cache_events;

    if (ngx_http_set_disable_symlinks(r, clcf, name, &of) != NGX_OK
        || ngx_open_cached_file(clcf->open_file_cache, name, &of, r->pool)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (!of.is_file || of.uniq != (ngx_file_uniq_t) ident->ino
        || of.size != ident->size || of.mtime != ident->mtime)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * The file's validators go out with the header, so that the core's filter
 * judges the preconditions by them; ours takes them off a manifest later
 */

static ngx_int_t
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
    r->headers_out.last_modified_time = ctx->mtime;
    r->headers_out.content_length_n = ctx->size;

    if (ngx_http_set_etag(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
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
