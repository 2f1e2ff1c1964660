
/*
 * The members of a sync, read.  Everything a coordinator says is checked here,
 * before any of it is looked at.
 */


#include "ngx_http_offload_sync.h"

#include "offload/encoding.h"
#include "offload/jws.h"
#include "offload/origin.h"


#define NGX_HTTP_OFFLOAD_N_MAX      ((1 << 24) - 1)
#define NGX_HTTP_OFFLOAD_PARTS_MAX  65536
#define NGX_HTTP_OFFLOAD_INT_MAX    (((uint64_t) 1 << 53) - 1)
#define NGX_HTTP_OFFLOAD_ITEMS_MAX  4096     /* more do not fit in a body */


static ngx_int_t ngx_http_offload_read_head(const json_t *json,
    ngx_http_offload_sync_t *sync, struct ol_error *err);
static ngx_int_t ngx_http_offload_read_full(const json_t *json,
    ngx_http_offload_sync_t *sync, struct ol_error *err);
static ngx_int_t ngx_http_offload_read_nodes(const json_t *json,
    ngx_pool_t *pool, ngx_http_offload_sync_t *sync, struct ol_error *err);
static ngx_int_t ngx_http_offload_read_node(const json_t *json,
    ngx_pool_t *pool, ngx_http_offload_node_data_t *node,
    struct ol_error *err);
static ngx_int_t ngx_http_offload_read_place(const json_t *json,
    ngx_http_offload_node_data_t *node, struct ol_error *err);
static ngx_int_t ngx_http_offload_read_spare(const json_t *json,
    ngx_http_offload_node_data_t *node, struct ol_error *err);
static ngx_int_t ngx_http_offload_read_gone(const json_t *json,
    ngx_pool_t *pool, ngx_http_offload_sync_t *sync, struct ol_error *err);
static ngx_int_t ngx_http_offload_read_contents(const json_t *json,
    ngx_pool_t *pool, ngx_http_offload_sync_t *sync, struct ol_error *err);
static ngx_int_t ngx_http_offload_read_content(const char *root,
    const json_t *json, ngx_http_offload_sync_content_t *content,
    struct ol_error *err);
static ngx_int_t ngx_http_offload_read_uint(const json_t *json, char *name,
    uint64_t max, uint64_t *ret, struct ol_error *err);


