
/*
 * Signs a manifest for a file that is offered, and leaves it in the zone for
 * the next ones who ask.  What it says is copied out under the lock, signed
 * without it, and put back if nothing has changed meanwhile.
 */


#include "ngx_http_offload.h"

#include "offload/encoding.h"
#include "offload/jws.h"
#include "offload/ticket.h"


typedef struct {
    char                        id[OL_KEY_CHARS + 1];
    char                        url[OL_URL_MAX + 1];
    char                        zone[OL_ZONE_MAX + 1];
    uint32_t                    slot;
    uint32_t                    generation;
} ngx_http_offload_peer_t;


typedef struct {                             /* a copy of what the zone says */
    ngx_http_offload_audience_t
                                audience;
    uint64_t                    serial;
    uint64_t                    coordinators;
    uint32_t                    version;
    time_t                      exp;
    ngx_http_offload_ident_t    ident;
    u_char                      root[OL_HASH_BYTES];
    u_char                      sha256[OL_HASH_BYTES];
    u_char                      table[OL_TABLE_INLINE];
    uint32_t                    table_len;
    unsigned                    sri:1;
    char                        type[NGX_HTTP_OFFLOAD_TYPE_LEN + 1];
    char                        etag[NGX_HTTP_OFFLOAD_ETAG_LEN + 1];
    ngx_uint_t                  npeers;
    ngx_http_offload_peer_t     peers[OL_MANIFEST_PEERS];
} ngx_http_offload_offer_t;


static ngx_int_t ngx_http_offload_offer(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_uint_t variant,
    ngx_http_offload_offer_t *offer);
static void ngx_http_offload_offer_peers(ngx_http_offload_sh_t *sh,
    ngx_http_offload_offer_t *offer, ngx_http_offload_node_t **peers,
    ngx_uint_t npeers);
static ngx_int_t ngx_http_offload_compose(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_offer_t *offer,
    ngx_str_t *text);
static void ngx_http_offload_describe(ngx_http_offload_offer_t *offer,
    ngx_http_offload_srv_conf_t *oscf, struct ol_manifest *m);
static ngx_int_t ngx_http_offload_told_peers(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_offer_t *offer);
static void ngx_http_offload_keep(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_offer_t *offer,
    ngx_str_t *text);


static ngx_uint_t  ngx_http_offload_signed;   /* by this worker, in a second */


/* takes one of the signatures that may still be made in this second */

ngx_uint_t
ngx_http_offload_manifest_budget(void)
{
    if (ngx_http_offload_manifest_left() == 0) {
        return 0;
    }

    ngx_http_offload_signed++;

    return 1;
}


ngx_uint_t
ngx_http_offload_manifest_left(void)
{
    static time_t  second;

    if (second != ngx_time()) {
        second = ngx_time();
        ngx_http_offload_signed = 0;
    }

    return NGX_HTTP_OFFLOAD_SIGNATURES - ngx_http_offload_signed;
}


/* what is said without peers is said to everyone */

void
ngx_http_offload_manifest_audience(ngx_http_offload_sh_t *sh,
    ngx_http_offload_content_t *content, ngx_http_offload_client_t *client,
    ngx_uint_t variant, ngx_http_offload_audience_t *audience)
{
    if (variant == NGX_HTTP_OFFLOAD_PEERLESS) {
        ngx_memzero(audience, sizeof(ngx_http_offload_audience_t));
        audience->variant = (uint8_t) variant;
        return;
    }

    ngx_http_offload_audience(sh, content, client, variant, audience);
}


/* NGX_DECLINED: the file, for one of many reasons */

