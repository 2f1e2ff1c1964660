
/*
 * Link, Digest and Repr-Digest (RFC 6249, 3230, 9530) on direct answers and on
 * redirects, and the holders that those may name: trusted ones, since who goes
 * by these headers can tell wrong bytes only when it has all of them.  Made
 * once for an audience, kept in the zone as one text.
 */


#include "ngx_http_offload.h"
#include "ngx_http_offload_links.h"
#include "ngx_http_offload_select.h"

#include "offload/encoding.h"
#include "offload/metalink.h"
#include "offload/torrent.h"


/* a proxy in front may have 4 KiB for a whole header */
#define NGX_HTTP_OFFLOAD_LINKS_LINES   3072
#define NGX_HTTP_OFFLOAD_LINKS_NAME    (3 * 255)
#define NGX_HTTP_OFFLOAD_LINKS_TEXT    24576 /* 32 targets with the longest */
                                             /* URLs, and such lines */


typedef struct {                             /* how such a text begins; then */
                                             /* targets, URLs, path, lines */
    uint32_t                    ntargets;
    uint32_t                    urls;        /* their length, and so on */
    uint32_t                    path;
    uint32_t                    anyone;      /* lines that name no holder */
    uint32_t                    lines;       /* all of them */
} ngx_http_offload_links_head_t;


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


static void ngx_http_offload_links_audience(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file,
    ngx_http_offload_audience_t *audience);
static ngx_int_t ngx_http_offload_links_cached(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file, size_t *len);
static ngx_int_t ngx_http_offload_links_make(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, size_t *len);
static ngx_int_t ngx_http_offload_links_offer(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer);
static void ngx_http_offload_links_holders(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file,
    ngx_http_offload_links_offer_t *offer);
static ngx_uint_t ngx_http_offload_links_trusts(ngx_array_t *trust,
    ngx_http_offload_node_t *node);
static void ngx_http_offload_links_geo(ngx_http_offload_holder_t *holder,
    u_char *zone, size_t len);
static ngx_int_t ngx_http_offload_links_compose(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer,
    size_t *len);
static ngx_int_t ngx_http_offload_links_name(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_str_t *name);
static ngx_int_t ngx_http_offload_links_path(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer,
    ngx_str_t *name, ngx_str_t *path);
static u_char *ngx_http_offload_links_targets(
    ngx_http_offload_links_offer_t *offer, u_char *p);
static u_char *ngx_http_offload_links_digests(u_char *p, u_char *sha256);
static u_char *ngx_http_offload_links_described(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer,
    ngx_str_t *name, u_char *p);
static u_char *ngx_http_offload_links_duplicates(
    ngx_http_offload_links_offer_t *offer, ngx_str_t *path, u_char *lines,
    u_char *p);
static void ngx_http_offload_links_keep(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer,
    size_t len);
static ngx_int_t ngx_http_offload_links_take(ngx_http_request_t *r, size_t len,
    ngx_http_offload_links_t *links);


/* such a text on its way out of the zone, or into it */

static union {
    ngx_http_offload_links_head_t  head;
    ngx_http_offload_target_t      aligned;
    u_char                         data[NGX_HTTP_OFFLOAD_LINKS_TEXT];
} ngx_http_offload_links_text;


/*
 * Adds them to an answer that is the file, or to a redirect.  NGX_ERROR: no
 * memory; anything else that fails leaves them out
 */

