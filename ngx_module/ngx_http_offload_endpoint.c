
/*
 * /.well-known/offload/: which resource a path names, the site's keys, what
 * the site says of itself, and piece tables.  "sync" and "status" have files
 * of their own.
 */


#include "ngx_http_offload.h"

#include "offload/encoding.h"
#include "offload/jws.h"


#define NGX_HTTP_OFFLOAD_SITE_TTL  3600


typedef struct {
    ngx_str_t                   name;
    ngx_uint_t                  methods;
    char                       *allow;
    ngx_http_handler_pt         handler;
} ngx_http_offload_resource_t;


static ngx_int_t ngx_http_offload_endpoint(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_not_allowed(ngx_http_request_t *r,
    char *allow);
static ngx_int_t ngx_http_offload_key(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_site(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_state_site(ngx_http_request_t *r,
    ngx_http_offload_srv_conf_t *oscf);
static void ngx_http_offload_forget_site(void *data);
static json_t *ngx_http_offload_site_json(ngx_http_offload_srv_conf_t *oscf);
static ngx_int_t ngx_http_offload_pieces(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_send_file(ngx_http_request_t *r,
    u_char *site, u_char *root, ngx_str_t *hex, uint64_t size);


static ngx_http_offload_resource_t  ngx_http_offload_resources[] = {

    { ngx_string("key"), NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD",
      ngx_http_offload_key },

    { ngx_string("site"), NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD",
      ngx_http_offload_site },

    { ngx_string("sync"), NGX_HTTP_POST, "POST",
      ngx_http_offload_sync },

    { ngx_string("report"), NGX_HTTP_POST, "POST",
      ngx_http_offload_report },

    { ngx_string("status"), NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD",
      ngx_http_offload_status },

    { ngx_string("peers"), NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD",
      ngx_http_offload_peers_explain },

    { ngx_string("metrics"), NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD",
      ngx_http_offload_metrics },

    { ngx_string("pieces/"), NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD",
      ngx_http_offload_pieces },

    { ngx_string("f/"), NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD",
      ngx_http_offload_format_place },

    { ngx_null_string, 0, NULL, NULL }
};


char *
ngx_http_offload_set_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_offload_loc_conf_t  *olcf = conf;

    ngx_str_t                 *value;
    ngx_pool_cleanup_t        *cln;
    ngx_http_core_loc_conf_t  *clcf;

    if (olcf->endpoint) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "open") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\": "
                               "it is \"open\" or nothing",
                               &value[1], &cmd->name);
            return NGX_CONF_ERROR;
        }

        olcf->open = 1;
    }

    olcf->endpoint = 1;
    olcf->file = cf->conf_file->file.name;
    olcf->line = cf->conf_file->line;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_offload_endpoint;

    /* of this configuration, which may answer when there is a later one */

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_offload_forget_site;
    cln->data = ngx_http_conf_get_module_srv_conf(cf, ngx_http_offload_module);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_offload_endpoint(ngx_http_request_t *r)
{
    size_t                        len;
    u_char                       *p;
    ngx_http_offload_resource_t  *res;

    len = sizeof(NGX_HTTP_OFFLOAD_PREFIX) - 1;

    if (r->uri.len <= len
        || ngx_strncmp(r->uri.data, NGX_HTTP_OFFLOAD_PREFIX, len) != 0)
    {
        return ngx_http_offload_refuse(r, NGX_HTTP_NOT_FOUND,
                                       "nothing here: the resources are under "
                                       NGX_HTTP_OFFLOAD_PREFIX, NULL);
    }

    p = r->uri.data + len;
    len = r->uri.len - len;

    for (res = ngx_http_offload_resources; res->name.len; res++) {

        if (len < res->name.len
            || ngx_strncmp(p, res->name.data, res->name.len) != 0
            || (len > res->name.len && p[res->name.len - 1] != '/'))
        {
            continue;
        }

        if (r->method & res->methods) {
            return res->handler(r);
        }

        return ngx_http_offload_not_allowed(r, res->allow);
    }

    return ngx_http_offload_refuse(r, NGX_HTTP_NOT_FOUND,
                                   "no such resource: there are key, site, "
                                   "sync, report, pieces/<root>, "
                                   "f/<root>/<name>, status, metrics and "
                                   "peers", NULL);
}