ngx_int_t
ngx_http_offload_manifest_sign(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_uint_t variant, ngx_str_t *text)
{
    ngx_file_info_t            fi;
    ngx_http_offload_offer_t  *offer;
    ngx_http_offload_ident_t   ident;

    offer = ngx_pcalloc(r->pool, sizeof(ngx_http_offload_offer_t));

    if (offer == NULL
        || ngx_http_offload_offer(r, ctx, variant, offer) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* ngx_open_cached_file() sees no nanoseconds, and may see the past */

    if (ngx_file_info(ctx->name.path.data, &fi) == NGX_FILE_ERROR) {
        ngx_http_offload_replaced(r, ctx, offer->serial);
        return NGX_DECLINED;
    }

    ngx_http_offload_ident(&fi, &ident);

    if (!ngx_http_offload_ident_same(&ident, &offer->ident)) {
        ngx_http_offload_replaced(r, ctx, offer->serial);
        return NGX_DECLINED;
    }

    if (ngx_http_offload_compose(r, ctx, offer, text) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_http_offload_keep(r, ctx, offer, text);

    ctx->outcome = ctx->idle ? NGX_HTTP_OFFLOAD_IDLE
                             : NGX_HTTP_OFFLOAD_MANIFEST;
    ctx->size = offer->ident.size;
    ctx->mtime = offer->ident.mtime;
    ctx->exp = offer->exp;

    return ngx_http_offload_told_peers(r, ctx, offer);
}


static ngx_int_t
ngx_http_offload_offer(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_uint_t variant, ngx_http_offload_offer_t *offer)
{
    ngx_int_t                      rc;
    ngx_uint_t                     n;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_node_t       *peers[OL_MANIFEST_PEERS];
    ngx_http_offload_file_t       *file;
    ngx_http_offload_content_t    *content;
    ngx_http_offload_loc_conf_t   *olcf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    rc = NGX_DECLINED;

    sh = ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_file_offered(omcf->zone, &ctx->name);

    if (file == NULL) {
        goto done;
    }

    content = file->content;

    n = 0;

    if (variant != NGX_HTTP_OFFLOAD_PEERLESS) {
        n = ngx_http_offload_select(omcf->zone, content, &ctx->client, variant,
                                    peers, olcf->peers);

        if (n == 0 && ctx->want != NGX_HTTP_OFFLOAD_WANT_MANIFEST) {
            ctx->outcome = NGX_HTTP_OFFLOAD_NOPEERS;
            goto done;
        }

        if (n == 0) {
            variant = NGX_HTTP_OFFLOAD_PEERLESS;
        }
    }

    ngx_http_offload_manifest_audience(sh, content, &ctx->client, variant,
                                       &offer->audience);
    ngx_http_offload_offer_peers(sh, offer, peers, n);

    offer->exp = ngx_time() + (n || olcf->stale == NGX_CONF_UNSET
                               ? olcf->ttl : olcf->stale);

    offer->serial = file->serial;
    offer->ident = file->ident;
    offer->version = ngx_http_offload_version(sh, content);
    offer->table_len = content->table_len;
    offer->sri = file->sri && ngx_http_offload_sri_file(file);

    ngx_memcpy(offer->root, content->root, OL_HASH_BYTES);
    ngx_memcpy(offer->sha256, content->sha256, OL_HASH_BYTES);
    ngx_memcpy(offer->type, ngx_http_offload_file_type(file), file->type_len);
    ngx_memcpy(offer->etag, ngx_http_offload_file_etag(file), file->etag_len);

    if (content->table_len) {
        ngx_memcpy(offer->table, content->table, content->table_len);
    }

    rc = NGX_OK;

done:

    ngx_http_offload_unlock(omcf->zone);

    return rc;
}


static void
ngx_http_offload_offer_peers(ngx_http_offload_sh_t *sh,
    ngx_http_offload_offer_t *offer, ngx_http_offload_node_t **peers,
    ngx_uint_t npeers)
{
    ngx_uint_t                i;
    ngx_http_offload_node_t  *node;
    ngx_http_offload_peer_t  *peer;

    for (i = 0; i < npeers; i++) {
        node = peers[i];
        peer = &offer->peers[i];

        ngx_memcpy(peer->id, node->id, OL_KEY_CHARS);
        ngx_memcpy(peer->url, node->data, node->url_len);
        ngx_memcpy(peer->zone, node->data + node->url_len, node->zone_len);

        peer->slot = node->slot;
        peer->generation = sh->slots[node->slot];

        offer->coordinators |= (uint64_t) 1 << node->coordinator;
    }

    offer->npeers = npeers;
}


/* the manifest in words, signed */

static ngx_int_t
ngx_http_offload_compose(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_offer_t *offer, ngx_str_t *text)
{
    char                          *token;
    char                           path[OL_ROOT_HEX + OL_TICKET_MAX + 8];
    char                           root[OL_ROOT_HEX + 1];
    u_char                         query[OL_TICKET_MAX];
    size_t                         len;
    json_t                        *json;
    struct ol_key                **key;
    struct ol_manifest             m;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    key = oscf->keys->elts;

    if (ngx_http_offload_content_ticket(r, offer->root, query) != NGX_OK) {
        return NGX_ERROR;
    }

    ol_hex_encode(root, offer->root, OL_HASH_BYTES);
    (void) ngx_sprintf((u_char *) path, "/c/%s?%s%Z", root, query);

    ngx_memzero(&m, sizeof(struct ol_manifest));

    m.iss = (char *) oscf->iss.data;
    m.sub = (char *) ctx->name.sub.data;
    m.iat = ngx_time();
    m.exp = offer->exp;
    m.path = path;

    ngx_http_offload_describe(offer, oscf, &m);

    if (offer->sri
        && ngx_http_offload_sri_manifest(r, ctx, offer->root, &m) != NGX_OK)
    {
        return NGX_ERROR;
    }

    json = ol_manifest_to_json(&m);
    if (json == NULL) {
        return NGX_ERROR;
    }

    if (ol_jws_sign(*key, OL_TYP_MANIFEST, json, &token, &len) != 0) {
        json_decref(json);
        return NGX_ERROR;
    }

    json_decref(json);

    sh = ngx_http_offload_peek(omcf->zone);
    (void) ngx_atomic_fetch_add(&sh->signatures, 1);

    text->len = len;
    text->data = ngx_pnalloc(r->pool, len);

    if (text->data) {
        ngx_memcpy(text->data, token, len);
    }

    free(token);

    return text->data ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_offload_describe(ngx_http_offload_offer_t *offer,
    ngx_http_offload_srv_conf_t *oscf, struct ol_manifest *m)
{
    ngx_uint_t                   i;
    ngx_http_offload_tracker_t  *tracker;

    m->size = offer->ident.size;
    m->piece_size = ol_piece_size(offer->ident.size);
    m->type = offer->type;
    m->etag = offer->etag;
    m->table = offer->table_len ? offer->table : NULL;
    m->peer_count = offer->npeers;

    ngx_memcpy(m->root, offer->root, OL_HASH_BYTES);
    ngx_memcpy(m->sha256, offer->sha256, OL_HASH_BYTES);

    for (i = 0; i < offer->npeers; i++) {
        m->peers[i].id = offer->peers[i].id;
        m->peers[i].url = offer->peers[i].url;
        m->peers[i].zone = offer->peers[i].zone;
    }

    if (oscf->coordinators == NULL) {
        return;
    }

    tracker = oscf->coordinators->elts;
    m->tracker_count = oscf->coordinators->nelts;

    for (i = 0; i < m->tracker_count; i++) {
        m->trackers[i] = (char *) tracker[i].url.data;
    }
}


/* for a receipt */

static ngx_int_t
ngx_http_offload_told_peers(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_offer_t *offer)
{
    u_char      *p;
    ngx_uint_t   i;

    p = ngx_pnalloc(r->pool, offer->npeers * OL_RECEIPT_PEER_CHARS + 1);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    ctx->peers.data = p;
    ctx->peers.len = offer->npeers * OL_RECEIPT_PEER_CHARS;

    for (i = 0; i < offer->npeers; i++) {
        p = ngx_cpymem(p, offer->peers[i].id, OL_RECEIPT_PEER_CHARS);
    }

    return NGX_OK;
}


/* for the next ones, unless something has changed while it was signed */

static void
ngx_http_offload_keep(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_offer_t *offer, ngx_str_t *text)
{
    ngx_uint_t                     i;
    struct ol_key                **key;
    ngx_http_offload_manifest_t   *m;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    key = oscf->keys->elts;

    m = ngx_http_offload_cache_keep(omcf->zone, &ctx->name, offer->serial,
                                    &offer->version, &offer->audience,
                                    offer->npeers, text->len);
    if (m == NULL) {
        return;
    }

    m->refresh = ngx_time() + (offer->exp - ngx_time()) / 2;
    m->exp = offer->exp;
    m->coordinators = offer->coordinators;

    ngx_memcpy(m->signer, ol_key_id_bytes(*key), sizeof(m->signer));

    for (i = 0; i < offer->npeers; i++) {
        m->peers[i].slot = offer->peers[i].slot;
        m->peers[i].generation = offer->peers[i].generation;
        ngx_memcpy(m->peers[i].id, offer->peers[i].id,
                   OL_RECEIPT_PEER_CHARS);
    }

    ngx_memcpy(ngx_http_offload_manifest_text(m), text->data, text->len);

    ngx_http_offload_unlock(omcf->zone);
}