ngx_int_t
ngx_http_offload_links(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_http_offload_sh_t         *sh;
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

    sh = ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_file_find(sh, &ctx->name);

    if (file == NULL || file->state != NGX_HTTP_OFFLOAD_READY
        || !ngx_http_offload_file_public(omcf->zone, file))
    {
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
    size_t                         len;
    ngx_int_t                      rc;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    rc = ngx_http_offload_links_cached(r, ctx, file, &len);

    ngx_http_offload_unlock(omcf->zone);

    if (rc != NGX_OK) {
        rc = ngx_http_offload_links_make(r, ctx, &len);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_offload_links_take(r, len, links);
}


/* a redirect has no Repr-Digest: that would be of its own body */

ngx_int_t
ngx_http_offload_links_add(ngx_http_request_t *r,
    ngx_http_offload_links_t *links, ngx_uint_t holders)
{
    u_char           *p, *last, *end;
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

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

        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        h->hash = 1;
        h->key = keys[ngx_min(n, 2)];
        h->value.data = p;
        h->value.len = end - p;
        h->lowcase_key = NULL;
#if (nginx_version >= 1023000)
        h->next = NULL;
#endif
    }

    return NGX_OK;
}


/* other locations may trust other nodes */

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
                              NGX_HTTP_OFFLOAD_LINKS, audience);

    audience->locality += olcf->trusted + (uint32_t) olcf->peers;
}


