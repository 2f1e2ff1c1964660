
/*
 * Whom a site trusts: nodes that clients may be sent to who do not verify what
 * they get.  Coordinators say where a node is, so a node may be named together
 * with its URL, and is trusted there only.
 */


#include "ngx_http_offload.h"

#include "offload/encoding.h"
#include "offload/origin.h"


static char *ngx_http_offload_parse_trusted(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_offload_trusted_t *trusted);
static uint64_t ngx_http_offload_trusted_hash(uint64_t hash,
    ngx_http_offload_trusted_t *trusted);


char *
ngx_http_offload_set_trust(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_offload_loc_conf_t  *olcf = conf;

    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_offload_trusted_t  *trusted;

    value = cf->args->elts;

    if (olcf->trust == NGX_CONF_UNSET_PTR) {
        olcf->trust = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                       sizeof(ngx_http_offload_trusted_t));
        if (olcf->trust == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (olcf->trust->nelts == NGX_HTTP_OFFLOAD_TRUST) {
            return "names too many nodes: 256 at most";
        }

        trusted = ngx_array_push(olcf->trust);
        if (trusted == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_offload_parse_trusted(cf, &value[i], trusted)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        olcf->trusted = ngx_http_offload_trusted_hash(olcf->trusted, trusted);
    }

    return NGX_CONF_OK;
}


/* "id" or "id=URL" */

static char *
ngx_http_offload_parse_trusted(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_offload_trusted_t *trusted)
{
    u_char     *p, *last, raw[OL_HASH_BYTES];
    ngx_str_t   url;

    last = value->data + value->len;
    p = ngx_strlchr(value->data, last, '=');

    trusted->id.data = value->data;
    trusted->id.len = (p ? p : last) - value->data;
    ngx_str_null(&trusted->url);

    if (ol_base64url_decode_exact(raw, OL_HASH_BYTES,
                                  (char *) trusted->id.data, trusted->id.len)
        != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid id \"%V\" in \"offload_trust\": "
                           "a node logs its own, 43 characters, when it "
                           "starts", &trusted->id);
        return NGX_CONF_ERROR;
    }

    if (p == NULL) {
        return NGX_CONF_OK;
    }

    url.data = p + 1;
    url.len = last - url.data;

    return ngx_http_offload_parse_origin(cf, &url, &trusted->url, 1);
}


/* tells lists apart, after a reload too */

static uint64_t
ngx_http_offload_trusted_hash(uint64_t hash,
    ngx_http_offload_trusted_t *trusted)
{
    u_char  *p, digest[OL_HASH_BYTES];
    u_char   text[sizeof(hash) + OL_KEY_CHARS + OL_ORIGIN_MAX];

    p = ngx_cpymem(text, &hash, sizeof(hash));
    p = ngx_cpymem(p, trusted->id.data, OL_KEY_CHARS);

    if (trusted->url.len) {
        p = ngx_cpymem(p, trusted->url.data, trusted->url.len);
    }

    ol_sha256(text, p - text, digest);
    ngx_memcpy(&hash, digest, sizeof(hash));

    return hash;
}


/* whether a location does; the caller has locked the zone */

ngx_uint_t
ngx_http_offload_trusts(ngx_http_offload_loc_conf_t *olcf,
    ngx_http_offload_node_t *node)
{
    ngx_uint_t                   i;
    ngx_http_offload_trusted_t  *trusted;

    if (olcf->trust == NULL) {
        return 0;
    }

    trusted = olcf->trust->elts;

    for (i = 0; i < olcf->trust->nelts; i++) {

        if (ngx_memcmp(trusted[i].id.data, node->id, OL_KEY_CHARS) != 0) {
            continue;
        }

        if (trusted[i].url.len == 0
            || (trusted[i].url.len == node->url_len
                && ngx_memcmp(trusted[i].url.data, node->data, node->url_len)
                   == 0))
        {
            return 1;
        }
    }

    return 0;
}
