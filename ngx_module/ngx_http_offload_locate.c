
/*
 * From a request to the file in the zone that it is about: the names of the
 * file, whether this location offers it, whether it is still the version that
 * was hashed.  Decides nothing about what is answered.
 */


#include "ngx_http_offload.h"

#include "offload/encoding.h"
#include "offload/origin.h"


static ngx_http_offload_file_t *ngx_http_offload_on_offer(
    ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_zone_t *zone);
static ngx_uint_t ngx_http_offload_normal(ngx_http_request_t *r, size_t len);
static ngx_uint_t ngx_http_offload_type(ngx_hash_t *types,
    ngx_http_offload_file_t *file);
static ngx_int_t ngx_http_offload_unchanged(ngx_http_request_t *r,
    ngx_str_t *name, ngx_http_offload_ident_t *ident);


/*
 * What anyone may fetch, by its own URL, without credentials.  A rewrite makes
 * a request internal, as a redirect by X-Accel or an error page does, which
 * cannot be told from it
 */

ngx_uint_t
ngx_http_offload_public(ngx_http_request_t *r)
{
    return !r->internal
           && r->uri.data[r->uri.len - 1] != '/'
           && r->headers_in.authorization == NULL
           && r->headers_in.user.len == 0
           && !ngx_http_offload_guarded(r);
}


/* NULL: the request has no name that a file could be offered by */

ngx_http_offload_ctx_t *
ngx_http_offload_ctx_create(ngx_http_request_t *r,
    ngx_http_offload_want_e want)
{
    ngx_str_t  sub;

    if (ngx_http_offload_subject(r, &sub) != NGX_OK) {
        return NULL;
    }

    return ngx_http_offload_ctx_named(r, want, &sub);
}


/* by a subject of its own, and the path that the URI is mapped to here */

ngx_http_offload_ctx_t *
ngx_http_offload_ctx_named(ngx_http_request_t *r, ngx_http_offload_want_e want,
    ngx_str_t *sub)
{
    u_char                        *last;
    size_t                         root;
    ngx_http_offload_ctx_t        *ctx;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_offload_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    last = ngx_http_map_uri_to_path(r, &ctx->name.path, &root, 0);
    if (last == NULL) {
        return NULL;
    }

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    ctx->name.path.len = last - ctx->name.path.data;
    ctx->name.site = oscf->id;
    ctx->name.sub = *sub;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    ngx_http_offload_name_hash(ngx_http_offload_peek(omcf->zone), &ctx->name);

    ctx->outcome = NGX_HTTP_OFFLOAD_INELIGIBLE;
    ctx->want = want;

    ngx_http_set_ctx(r, ctx, ngx_http_offload_module);

    return ctx;
}


/* the path that was asked for, whatever it was mapped to; with a NUL */

ngx_int_t
ngx_http_offload_subject(ngx_http_request_t *r, ngx_str_t *sub)
{
    size_t  len;

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

    if (ngx_http_offload_normal(r, len)) {
        sub->data = ngx_pnalloc(r->pool, len + 1);
        if (sub->data == NULL) {
            return NGX_ERROR;
        }

        *ngx_cpymem(sub->data, r->unparsed_uri.data, len) = '\0';
        sub->len = len;

        return NGX_OK;
    }

    /* decoding does not make it longer */

    sub->data = ngx_pnalloc(r->pool, len + 1);
    if (sub->data == NULL) {
        return NGX_ERROR;
    }

    if (ol_subject_normalise((char *) r->unparsed_uri.data, len,
                             (char *) sub->data, len + 1, &sub->len)
        != 0 || sub->len > OL_SUB_MAX)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* nginx has found nothing to decode or to resolve, and it is plain ASCII */

static ngx_uint_t
ngx_http_offload_normal(ngx_http_request_t *r, size_t len)
{
    u_char  *p, *last;

    if (r->quoted_uri || r->complex_uri || len == 0 || len > OL_SUB_MAX) {
        return 0;
    }

    p = r->unparsed_uri.data;
    last = p + len;

    if (*p != '/') {
        return 0;
    }

    while (p < last) {
        if (*p <= ' ' || *p >= 0x7f) {
            return 0;
        }

        p++;
    }

    return 1;
}


/* who asks, as far as it matters for which peers are named */

ngx_int_t
ngx_http_offload_client(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_http_offload_client_t    *client;
    ngx_http_offload_srv_conf_t  *oscf;
    ngx_http_offload_loc_conf_t  *olcf;

    if (ctx->cliented) {
        return NGX_OK;
    }

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);
    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    client = &ctx->client;

    client->addressed = ol_addr_from_sockaddr(r->connection->sockaddr,
                                              &client->addr)
                        == 0;
    client->https = oscf->https;

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        client->https = 1;
    }
#endif

    if (olcf->locality
        && ngx_http_complex_value(r, olcf->locality, &client->locality)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->cliented = 1;

    return NGX_OK;
}


/*
 * The file, if this location offers it still, and what is known of it in ctx;
 * or NULL.  Leaves the zone locked either way
 */

ngx_http_offload_file_t *
ngx_http_offload_locate(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    uint64_t                       serial;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_ident_t       ident;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    (void) ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_on_offer(r, ctx, omcf->zone);

    if (file == NULL || file->state != NGX_HTTP_OFFLOAD_READY
        || file->checked == ngx_time())
    {
        return file;
    }

    /* once a second: is the file still the one that was hashed? */

    file->checked = ngx_time();
    serial = file->serial;
    ident = file->ident;

    ngx_http_offload_unlock(omcf->zone);

    if (ngx_http_offload_unchanged(r, &ctx->name.path, &ident) != NGX_OK) {
        ngx_http_offload_replaced(r, ctx, serial);

        (void) ngx_http_offload_lock(omcf->zone);

        return NULL;
    }

    (void) ngx_http_offload_lock(omcf->zone);

    return ngx_http_offload_on_offer(r, ctx, omcf->zone);
}


static ngx_http_offload_file_t *
ngx_http_offload_on_offer(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_zone_t *zone)
{
    ngx_http_offload_file_t      *file;
    ngx_http_offload_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    file = ngx_http_offload_file_find(ngx_http_offload_peek(zone),
                                      &ctx->name);

    if (file == NULL) {
        return NULL;
    }

    /* a canonical place is for whatever any location offers */

    if (!ctx->placed
        && (file->ident.size < olcf->min_length
            || !ngx_http_offload_type(&olcf->types, file)))
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

void
ngx_http_offload_open_info(ngx_http_request_t *r, ngx_open_file_info_t *of)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_memzero(of, sizeof(ngx_open_file_info_t));

    of->read_ahead = clcf->read_ahead;
    of->directio = clcf->directio;
    of->valid = clcf->open_file_cache_valid;
    of->min_uses = clcf->open_file_cache_min_uses;
    of->errors = clcf->open_file_cache_errors;
    of->events = clcf->open_file_cache_events;
}


static ngx_int_t
ngx_http_offload_unchanged(ngx_http_request_t *r, ngx_str_t *name,
    ngx_http_offload_ident_t *ident)
{
    ngx_open_file_info_t       of;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_http_offload_open_info(r, &of);

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
