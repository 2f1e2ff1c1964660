
/*
 * Link, Digest and Repr-Digest (RFC 6249, 3230, 9530) on direct answers and on
 * redirects, and the holders that those may name: trusted ones, since who goes
 * by these headers can tell wrong bytes only when it has all of them.  Made
 * once for an audience, kept in the zone as one text.
 */


#include "ngx_http_offload.h"
#include "ngx_http_offload_links.h"
#include "ngx_http_offload_select.h"


static void ngx_http_offload_links_audience(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file,
    ngx_http_offload_audience_t *audience);
static ngx_int_t ngx_http_offload_links_cached(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file,
    ngx_str_t *text);
static ngx_int_t ngx_http_offload_links_make(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_str_t *text);
static ngx_int_t ngx_http_offload_links_offer(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer);
static void ngx_http_offload_links_holders(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file,
    ngx_http_offload_links_offer_t *offer);
static void ngx_http_offload_links_geo(ngx_http_offload_holder_t *holder,
    u_char *zone, size_t len);
static void ngx_http_offload_links_keep(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer,
    ngx_str_t *text);


/*
 * Adds them to an answer that is the file, or to a redirect.  NGX_ERROR: no
 * memory; anything else that fails leaves them out
 */

ngx_int_t
ngx_http_offload_links(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_http_offload_file_t       *file;
    ngx_http_offload_links_t       links;
    ngx_http_offload_loc_conf_t   *olcf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if (!olcf->links || !ctx->rooted
        || ngx_http_offload_client(r, ctx) != NGX_OK)
    {
        return NGX_OK;
    }

    (void) ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_file_offered(omcf->zone, &ctx->name);

    if (file == NULL) {
        ngx_http_offload_unlock(omcf->zone);
        return NGX_OK;
    }

    if (ngx_http_offload_links_get(r, ctx, file, &links) != NGX_OK) {
        return NGX_OK;
    }

    return ngx_http_offload_links_add(r, &links, ngx_http_offload_busy(r));
}


/*
 * What there is to say of a file that is READY.  The caller has locked the
 * zone, which is unlocked on return
 */

ngx_int_t
ngx_http_offload_links_get(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_file_t *file, ngx_http_offload_links_t *links)
{
    ngx_int_t                      rc;
    ngx_str_t                      text;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    rc = ngx_http_offload_links_cached(r, ctx, file, &text);

    ngx_http_offload_unlock(omcf->zone);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_offload_links_make(r, ctx, &text);
    }

    return (rc == NGX_OK) ? ngx_http_offload_lines_take(r, &text, links) : rc;
}


/* a redirect has no Repr-Digest: that would be of its own body */

