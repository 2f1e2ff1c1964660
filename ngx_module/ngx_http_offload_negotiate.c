
/*
 * What a request asks for: the file, a manifest, or a manifest with peers.
 * Only Offload-Fetch, Offload-Node and Accept are looked at; a wildcard asks
 * for nothing.
 */


#include "ngx_http_offload.h"


static ngx_http_offload_want_e ngx_http_offload_fetch(ngx_str_t *value);
static ngx_uint_t ngx_http_offload_accepts(ngx_str_t *value);
static u_char *ngx_http_offload_item(u_char *p, u_char *last, u_char sep);
static void ngx_http_offload_trim(u_char **p, u_char **last);
static ngx_uint_t ngx_http_offload_is(u_char *p, u_char *last, char *text,
    size_t len);
static ngx_uint_t ngx_http_offload_zero(u_char *p, u_char *last);


ngx_http_offload_want_e
ngx_http_offload_want(ngx_http_request_t *r, ngx_str_t *node)
{
    ngx_uint_t                i;
    ngx_list_part_t          *part;
    ngx_table_elt_t          *h;
    ngx_http_offload_want_e   want, fetch;

    ngx_str_null(node);

    want = NGX_HTTP_OFFLOAD_WANT_FILE;
    fetch = NGX_HTTP_OFFLOAD_WANT_FILE;

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

        if (h[i].key.len == sizeof("Offload-Fetch") - 1
            && ngx_strncmp(h[i].lowcase_key, "offload-fetch", h[i].key.len)
               == 0)
        {
            fetch = ngx_http_offload_fetch(&h[i].value);
            continue;
        }

        if (h[i].key.len == sizeof("Offload-Node") - 1
            && ngx_strncmp(h[i].lowcase_key, "offload-node", h[i].key.len)
               == 0)
        {
            *node = h[i].value;
            continue;
        }

        if (want == NGX_HTTP_OFFLOAD_WANT_FILE
            && h[i].key.len == sizeof("Accept") - 1
            && ngx_strncmp(h[i].lowcase_key, "accept", h[i].key.len) == 0
            && ngx_http_offload_accepts(&h[i].value))
        {
            want = NGX_HTTP_OFFLOAD_WANT_PEERS;
        }
    }

    return fetch ? fetch : want;
}


/* an unknown word asks for nothing special: the file */

static ngx_http_offload_want_e
ngx_http_offload_fetch(ngx_str_t *value)
{
    u_char  *p, *last;

    p = value->data;
    last = value->data + value->len;

    ngx_http_offload_trim(&p, &last);

    if (ngx_http_offload_is(p, last, "manifest", sizeof("manifest") - 1)) {
        return NGX_HTTP_OFFLOAD_WANT_MANIFEST;
    }

    return NGX_HTTP_OFFLOAD_WANT_DIRECT;
}


/* exactly this type, with a quality above zero */

static ngx_uint_t
ngx_http_offload_accepts(ngx_str_t *value)
{
    u_char      *p, *last, *end, *q, *next, *name;
    ngx_uint_t   refused;

    if (value->len == sizeof(OL_MANIFEST_TYPE) - 1
        && ngx_memcmp(value->data, OL_MANIFEST_TYPE, value->len) == 0)
    {
        return 1;
    }

    last = value->data + value->len;

    for (p = value->data; p < last; p = end + 1) {
        end = ngx_http_offload_item(p, last, ',');

        next = ngx_http_offload_item(p, end, ';');
        name = next;
        ngx_http_offload_trim(&p, &name);

        if (!ngx_http_offload_is(p, name, OL_MANIFEST_TYPE,
                                 sizeof(OL_MANIFEST_TYPE) - 1))
        {
            continue;
        }

        refused = 0;

        while (next < end) {
            p = next + 1;
            next = ngx_http_offload_item(p, end, ';');

            q = next;
            ngx_http_offload_trim(&p, &q);

            if (q - p >= 2 && (*p | 0x20) == 'q' && p[1] == '=') {
                refused = ngx_http_offload_zero(p + 2, q);
                break;
            }
        }

        if (!refused) {
            return 1;
        }
    }

    return 0;
}


/* where an item ends: at the next separator outside quotes, or at the end */

static u_char *
ngx_http_offload_item(u_char *p, u_char *last, u_char sep)
{
    ngx_uint_t  quoted;

    quoted = 0;

    for ( /* void */ ; p < last; p++) {

        if (quoted) {
            if (*p == '\\' && p + 1 < last) {
                p++;

            } else if (*p == '"') {
                quoted = 0;
            }

            continue;
        }

        if (*p == '"') {
            quoted = 1;

        } else if (*p == sep) {
            break;
        }
    }

    return p;
}


static void
ngx_http_offload_trim(u_char **p, u_char **last)
{
    while (*p < *last && (**p == ' ' || **p == '\t')) {
        (*p)++;
    }

    while (*p < *last && ((*last)[-1] == ' ' || (*last)[-1] == '\t')) {
        (*last)--;
    }
}


static ngx_uint_t
ngx_http_offload_is(u_char *p, u_char *last, char *text, size_t len)
{
    return (size_t) (last - p) == len
           && ngx_strncasecmp(p, (u_char *) text, len) == 0;
}


/* q=0, q=0.0 and the like; what is no number at all counts as zero too */

static ngx_uint_t
ngx_http_offload_zero(u_char *p, u_char *last)
{
    ngx_uint_t  zero;

    zero = 1;

    if (p == last || (*p != '0' && *p != '1')) {
        return 1;
    }

    for ( /* void */ ; p < last; p++) {

        if (*p >= '1' && *p <= '9') {
            zero = 0;

        } else if (*p != '0' && *p != '.') {
            return 1;
        }
    }

    return zero;
}


ngx_uint_t
ngx_http_offload_printable(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < 0x20 || text->data[i] > 0x7e) {
            return 0;
        }
    }

    return 1;
}


/* a directive in a list such as Cache-Control's, with or without a value */

ngx_uint_t
ngx_http_offload_has_token(ngx_str_t *value, char *token, size_t len)
{
    u_char  *p, *last, *end, *name;

    last = value->data + value->len;

    for (p = value->data; p < last; p = end + 1) {
        end = ngx_http_offload_item(p, last, ',');

        name = ngx_http_offload_item(p, end, '=');
        ngx_http_offload_trim(&p, &name);

        if (ngx_http_offload_is(p, name, token, len)) {
            return 1;
        }
    }

    return 0;
}
