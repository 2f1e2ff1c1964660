
/*
 * What is kept in the zone for Link, Digest and Repr-Digest: a text with the
 * lines of the header, ready to go out, and with the holders in them.  Written
 * here from an offer, and taken apart again for a request.
 */


#include "ngx_http_offload_links.h"

#include "offload/encoding.h"
#include "offload/metalink.h"
#include "offload/torrent.h"


/* a proxy in front may have 4 KiB for a whole header */
#define NGX_HTTP_OFFLOAD_LINES_LEN   3072
#define NGX_HTTP_OFFLOAD_LINES_NAME  (3 * 255)
#define NGX_HTTP_OFFLOAD_LINES_TEXT  24576   /* 32 targets with the longest */
                                             /* URLs, and such lines */


typedef struct {                             /* how such a text begins; then */
                                             /* targets, URLs, path, lines */
    uint64_t                    trusted;     /* by a location like this: whom */
    uint32_t                    peers;       /* it trusts, how many it names */
    uint32_t                    ntargets;
    uint32_t                    urls;        /* their length, and so on */
    uint32_t                    path;
    uint32_t                    anyone;      /* lines that name no holder */
    uint32_t                    lines;       /* all of them */
} ngx_http_offload_lines_head_t;


static ngx_int_t ngx_http_offload_lines_path(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer,
    ngx_str_t *name, ngx_str_t *path);
static u_char *ngx_http_offload_lines_targets(
    ngx_http_offload_links_offer_t *offer, u_char *p);
static u_char *ngx_http_offload_lines_digests(u_char *p, u_char *sha256);
static u_char *ngx_http_offload_lines_described(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_links_offer_t *offer,
    ngx_str_t *name, u_char *p);
static u_char *ngx_http_offload_lines_duplicates(
    ngx_http_offload_links_offer_t *offer, ngx_str_t *path, u_char *lines,
    u_char *p);


/* such a text on its way into the zone, or out of it */

static union {
    ngx_http_offload_lines_head_t  head;
    ngx_http_offload_target_t      aligned;
    u_char                         data[NGX_HTTP_OFFLOAD_LINES_TEXT];
} ngx_http_offload_lines_text;


/* the text, until the next one is made */

ngx_int_t
ngx_http_offload_lines_make(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_links_offer_t *offer, ngx_str_t *text)
{
    u_char                         *p, *lines;
    ngx_int_t                       rc;
    ngx_str_t                       name, path;
    ngx_http_offload_loc_conf_t    *olcf;
    ngx_http_offload_lines_head_t  *head;

    rc = ngx_http_offload_lines_name(r, ctx, &name);

    if (rc == NGX_OK) {
        rc = ngx_http_offload_lines_path(r, ctx, offer, &name, &path);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    head = &ngx_http_offload_lines_text.head;

    head->trusted = olcf->trusted;
    head->peers = (uint32_t) olcf->peers;

    p = ngx_http_offload_lines_text.data
        + ngx_align(sizeof(ngx_http_offload_lines_head_t), sizeof(double));

    head->ntargets = (uint32_t) offer->nholders;

    lines = p + offer->nholders * sizeof(ngx_http_offload_target_t);
    p = ngx_http_offload_lines_targets(offer, p);
    head->urls = (uint32_t) (p - lines);

    if (path.len) {
        p = ngx_cpymem(p, path.data, path.len);
    }

    head->path = (uint32_t) path.len;

    lines = p;

    p = ngx_http_offload_lines_digests(p, offer->sha256);
    p = ngx_http_offload_lines_described(r, ctx, offer, &name, p);
    head->anyone = (uint32_t) (p - lines);

    p = ngx_http_offload_lines_duplicates(offer, &path, lines, p);
    head->lines = (uint32_t) (p - lines);

    text->data = ngx_http_offload_lines_text.data;
    text->len = p - text->data;

    return NGX_OK;
}


/*
 * The same of one that was made before.  The caller has locked the zone, so no
 * memory is asked for.  NGX_DECLINED: it is another location's, by a hash that
 * happens to be the same
 */

ngx_int_t
ngx_http_offload_lines_copy(ngx_http_request_t *r,
    ngx_http_offload_manifest_t *m, ngx_str_t *text)
{
    ngx_http_offload_loc_conf_t    *olcf;
    ngx_http_offload_lines_head_t  *head;

    if (m->len > sizeof(ngx_http_offload_lines_text)) {
        return NGX_DECLINED;
    }

    ngx_memcpy(ngx_http_offload_lines_text.data,
               ngx_http_offload_manifest_text(m), m->len);

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    head = &ngx_http_offload_lines_text.head;

    if (head->trusted != olcf->trusted
        || head->peers != (uint32_t) olcf->peers)
    {
        return NGX_DECLINED;
    }

    text->data = ngx_http_offload_lines_text.data;
    text->len = m->len;

    return NGX_OK;
}


/* the last segment of the subject, encoded; NGX_DECLINED: no file's name */

ngx_int_t
ngx_http_offload_lines_name(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_str_t *name)
{
    size_t   len;
    u_char  *p, *last;

    last = ctx->name.sub.data + ctx->name.sub.len;

    for (p = last; p[-1] != '/'; p--) { /* void */ }

    len = last - p;

    name->len = len + 2 * ngx_escape_uri(NULL, p, len,
                                         NGX_ESCAPE_URI_COMPONENT);

    if (len == 0 || name->len > NGX_HTTP_OFFLOAD_LINES_NAME) {
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
ngx_http_offload_lines_path(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
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
ngx_http_offload_lines_targets(ngx_http_offload_links_offer_t *offer,
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
ngx_http_offload_lines_digests(u_char *p, u_char *sha256)
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
ngx_http_offload_lines_described(ngx_http_request_t *r,
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
ngx_http_offload_lines_duplicates(ngx_http_offload_links_offer_t *offer,
    ngx_str_t *path, u_char *lines, u_char *p)
{
    size_t                      len;
    ngx_uint_t                  i;
    ngx_http_offload_holder_t  *holder;

    for (i = 0; i < offer->nholders; i++) {
        holder = &offer->holders[i];

        len = ngx_strlen(holder->url) + path->len
              + sizeof("<>; rel=duplicate; pri=32; geo=xx\n") - 1;

        if (p - lines + len > NGX_HTTP_OFFLOAD_LINES_LEN) {
            break;
        }

        p = ngx_sprintf(p, "<%s%V>; rel=duplicate; pri=%ui%s\n", holder->url,
                        path, i + 1, holder->geo);
    }

    return p;
}


/* a copy for this request, taken apart */

ngx_int_t
ngx_http_offload_lines_take(ngx_http_request_t *r, ngx_str_t *text,
    ngx_http_offload_links_t *links)
{
    u_char                         *p;
    ngx_http_offload_lines_head_t  *head;

    p = ngx_palloc(r->pool, text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text->data, text->len);

    head = (ngx_http_offload_lines_head_t *) p;
    p += ngx_align(sizeof(ngx_http_offload_lines_head_t), sizeof(double));

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