static ngx_int_t
ngx_http_offload_not_allowed(ngx_http_request_t *r, char *allow)
{
    if (ngx_http_offload_header(r, "Allow", allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_offload_refuse(r, NGX_HTTP_NOT_ALLOWED,
                                   "the method is not allowed here", NULL);
}


static ngx_int_t
ngx_http_offload_key(ngx_http_request_t *r)
{
    ngx_http_offload_srv_conf_t  *oscf;

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    if (ngx_http_offload_header(r, "Cache-Control", "no-cache") != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_offload_send(r, NGX_HTTP_OK, "application/jwk-set+json",
                                 oscf->jwks.data, oscf->jwks.len);
}


static ngx_int_t
ngx_http_offload_site(ngx_http_request_t *r)
{
    ngx_http_offload_srv_conf_t  *oscf;

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    /* signed again when half of its life is over */

    if (oscf->stated + NGX_HTTP_OFFLOAD_SITE_TTL / 2 <= ngx_time()
        && ngx_http_offload_state_site(r, oscf) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_offload_header(r, "Cache-Control", "no-cache") != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_offload_send(r, NGX_HTTP_OK, "application/jwt",
                                 oscf->statement.data, oscf->statement.len);
}


static ngx_int_t
ngx_http_offload_state_site(ngx_http_request_t *r,
    ngx_http_offload_srv_conf_t *oscf)
{
    int                            rc;
    char                          *token;
    size_t                         len;
    json_t                        *json;
    struct ol_key                **key;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_main_conf_t  *omcf;

    json = ngx_http_offload_site_json(oscf);
    if (json == NULL) {
        return NGX_ERROR;
    }

    key = oscf->keys->elts;

    rc = ol_jws_sign(*key, OL_TYP_SITE, json, &token, &len);

    json_decref(json);

    if (rc != 0) {
        return NGX_ERROR;
    }

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    sh = ngx_http_offload_peek(omcf->zone);
    (void) ngx_atomic_fetch_add(&sh->signatures, 1);

    /* answers under way have copies */

    free(oscf->statement.data);

    oscf->statement.data = (u_char *) token;
    oscf->statement.len = len;
    oscf->stated = ngx_time();

    return NGX_OK;
}


static void
ngx_http_offload_forget_site(void *data)
{
    ngx_http_offload_srv_conf_t  *oscf = data;

    free(oscf->statement.data);

    oscf->statement.data = NULL;
}


static json_t *
ngx_http_offload_site_json(ngx_http_offload_srv_conf_t *oscf)
{
    json_t                      *names, *trackers, *syncs, *json;
    ngx_str_t                   *site;
    ngx_uint_t                   i;
    ngx_array_t                 *instances;
    ngx_http_offload_tracker_t  *tracker;

    names = json_array();
    trackers = json_array();
    syncs = json_array();

    site = oscf->sites->elts;

    for (i = 0; i < oscf->sites->nelts; i++) {
        (void) json_array_append_new(names,
                                     json_string((char *) site[i].data));
    }

    if (oscf->coordinators) {
        tracker = oscf->coordinators->elts;

        for (i = 0; i < oscf->coordinators->nelts; i++) {
            (void) json_array_append_new(trackers,
                                json_pack("{s:s, s:s}",
                                          "url", tracker[i].url.data,
                                          "id", ol_key_id(tracker[i].key)));
        }
    }

    instances = oscf->instances ? oscf->instances : oscf->sites;
    site = instances->elts;

    /* without a word on them there is one, under the site's first name */

    for (i = 0; i < (oscf->instances ? instances->nelts : 1); i++) {
        (void) json_array_append_new(syncs,
                                     json_sprintf("%s%s",
                                                  (char *) site[i].data,
                                                  NGX_HTTP_OFFLOAD_PREFIX
                                                  "sync"));
    }

    json = json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}",
                     "iss", oscf->iss.data,
                     "iat", (json_int_t) ngx_time(),
                     "exp", (json_int_t) ngx_time()
                            + NGX_HTTP_OFFLOAD_SITE_TTL,
                     "names", names,
                     "coordinators", trackers,
                     "sync", syncs);

    return json;
}


/* the table of a content that is offered: short ones from the zone */

static ngx_int_t
ngx_http_offload_pieces(ngx_http_request_t *r)
{
    u_char                         root[OL_HASH_BYTES];
    u_char                         table[OL_TABLE_INLINE];
    size_t                         len, table_len;
    uint64_t                       size;
    ngx_str_t                      hex;
    ngx_uint_t                     found;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_content_t    *content;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    len = sizeof(NGX_HTTP_OFFLOAD_PREFIX "pieces/") - 1;

    hex.data = r->uri.data + len;
    hex.len = r->uri.len - len;

    if (ol_hex_decode(root, OL_HASH_BYTES, (char *) hex.data, hex.len) != 0) {
        return ngx_http_offload_refuse(r, NGX_HTTP_NOT_FOUND,
                                       "pieces/: a root is 64 lower-case "
                                       "hexadecimal digits", NULL);
    }

    size = 0;
    table_len = 0;

    sh = ngx_http_offload_lock(omcf->zone);

    content = ngx_http_offload_content_find(sh, oscf->id, root);
    found = content && content->uses > content->gone && content->revoked == 0
            && content->generation >= omcf->zone->generation;

    if (found) {
        size = content->size;
    }

    if (found && content->table) {
        table_len = content->table_len;
        ngx_memcpy(table, content->table, table_len);
    }

    ngx_http_offload_unlock(omcf->zone);

    if (!found) {
        return ngx_http_offload_refuse(r, NGX_HTTP_NOT_FOUND,
                                       "pieces/: this root is not offered "
                                       "here", NULL);
    }

    if (table_len) {
        return ngx_http_offload_send(r, NGX_HTTP_OK,
                                     "application/octet-stream",
                                     table, table_len);
    }

    return ngx_http_offload_send_file(r, oscf->id, root, &hex, size);
}


static ngx_int_t
ngx_http_offload_send_file(ngx_http_request_t *r, u_char *site, u_char *root,
    ngx_str_t *hex, uint64_t size)
{
    off_t                  len;
    ngx_buf_t             *b;
    ngx_int_t              rc;
    ngx_str_t              name;
    ngx_chain_t            out;
    ngx_open_file_info_t   of;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->file = ngx_pcalloc(r->pool, sizeof(ngx_file_t));
    if (b->file == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* what follows in the file is for other formats */

    len = (off_t) ol_state_sha1_offset(size);

    if (ngx_http_offload_open_table(r, hex, &name, &of) != NGX_OK
        || len == 0 || of.size < len)
    {
        ngx_http_offload_lost(r, site, root);

        return ngx_http_offload_refuse(r, NGX_HTTP_NOT_FOUND,
                                       "pieces/: the table was lost and is "
                                       "being made again", NULL);
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = len;
    ngx_str_set(&r->headers_out.content_type, "application/octet-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->allow_ranges = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->file_last = len;
    b->in_file = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    b->file->fd = of.fd;
    b->file->name = name;
    b->file->log = r->connection->log;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_offload_open_table(ngx_http_request_t *r, ngx_str_t *hex,
    ngx_str_t *name, ngx_open_file_info_t *of)
{
    u_char                        *p;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    name->len = omcf->state->name.len + 1 + hex->len + sizeof(".table") - 1;
    name->data = ngx_pnalloc(r->pool, name->len + 1);
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(name->data, "%V/%V.table", &omcf->state->name, hex);
    *p = '\0';

    ngx_http_offload_open_info(r, of);
    of->directio = NGX_OPEN_FILE_DIRECTIO_OFF;

    if (ngx_open_cached_file(clcf->open_file_cache, name, of, r->pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return of->is_file ? NGX_OK : NGX_ERROR;
}


/* its files are hashed again when they are next asked for */

void
ngx_http_offload_lost(ngx_http_request_t *r, u_char *site, u_char *root)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_content_t    *content;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    sh = ngx_http_offload_lock(omcf->zone);

    content = ngx_http_offload_content_find(sh, site, root);

    if (content) {
        content->lost = 1;
    }

    ngx_http_offload_unlock(omcf->zone);
}


/* a whole answer, of which a copy is made */

ngx_int_t
ngx_http_offload_send(ngx_http_request_t *r, ngx_uint_t status, char *type,
    u_char *data, size_t len)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->last, data, len);
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/* a refusal says why, and may say from where to go on */

ngx_int_t
ngx_http_offload_refuse(ngx_http_request_t *r, ngx_uint_t status, char *text,
    uint64_t *seq)
{
    char       *body;
    json_t     *json;
    ngx_int_t   rc;

    json = json_pack("{s:s}", "error", text);

    if (json && seq) {
        (void) json_object_set_new(json, "seq",
                                   json_integer((json_int_t) *seq));
    }

    body = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);

    if (body == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_offload_send(r, status, "application/json", (u_char *) body,
                               ngx_strlen(body));
    free(body);

    return rc;
}