ngx_int_t
ngx_http_offload_links_add(ngx_http_request_t *r,
    ngx_http_offload_links_t *links, ngx_uint_t holders)
{
    u_char      *p, *last, *end;
    ngx_str_t    value;
    ngx_uint_t   n;

    static ngx_str_t  keys[] = {
        ngx_string("Digest"),
        ngx_string("Repr-Digest"),
        ngx_string("Link")
    };

    p = links->lines.data;
    last = p + (holders ? links->lines.len : links->anyone);

    for (n = 0; p < last; p = end + 1, n++) {

        end = ngx_strlchr(p, last, '\n');

        if (n == 1 && r->headers_out.status != NGX_HTTP_OK) {
            continue;
        }

        value.data = p;
        value.len = end - p;

        if (ngx_http_offload_add_header(r, &keys[ngx_min(n, 2)], &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* other locations may trust other nodes: their texts say so, too */

static void
ngx_http_offload_links_audience(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file,
    ngx_http_offload_audience_t *audience)
{
    ngx_http_offload_loc_conf_t   *olcf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    ngx_http_offload_audience(ngx_http_offload_peek(omcf->zone),
                              file->content, &ctx->client,
                              ctx->verifies ? NGX_HTTP_OFFLOAD_HOLDERS
                                            : NGX_HTTP_OFFLOAD_LINKS,
                              audience);

    audience->locality += (uint32_t) olcf->trusted + (uint32_t) olcf->peers;
}


static ngx_int_t
ngx_http_offload_links_cached(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file,
    ngx_str_t *text)
{
    struct ol_key                **key;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_manifest_t   *m;
    ngx_http_offload_audience_t    audience;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    key = oscf->keys->elts;
    sh = ngx_http_offload_peek(omcf->zone);

    ngx_http_offload_links_audience(r, ctx, file, &audience);

    m = ngx_http_offload_cache_find(sh, file, &audience);

    if (m == NULL
        || !ngx_http_offload_cache_valid(sh, m,
                                         (u_char *) ol_key_id_bytes(*key)))
    {
        return NGX_DECLINED;
    }

    ngx_http_offload_cache_used(sh, m);

    return ngx_http_offload_lines_copy(r, m, text);
}


static ngx_int_t
ngx_http_offload_links_make(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_str_t *text)
{
    ngx_http_offload_links_offer_t  *offer;

    offer = ngx_pcalloc(r->pool, sizeof(ngx_http_offload_links_offer_t));

    if (offer == NULL
        || ngx_http_offload_links_offer(r, ctx, offer) != NGX_OK
        || ngx_http_offload_lines_make(r, ctx, offer, text) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_offload_links_keep(r, ctx, offer, text);

    (void) ngx_pfree(r->pool, offer);

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_links_offer(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer)
{
    ngx_int_t                      rc;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_content_t    *content;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    rc = NGX_DECLINED;

    sh = ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_file_offered(omcf->zone, &ctx->name);

    if (file == NULL) {
        goto done;
    }

    file->pinned = 1;
    ngx_http_offload_links_holders(r, ctx, file, offer);
    file->pinned = 0;

    ngx_http_offload_links_audience(r, ctx, file, &offer->audience);

    content = file->content;

    offer->serial = file->serial;
    offer->version = ngx_http_offload_version(sh, content);
    offer->torrent = file->torrent;

    ngx_memcpy(offer->root, content->root, OL_HASH_BYTES);
    ngx_memcpy(offer->sha256, content->sha256, OL_HASH_BYTES);

    rc = NGX_OK;

done:

    ngx_http_offload_unlock(omcf->zone);

    return rc;
}


/* complete ones, best first, that the location trusts or the client checks */

static void
ngx_http_offload_links_holders(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file,
    ngx_http_offload_links_offer_t *offer)
{
    ngx_uint_t                     i;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_node_t       *node;
    ngx_http_offload_choice_t     *choice;
    ngx_http_offload_holder_t     *holder;
    ngx_http_offload_loc_conf_t   *olcf;
    ngx_http_offload_main_conf_t  *omcf;
    ngx_http_offload_selection_t   sel;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if (olcf->trust == NULL && !ctx->verifies) {
        return;
    }

    sh = ngx_http_offload_peek(omcf->zone);

    ngx_http_offload_selection(omcf->zone, file->content, &ctx->client, 0,
                               &sel);

    for (i = 0; i < sel.nchoices; i++) {
        choice = &sel.candidates[sel.order[i]];
        node = choice->node;

        if (offer->nholders == (ngx_uint_t) olcf->peers) {
            break;
        }

        if (!choice->candidate.held
            || (!ctx->verifies && !ngx_http_offload_trusts(olcf, node)))
        {
            continue;
        }

        holder = &offer->holders[offer->nholders++];

        ngx_memcpy(holder->id, node->id, OL_KEY_CHARS);
        ngx_memcpy(holder->url, node->data, node->url_len);

        holder->weight = sel.choices[i].weight;
        holder->tier = sel.choices[i].tier;
        holder->slot = node->slot;
        holder->generation = sh->slots[node->slot];

        offer->coordinators |= (uint64_t) 1 << node->coordinator;

        ngx_http_offload_links_geo(holder, ngx_http_offload_node_zone(node),
                                   node->zone_len);
    }
}


/* geo= takes a country's code; a node's zone may be some other word */

static void
ngx_http_offload_links_geo(ngx_http_offload_holder_t *holder, u_char *zone,
    size_t len)
{
    u_char  a, b;

    if (len != 2) {
        return;
    }

    a = ngx_tolower(zone[0]);
    b = ngx_tolower(zone[1]);

    if (a >= 'a' && a <= 'z' && b >= 'a' && b <= 'z') {
        (void) ngx_sprintf((u_char *) holder->geo, "; geo=%c%c", a, b);
    }
}


/* for the next ones, unless something has changed meanwhile */

static void
ngx_http_offload_links_keep(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_links_offer_t *offer, ngx_str_t *text)
{
    ngx_uint_t                     i;
    struct ol_key                **key;
    ngx_http_offload_manifest_t   *m;
    ngx_http_offload_loc_conf_t   *olcf;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);
    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    key = oscf->keys->elts;

    m = ngx_http_offload_cache_keep(omcf->zone, &ctx->name, offer->serial,
                                    &offer->version, &offer->audience,
                                    offer->nholders, text->len);
    if (m == NULL) {
        return;
    }

    /*
     * Tickets change with their window, the holders' weights all the time; a
     * first holder is wanted soon, though all that came may be a node's URL
     */

    m->exp = ngx_time() - ngx_time() % OL_TICKET_WINDOW_S + OL_TICKET_WINDOW_S;

    if ((olcf->trust || ctx->verifies) && offer->nholders == 0) {
        m->refresh = ngx_time() + 1;

    } else {
        m->refresh = ngx_min(m->exp, ngx_time() + olcf->ttl / 2);
    }

    m->coordinators = offer->coordinators;

    ngx_memcpy(m->signer, ol_key_id_bytes(*key), sizeof(m->signer));

    for (i = 0; i < offer->nholders; i++) {
        m->peers[i].slot = offer->holders[i].slot;
        m->peers[i].generation = offer->holders[i].generation;
        ngx_memcpy(m->peers[i].id, offer->holders[i].id,
                   sizeof(m->peers[i].id));
    }

    ngx_memcpy(ngx_http_offload_manifest_text(m), text->data, text->len);

    ngx_http_offload_unlock(omcf->zone);
}
