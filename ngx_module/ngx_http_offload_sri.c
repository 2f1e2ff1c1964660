
/*
 * Signature-based integrity: scripts and styles with a signature that browsers
 * verify by the site's key, here and, by what a manifest says, at nodes.  Knows
 * who asks for that; which node such a request is sent to is the redirect's
 * business.
 */


#include "ngx_http_offload.h"
#include "ngx_http_offload_links.h"

#include "offload/origin.h"
#include "offload/sri.h"


#define NGX_HTTP_OFFLOAD_SRI_LIFE  86400     /* seconds, renewed at half */
#define NGX_HTTP_OFFLOAD_SRI_NODE  604800    /* likewise, at a node */
#define NGX_HTTP_OFFLOAD_SRI_TEXT  (3 * OL_SRI_LINE_MAX)


typedef struct {                             /* a copy of what the zone says */
    ngx_http_offload_audience_t
                                audience;
    ngx_http_offload_ident_t    ident;
    uint64_t                    serial;
    u_char                      sha256[OL_HASH_BYTES];
    ngx_str_t                   path;
    size_t                      len;         /* of the text */
    u_char                      text[NGX_HTTP_OFFLOAD_SRI_TEXT];
} ngx_http_offload_sri_t;                    /* three values, each with a NUL */


static ngx_int_t ngx_http_offload_sri_path(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_sri_t *sri);
static ngx_int_t ngx_http_offload_sri_find(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_sri_t *sri);
static ngx_uint_t ngx_http_offload_sri_answers(ngx_http_request_t *r,
    ngx_http_offload_file_t *file);
static ngx_int_t ngx_http_offload_sri_make(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_sri_t *sri);
static ngx_int_t ngx_http_offload_sri_sign(ngx_http_request_t *r,
    ngx_str_t *path, u_char *sha256, time_t life, struct ol_sri *ret);
static void ngx_http_offload_sri_keep(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_sri_t *sri);
static ngx_int_t ngx_http_offload_sri_add(ngx_http_request_t *r,
    ngx_http_offload_sri_t *sri);


/* somebody who will verify what a node gives, all of it, by our key */

ngx_uint_t
ngx_http_offload_sri_asked(ngx_http_request_t *r)
{
    ngx_uint_t                    i;
    struct ol_key               **key;
    ngx_list_part_t              *part;
    ngx_table_elt_t              *h;
    ngx_http_offload_srv_conf_t  *oscf;

    if (r->method != NGX_HTTP_GET || r->headers_in.range) {
        return 0;
    }

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    key = oscf->keys->elts;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof("Accept-Signature") - 1
            && ngx_strncmp(h[i].lowcase_key, "accept-signature", h[i].key.len)
               == 0
            && ol_sri_asks((char *) h[i].value.data, h[i].value.len,
                           ol_key_x(*key)))
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_offload_sri_file(ngx_http_offload_file_t *file)
{
    return ol_sri_type((char *) ngx_http_offload_file_type(file),
                       file->type_len);
}


/*
 * Signs an answer that is a script or a style for anyone, or says that it has
 * not changed: a cache goes on with the headers of the latter.  A part of it
 * has none.  NGX_ERROR: no memory; else what fails leaves them out
 */