static ngx_int_t
ngx_http_offload_links_cached(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file, size_t *len)
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

    ngx_queue_remove(&m->queue);
    ngx_queue_insert_head(&sh->manifests, &m->queue);

    *len = m->len;
    ngx_memcpy(ngx_http_offload_links_text.data,
               ngx_http_offload_manifest_text(m), m->len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_links_make(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    size_t *len)
{
    ngx_http_offload_links_offer_t  *offer;

    offer = ngx_pcalloc(r->pool, sizeof(ngx_http_offload_links_offer_t));

    if (offer == NULL
        || ngx_http_offload_links_offer(r, ctx, offer) != NGX_OK
        || ngx_http_offload_links_compose(r, ctx, offer, len) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_offload_links_keep(r, ctx, offer, *len);

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

    file = ngx_http_offload_file_find(sh, &ctx->name);

    if (file == NULL || file->state != NGX_HTTP_OFFLOAD_READY
        || !ngx_http_offload_file_public(omcf->zone, file))
    {
        goto done;
    }

    file->pinned = 1;
    ngx_http_offload_links_holders(r, ctx, file, offer);
    file->pinned = 0;

    ngx_http_offload_links_audience(r, ctx, file, &offer->audience);

    content = file->content;

    offer->serial = file->serial;
    offer->version = content->version;
    offer->torrent = file->torrent;

    ngx_memcpy(offer->root, content->root, OL_HASH_BYTES);
    ngx_memcpy(offer->sha256, content->sha256, OL_HASH_BYTES);

    rc = NGX_OK;

done:

    ngx_http_offload_unlock(omcf->zone);

    return rc;
}


/* complete ones that this location trusts, best first */

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

    if (olcf->trust == NULL) {
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
            || !ngx_http_offload_links_trusts(olcf->trust, node))
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


static ngx_uint_t
ngx_http_offload_links_trusts(ngx_array_t *trust,
    ngx_http_offload_node_t *node)
{
    ngx_str_t   *id;
    ngx_uint_t   i;

    id = trust->elts;

    for (i = 0; i < trust->nelts; i++) {
        if (ngx_memcmp(id[i].data, node->id, OL_KEY_CHARS) == 0) {
            return 1;
        }
    }

    return 0;
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


static ngx_int_t
ngx_http_offload_links_compose(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer,
    size_t *len)
{
    u_char                         *p, *lines;
    ngx_int_t                       rc;
    ngx_str_t                       name, path;
    ngx_http_offload_links_head_t  *head;

    rc = ngx_http_offload_links_name(r, ctx, &name);

    if (rc == NGX_OK) {
        rc = ngx_http_offload_links_path(r, ctx, offer, &name, &path);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    head = &ngx_http_offload_links_text.head;

    p = ngx_http_offload_links_text.data
        + ngx_align(sizeof(ngx_http_offload_links_head_t), sizeof(double));

    head->ntargets = (uint32_t) offer->nholders;

    lines = p + offer->nholders * sizeof(ngx_http_offload_target_t);
    p = ngx_http_offload_links_targets(offer, p);
    head->urls = (uint32_t) (p - lines);

    if (path.len) {
        p = ngx_cpymem(p, path.data, path.len);
    }

    head->path = (uint32_t) path.len;

    lines = p;

    p = ngx_http_offload_links_digests(p, offer->sha256);
    p = ngx_http_offload_links_described(r, ctx, offer, &name, p);
    head->anyone = (uint32_t) (p - lines);

    p = ngx_http_offload_links_duplicates(offer, &path, lines, p);
    head->lines = (uint32_t) (p - lines);

    *len = p - ngx_http_offload_links_text.data;

    return NGX_OK;
}


/* the last segment of the subject, encoded; NGX_DECLINED: no file's name */

static ngx_int_t
ngx_http_offload_links_name(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_str_t *name)
{
    size_t   len;
    u_char  *p, *last;

    last = ctx->name.sub.data + ctx->name.sub.len;

    for (p = last; p[-1] != '/'; p--) { /* void */ }

    len = last - p;

    name->len = len + 2 * ngx_escape_uri(NULL, p, len,
                                         NGX_ESCAPE_URI_COMPONENT);

    if (len == 0 || name->len > NGX_HTTP_OFFLOAD_LINKS_NAME) {
        return NGX_DECLINED;
    }

    name->data = ngx_pnalloc(r->pool, name->len);
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_escape_uri(name->data, p, len, NGX_ESCAPE_URI_COMPONENT);

    return NGX_OK;
}


/* of the content at any holder, with a ticket */

static ngx_int_t
ngx_http_offload_links_path(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_links_offer_t *offer, ngx_str_t *name, ngx_str_t *path)
{
    u_char  ticket[OL_TICKET_MAX];

    ngx_str_null(path);

    if (offer->nholders == 0) {
        return NGX_OK;
    }

    if (ngx_http_offload_content_ticket(r, offer->root, ticket) != NGX_OK) {
        return NGX_DECLINED;
    }

    path->data = ngx_pnalloc(r->pool, sizeof("/c//?") - 1 + OL_ROOT_HEX
                                      + name->len + OL_TICKET_MAX);
    if (path->data == NULL) {
        return NGX_ERROR;
    }

    path->len = ngx_sprintf(path->data, "/c/%s/%V?%s", ctx->root, name, ticket)
                - path->data;

    return NGX_OK;
}


/* and their URLs */

static u_char *
ngx_http_offload_links_targets(ngx_http_offload_links_offer_t *offer,
    u_char *p)
{
    ngx_uint_t                  i;
    ngx_http_offload_target_t  *target;
    ngx_http_offload_holder_t  *holder;

    target = (ngx_http_offload_target_t *) p;
    p = (u_char *) &target[offer->nholders];

    for (i = 0; i < offer->nholders; i++, target++) {
        holder = &offer->holders[i];

        target->weight = holder->weight;
        target->tier = holder->tier;
        target->url_len = (uint32_t) ngx_strlen(holder->url);
        ngx_memcpy(target->id, holder->id, OL_KEY_CHARS + 1);

        p = ngx_cpymem(p, holder->url, target->url_len);
    }

    return p;
}


/* the one that clients know by now, and the one that takes its place */

static u_char *
ngx_http_offload_links_digests(u_char *p, u_char *sha256)
{
    u_char     text[ngx_base64_encoded_length(OL_HASH_BYTES)];
    ngx_str_t  raw, base64;

    raw.data = sha256;
    raw.len = OL_HASH_BYTES;
    base64.data = text;

    ngx_encode_base64(&base64, &raw);

    return ngx_sprintf(p, "SHA-256=%V\nsha-256=:%V:\n", &base64, &base64);
}


/* clients take absolute URLs only */

static u_char *
ngx_http_offload_links_described(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer,
    ngx_str_t *name, u_char *p)
{
    ngx_http_offload_srv_conf_t  *oscf;

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    p = ngx_sprintf(p, "<%V" NGX_HTTP_OFFLOAD_PREFIX "f/%s/%V.meta4>; "
                    "rel=describedby; type=\"" OL_METALINK_TYPE "\"\n",
                    &oscf->iss, ctx->root, name);

    if (offer->torrent) {
        p = ngx_sprintf(p, "<%V" NGX_HTTP_OFFLOAD_PREFIX "f/%s/%V.torrent>; "
                        "rel=describedby; type=\"" OL_TORRENT_TYPE "\"\n",
                        &oscf->iss, ctx->root, name);
    }

    return p;
}


/* as many as there is room for */

static u_char *
ngx_http_offload_links_duplicates(ngx_http_offload_links_offer_t *offer,
    ngx_str_t *path, u_char *lines, u_char *p)
{
    size_t                      len;
    ngx_uint_t                  i;
    ngx_http_offload_holder_t  *holder;

    for (i = 0; i < offer->nholders; i++) {
        holder = &offer->holders[i];

        len = ngx_strlen(holder->url) + path->len
              + sizeof("<>; rel=duplicate; pri=32; geo=xx\n") - 1;

        if (p - lines + len > NGX_HTTP_OFFLOAD_LINKS_LINES) {
            break;
        }

        p = ngx_sprintf(p, "<%s%V>; rel=duplicate; pri=%ui%s\n", holder->url,
                        path, i + 1, holder->geo);
    }

    return p;
}


/* for the next ones, unless something has changed meanwhile */

static void
ngx_http_offload_links_keep(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_links_offer_t *offer, size_t len)
{
    ngx_uint_t                     i;
    struct ol_key                **key;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_manifest_t   *m;
    ngx_http_offload_loc_conf_t   *olcf;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);
    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    key = oscf->keys->elts;

    sh = ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_file_find(sh, &ctx->name);

    if (file == NULL || file->serial != offer->serial
        || file->state != NGX_HTTP_OFFLOAD_READY
        || !ngx_http_offload_file_public(omcf->zone, file)
        || file->content->version != offer->version)
    {
        goto done;
    }

    m = ngx_http_offload_cache_add(omcf->zone, file, &offer->audience,
                                   offer->nholders, len);
    if (m == NULL) {
        goto done;
    }

    /*
     * Tickets change with their window, the holders' weights all the time; a
     * first holder is wanted soon, though all that came may be a node's URL
     */

    m->exp = ngx_time() - ngx_time() % OL_TICKET_WINDOW_S + OL_TICKET_WINDOW_S;

    if (olcf->trust && offer->nholders == 0) {
        m->refresh = ngx_time() + 1;

    } else {
        m->refresh = ngx_min(m->exp, ngx_time() + olcf->ttl / 2);
    }

    m->coordinators = offer->coordinators;
    m->version = offer->version;

    ngx_memcpy(m->signer, ol_key_id_bytes(*key), sizeof(m->signer));

    for (i = 0; i < offer->nholders; i++) {
        m->peers[i].slot = offer->holders[i].slot;
        m->peers[i].generation = offer->holders[i].generation;
        ngx_memcpy(m->peers[i].id, offer->holders[i].id,
                   sizeof(m->peers[i].id));
    }

    ngx_memcpy(ngx_http_offload_manifest_text(m),
               ngx_http_offload_links_text.data, len);

done:

    ngx_http_offload_unlock(omcf->zone);
}


static ngx_int_t
ngx_http_offload_links_take(ngx_http_request_t *r, size_t len,
    ngx_http_offload_links_t *links)
{
    u_char                         *p;
    ngx_http_offload_links_head_t  *head;

    p = ngx_palloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, ngx_http_offload_links_text.data, len);

    head = (ngx_http_offload_links_head_t *) p;
    p += ngx_align(sizeof(ngx_http_offload_links_head_t), sizeof(double));

    links->targets = (ngx_http_offload_target_t *) p;
    links->ntargets = head->ntargets;
    p += head->ntargets * sizeof(ngx_http_offload_target_t);

    links->urls = p;
    p += head->urls;

    links->path.data = p;
    links->path.len = head->path;
    p += head->path;

    links->lines.data = p;
    links->lines.len = head->lines;
    links->anyone = head->anyone;

    return NGX_OK;
}