ngx_int_t
ngx_http_offload_sync_decode(const json_t *json, ngx_pool_t *pool,
    ngx_http_offload_sync_t *sync, struct ol_error *err)
{
    ngx_memzero(sync, sizeof(ngx_http_offload_sync_t));

    if (ngx_http_offload_read_head(json, sync, err) != NGX_OK
        || ngx_http_offload_read_full(json, sync, err) != NGX_OK
        || ngx_http_offload_read_nodes(json, pool, sync, err) != NGX_OK
        || ngx_http_offload_read_gone(json, pool, sync, err) != NGX_OK
        || ngx_http_offload_read_contents(json, pool, sync, err) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_read_head(const json_t *json, ngx_http_offload_sync_t *sync,
    struct ol_error *err)
{
    int       rc;
    uint64_t  wait;

    if (ol_json_uint(json, "seq", NGX_HTTP_OFFLOAD_INT_MAX, &sync->seq, err)
        != 0)
    {
        return NGX_ERROR;
    }

    rc = ol_json_uint(json, "base", NGX_HTTP_OFFLOAD_INT_MAX, &sync->base,
                      err);
    if (rc == 0) {
        sync->has_base = 1;

    } else if (rc != -ENOENT) {
        return NGX_ERROR;
    }

    rc = ol_json_bytes(json, "epoch", sync->epoch, NGX_HTTP_OFFLOAD_EPOCH_LEN,
                       err);
    if (rc == 0) {
        sync->has_epoch = 1;

    } else if (rc != -ENOENT) {
        return NGX_ERROR;
    }

    if (ngx_http_offload_read_uint(json, "ack", NGX_HTTP_OFFLOAD_INT_MAX,
                                   &sync->ack, err)
        != NGX_OK
        || ngx_http_offload_read_uint(json, "wait", NGX_HTTP_OFFLOAD_SYNC_WAIT,
                                      &wait, err)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    sync->wait = (ngx_msec_t) wait;

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_read_full(const json_t *json, ngx_http_offload_sync_t *sync,
    struct ol_error *err)
{
    int        rc;
    json_t    *full;
    uint64_t   part, parts;

    rc = ol_json_object(json, "full", 16, &full, err);

    if (rc == -ENOENT) {
        return NGX_OK;
    }

    if (rc != 0
        || ol_json_uint(full, "part", NGX_HTTP_OFFLOAD_PARTS_MAX, &part, err)
           != 0
        || ol_json_uint(full, "parts", NGX_HTTP_OFFLOAD_PARTS_MAX, &parts,
                        err)
           != 0)
    {
        return NGX_ERROR;
    }

    if (part == 0 || part > parts) {
        (void) ol_error_set(err, EBADMSG,
                            "full: part %u of %u", (unsigned) part,
                            (unsigned) parts);
        return NGX_ERROR;
    }

    sync->part = (ngx_uint_t) part;
    sync->parts = (ngx_uint_t) parts;

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_read_nodes(const json_t *json, ngx_pool_t *pool,
    ngx_http_offload_sync_t *sync, struct ol_error *err)
{
    int      rc;
    size_t   i, n;
    json_t  *nodes;

    rc = ol_json_array(json, "nodes", NGX_HTTP_OFFLOAD_ITEMS_MAX, &nodes, err);

    if (rc == -ENOENT) {
        return NGX_OK;
    }

    if (rc != 0) {
        return NGX_ERROR;
    }

    n = json_array_size(nodes);

    sync->nodes = ngx_pcalloc(pool, n * sizeof(ngx_http_offload_node_data_t));
    if (sync->nodes == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_offload_read_node(json_array_get(nodes, i), pool,
                                       &sync->nodes[i], err)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    sync->nnodes = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_read_node(const json_t *json, ngx_pool_t *pool,
    ngx_http_offload_node_data_t *node, struct ol_error *err)
{
    u_char             id[OL_KEY_BYTES];
    uint64_t           n;
    const char        *text, *url;
    struct ol_origin   origin;

    if (!json_is_object(json)) {
        (void) ol_error_set(err, EBADMSG, "nodes: not an object");
        return NGX_ERROR;
    }

    if (ol_json_uint(json, "n", NGX_HTTP_OFFLOAD_N_MAX, &n, err) != 0
        || ol_json_bytes(json, "id", id, OL_KEY_BYTES, err) != 0
        || ol_json_string(json, "id", OL_KEY_CHARS, &text, err) != 0
        || ol_json_string(json, "url", OL_URL_MAX, &url, err) != 0
        || ol_origin_parse_bare(url, ngx_strlen(url), &origin, err) != 0)
    {
        return NGX_ERROR;
    }

    if (n == 0) {
        (void) ol_error_set(err, EBADMSG, "nodes: n is 0");
        return NGX_ERROR;
    }

    /* clients refuse a manifest with anything else in it */

    if (!ol_origin_port_ok(&origin)) {
        (void) ol_error_set(err, EBADMSG, "nodes: %s: a port that is not 80, "
                            "443 or from 1024 on", url);
        return NGX_ERROR;
    }

    if (ngx_http_offload_read_place(json, node, err) != NGX_OK
        || ngx_http_offload_read_spare(json, node, err) != NGX_OK)
    {
        return NGX_ERROR;
    }

    node->n = (uint32_t) n;
    node->https = origin.https;

    node->id.data = (u_char *) text;
    node->id.len = OL_KEY_CHARS;

    node->url.len = ngx_strlen(origin.text);
    node->url.data = ngx_pnalloc(pool, node->url.len);
    if (node->url.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(node->url.data, origin.text, node->url.len);

    return NGX_OK;
}


/* its zone, and the networks that it is near to */

static ngx_int_t
ngx_http_offload_read_place(const json_t *json,
    ngx_http_offload_node_data_t *node, struct ol_error *err)
{
    int          rc;
    size_t       i;
    json_t      *cidrs;
    const char  *zone, *cidr;

    rc = ol_json_string(json, "zone", OL_ZONE_MAX, &zone, err);

    if (rc == -ENOENT) {
        zone = "";

    } else if (rc != 0) {
        return NGX_ERROR;
    }

    node->zone.data = (u_char *) zone;
    node->zone.len = ngx_strlen(zone);

    if (!ngx_http_offload_printable(&node->zone)) {
        (void) ol_error_set(err, EBADMSG, "nodes: a zone that is not "
                            "printable ASCII");
        return NGX_ERROR;
    }

    rc = ol_json_array(json, "cidrs", NGX_HTTP_OFFLOAD_CIDRS, &cidrs, err);

    if (rc == -ENOENT) {
        return NGX_OK;
    }

    if (rc != 0) {
        return NGX_ERROR;
    }

    for (i = 0; i < json_array_size(cidrs); i++) {
        cidr = json_string_value(json_array_get(cidrs, i));

        if (cidr == NULL) {
            (void) ol_error_set(err, EBADMSG, "cidrs: not a string");
            return NGX_ERROR;
        }

        if (ol_cidr_parse(cidr, &node->cidrs[i], err) != 0) {
            return NGX_ERROR;
        }
    }

    node->ncidrs = i;

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_read_spare(const json_t *json,
    ngx_http_offload_node_data_t *node, struct ol_error *err)
{
    int       rc;
    uint64_t  spare;

    rc = ol_json_uint(json, "spare", OL_SPARE_MAX, &spare, err);

    if (rc == -ENOENT) {
        node->spare = OL_SPARE_UNKNOWN;
        return NGX_OK;
    }

    if (rc != 0) {
        return NGX_ERROR;
    }

    if (spare == 0 || (spare & (spare - 1))) {
        (void) ol_error_set(err, EBADMSG, "spare: not a power of two");
        return NGX_ERROR;
    }

    node->spare = (uint32_t) spare;

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_read_gone(const json_t *json, ngx_pool_t *pool,
    ngx_http_offload_sync_t *sync, struct ol_error *err)
{
    int          rc;
    size_t       i, n;
    json_t      *gone, *item;
    json_int_t   number;

    rc = ol_json_array(json, "gone", NGX_HTTP_OFFLOAD_BODY, &gone, err);

    if (rc == -ENOENT) {
        return NGX_OK;
    }

    if (rc != 0) {
        return NGX_ERROR;
    }

    n = json_array_size(gone);

    sync->gone = ngx_pcalloc(pool, n * sizeof(uint32_t));
    if (sync->gone == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        item = json_array_get(gone, i);
        number = json_integer_value(item);

        if (!json_is_integer(item) || number < 1
            || number > NGX_HTTP_OFFLOAD_N_MAX)
        {
            (void) ol_error_set(err, EBADMSG, "gone: no number of a node");
            return NGX_ERROR;
        }

        sync->gone[i] = (uint32_t) number;
    }

    sync->ngone = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_read_contents(const json_t *json, ngx_pool_t *pool,
    ngx_http_offload_sync_t *sync, struct ol_error *err)
{
    int          rc;
    size_t       n;
    json_t      *contents, *item;
    const char  *root;

    rc = ol_json_object(json, "contents", NGX_HTTP_OFFLOAD_ITEMS_MAX,
                        &contents, err);
    if (rc == -ENOENT) {
        return NGX_OK;
    }

    if (rc != 0) {
        return NGX_ERROR;
    }

    n = json_object_size(contents);

    sync->contents = ngx_pcalloc(pool,
                                 n * sizeof(ngx_http_offload_sync_content_t));
    if (sync->contents == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    json_object_foreach(contents, root, item) {
        if (ngx_http_offload_read_content(root, item, &sync->contents[n++],
                                          err)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    sync->ncontents = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_read_content(const char *root, const json_t *json,
    ngx_http_offload_sync_content_t *content, struct ol_error *err)
{
    u_char      bytes[NGX_HTTP_OFFLOAD_CANDIDATES * 4], *p;
    size_t      len;
    ngx_uint_t  i;

    if (ol_hex_decode(content->root, OL_HASH_BYTES, root, ngx_strlen(root))
        != 0)
    {
        (void) ol_error_set(err, EBADMSG, "contents: \"%s\" is no root", root);
        return NGX_ERROR;
    }

    if (!json_is_string(json)
        || ol_base64url_decode(bytes, sizeof(bytes), &len,
                               json_string_value(json),
                               json_string_length(json))
           != 0
        || len % 4)
    {
        (void) ol_error_set(err, EBADMSG,
                            "contents: %s: not base64url of at most %d times "
                            "four bytes", root, NGX_HTTP_OFFLOAD_CANDIDATES);
        return NGX_ERROR;
    }

    content->count = len / 4;

    for (i = 0; i < content->count; i++) {
        p = bytes + i * 4;

        if ((p[0] & (NGX_HTTP_OFFLOAD_HELD|NGX_HTTP_OFFLOAD_ASSIGNED)) == 0
            || (p[1] | p[2] | p[3]) == 0)
        {
            (void) ol_error_set(err, EBADMSG,
                                "contents: %s: candidate %u is neither held "
                                "nor assigned, or has no node", root,
                                (unsigned) i);
            return NGX_ERROR;
        }

        content->list[i] = (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
                           | (uint32_t) p[2] << 8 | p[3];
    }

    return NGX_OK;
}


/* one that may be absent: 0 */

static ngx_int_t
ngx_http_offload_read_uint(const json_t *json, char *name, uint64_t max,
    uint64_t *ret, struct ol_error *err)
{
    int  rc;

    *ret = 0;
    rc = ol_json_uint(json, name, max, ret, err);

    return (rc == 0 || rc == -ENOENT) ? NGX_OK : NGX_ERROR;
}