ngx_int_t
ngx_http_offload_sri(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_http_offload_sri_t  *sri;

    if (r->headers_out.status == NGX_HTTP_OK
        && (r->headers_in.range
            || !ol_sri_type((char *) r->headers_out.content_type.data,
                            r->headers_out.content_type_len)))
    {
        return NGX_OK;
    }

    sri = ngx_palloc(r->pool, sizeof(ngx_http_offload_sri_t));
    if (sri == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_offload_sri_path(r, ctx, sri);

    if (rc == NGX_OK) {
        rc = ngx_http_offload_sri_find(r, ctx, sri);
    }

    if (rc == NGX_AGAIN) {
        rc = ngx_http_offload_sri_make(r, ctx, sri);
    }

    if (rc == NGX_OK) {
        return ngx_http_offload_sri_add(r, sri);
    }

    return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
}


/*
 * As it was sent, for that is what the client knows.  Of all the spellings of a
 * path two are signed: without any escape, and with those that it takes
 */

static ngx_int_t
ngx_http_offload_sri_path(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_sri_t *sri)
{
    int         n;
    char       *encoded;
    u_char     *p;
    ngx_str_t  *path, *sub;

    path = &sri->path;
    sub = &ctx->name.sub;

    *path = r->unparsed_uri;

    p = ngx_strlchr(path->data, path->data + path->len, '?');
    if (p) {
        path->len = p - path->data;
    }

    ngx_memzero(&sri->audience, sizeof(ngx_http_offload_audience_t));
    sri->audience.variant = NGX_HTTP_OFFLOAD_SRI;

    if (path->len == sub->len
        && ngx_memcmp(path->data, sub->data, sub->len) == 0)
    {
        return NGX_OK;
    }

    encoded = ngx_pnalloc(r->pool, path->len + 1);
    if (encoded == NULL) {
        return NGX_ERROR;
    }

    n = ol_subject_encode((char *) sub->data, sub->len, encoded,
                          path->len + 1);

    if (n < 0 || (size_t) n != path->len
        || ngx_memcmp(path->data, encoded, path->len) != 0)
    {
        return NGX_DECLINED;
    }

    sri->audience.near = 1;

    return NGX_OK;
}


/* NGX_AGAIN: it may be signed; NGX_DECLINED: the file is not on offer */

static ngx_int_t
ngx_http_offload_sri_find(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_sri_t *sri)
{
    ngx_int_t                      rc;
    struct ol_key                **key;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_manifest_t   *m;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    key = oscf->keys->elts;
    rc = NGX_DECLINED;

    sh = ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_file_find(sh, &ctx->name);

    if (file == NULL || file->state != NGX_HTTP_OFFLOAD_READY
        || !ngx_http_offload_file_public(omcf->zone, file)
        || !ngx_http_offload_sri_answers(r, file))
    {
        goto done;
    }

    m = ngx_http_offload_cache_find(sh, file, &sri->audience);

    if (m && m->refresh > ngx_time()
        && ngx_memcmp(m->signer, ol_key_id_bytes(*key), sizeof(m->signer))
           == 0)
    {
        ngx_queue_remove(&m->queue);
        ngx_queue_insert_head(&sh->manifests, &m->queue);

        sri->len = m->len;
        ngx_memcpy(sri->text, ngx_http_offload_manifest_text(m), m->len);

        rc = NGX_OK;

        goto done;
    }

    sri->serial = file->serial;
    sri->ident = file->ident;
    ngx_memcpy(sri->sha256, file->content->sha256, OL_HASH_BYTES);

    rc = NGX_AGAIN;

done:

    ngx_http_offload_unlock(omcf->zone);

    return rc;
}


/* it is the version that was hashed: nginx's ETag has size and time in it */

static ngx_uint_t
ngx_http_offload_sri_answers(ngx_http_request_t *r,
    ngx_http_offload_file_t *file)
{
    ngx_table_elt_t  *etag;

    etag = r->headers_out.etag;

    return etag && etag->hash
           && etag->value.len == file->etag_len
           && ngx_memcmp(etag->value.data, ngx_http_offload_file_etag(file),
                         file->etag_len)
              == 0
           && ngx_http_offload_sri_file(file);
}


static ngx_int_t
ngx_http_offload_sri_make(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_sri_t *sri)
{
    u_char                    *p;
    ngx_file_info_t            fi;
    struct ol_sri              made;
    ngx_http_offload_ident_t   ident;

    if (!ngx_http_offload_manifest_budget()) {
        return NGX_DECLINED;
    }

    /* what was opened may be the past, or another within the same second */

    if (ngx_file_info(ctx->name.path.data, &fi) == NGX_FILE_ERROR) {
        return NGX_DECLINED;
    }

    ngx_http_offload_ident(&fi, &ident);

    if (!ngx_http_offload_ident_same(&ident, &sri->ident)
        || ngx_http_offload_sri_sign(r, &sri->path, sri->sha256,
                                     NGX_HTTP_OFFLOAD_SRI_LIFE, &made)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    p = sri->text;

    ol_sri_digest(sri->sha256, (char *) p);
    p += ngx_strlen(p) + 1;

    ol_sri_input(&made, (char *) p);
    p += ngx_strlen(p) + 1;

    ol_sri_signature(&made, (char *) p);
    p += ngx_strlen(p) + 1;

    sri->len = p - sri->text;

    ngx_http_offload_sri_keep(r, ctx, sri);

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_sri_sign(ngx_http_request_t *r, ngx_str_t *path,
    u_char *sha256, time_t life, struct ol_sri *ret)
{
    struct ol_key                **key;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    key = oscf->keys->elts;

    if (ol_sri_sign(*key, (char *) path->data, path->len, sha256, ngx_time(),
                    ngx_time() + life, ret)
        != 0)
    {
        return NGX_ERROR;
    }

    sh = ngx_http_offload_peek(omcf->zone);
    (void) ngx_atomic_fetch_add(&sh->signatures, 1);

    return NGX_OK;
}


/* for the next ones, unless something has changed meanwhile */

static void
ngx_http_offload_sri_keep(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_sri_t *sri)
{
    struct ol_key                **key;
    ngx_http_offload_manifest_t   *m;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    key = oscf->keys->elts;

    m = ngx_http_offload_cache_keep(omcf->zone, &ctx->name, sri->serial,
                                    NULL, &sri->audience,
                                    0, sri->len);
    if (m == NULL) {
        return;
    }

    /* no candidate has a word in it */

    m->exp = ngx_time() + NGX_HTTP_OFFLOAD_SRI_LIFE;
    m->refresh = ngx_time() + NGX_HTTP_OFFLOAD_SRI_LIFE / 2;
    m->coordinators = 0;

    ngx_memcpy(m->signer, ol_key_id_bytes(*key), sizeof(m->signer));
    ngx_memcpy(ngx_http_offload_manifest_text(m), sri->text, sri->len);

    ngx_http_offload_unlock(omcf->zone);
}


static ngx_int_t
ngx_http_offload_sri_add(ngx_http_request_t *r, ngx_http_offload_sri_t *sri)
{
    char        *p;
    ngx_uint_t   i;

    static char  *keys[] = {
        "Unencoded-Digest", "Signature-Input", "Signature"
    };

    p = (char *) sri->text;

    for (i = 0; i < 3; i++) {

        if (ngx_http_offload_header(r, keys[i], p) != NGX_OK) {
            return NGX_ERROR;
        }

        p += ngx_strlen(p) + 1;
    }

    return ngx_http_offload_sri_open(r);
}


/* a script with an integrity is read across origins, unless told otherwise */

ngx_int_t
ngx_http_offload_sri_open(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  key = ngx_string("Access-Control-Allow-Origin");
    static ngx_str_t  any = ngx_string("*");

    part = &r->headers_out.headers.part;
    i = 0;

    while ((h = ngx_http_offload_next_header(&part, &i)) != NULL) {

        if (h->key.len == key.len
            && ngx_strncasecmp(h->key.data, key.data, key.len) == 0)
        {
            return NGX_OK;
        }
    }

    return ngx_http_offload_add_header(r, &key, &any);
}


/* what a node is to send with the file that this manifest is of */

ngx_int_t
ngx_http_offload_sri_manifest(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, u_char *root, struct ol_manifest *m)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   name, path;

    rc = ngx_http_offload_lines_name(r, ctx, &name);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    path.len = sizeof("/c//") - 1 + OL_ROOT_HEX + name.len;
    path.data = ngx_pnalloc(r->pool, path.len + 1);
    if (path.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(path.data, "/c/", 3);
    p = ngx_hex_dump(p, root, OL_HASH_BYTES);
    *p++ = '/';
    *ngx_cpymem(p, name.data, name.len) = '\0';

    rc = ngx_http_offload_sri_sign(r, &path, m->sha256,
                                   NGX_HTTP_OFFLOAD_SRI_NODE, &m->sri);

    if (rc == NGX_OK) {
        m->sri_name = (char *) p;
    }

    return rc;
}
