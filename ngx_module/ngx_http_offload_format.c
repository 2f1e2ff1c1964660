
/*
 * A content in the formats of others: under which name it is asked for, how it
 * is sent, what its headers say.  Which file it is about has been decided, or
 * follows from the canonical place, f/<root>/<name>.EXT.
 */


#include "ngx_http_offload_format.h"

#include "offload/encoding.h"
#include "offload/metalink.h"
#include "offload/torrent.h"


typedef struct {
    ngx_str_t                   suffix;
    char                       *type;
    ngx_uint_t                  attachment;
    ngx_int_t                 (*compose)(ngx_http_request_t *r,
                                    ngx_http_offload_ctx_t *ctx,
                                    ngx_http_offload_body_t *body);
} ngx_http_offload_form_t;


static ngx_int_t ngx_http_offload_format_parse(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, u_char *root, ngx_str_t *name);
static ngx_int_t ngx_http_offload_format_find(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, u_char *root, ngx_str_t *name);
static ngx_int_t ngx_http_offload_format_name(ngx_http_request_t *r,
    ngx_http_offload_name_t *known, ngx_http_offload_name_t *name);
static ngx_int_t ngx_http_offload_format_none(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_format_manifest(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_body_t *body);
static ngx_int_t ngx_http_offload_format_send(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_form_t *form,
    ngx_http_offload_body_t *body);
static ngx_chain_t *ngx_http_offload_format_chain(ngx_http_request_t *r,
    ngx_http_offload_body_t *body);
static ngx_buf_t *ngx_http_offload_format_text(ngx_http_request_t *r,
    ngx_str_t *text);
static ngx_buf_t *ngx_http_offload_format_file(ngx_http_request_t *r,
    ngx_http_offload_body_t *body);
static ngx_int_t ngx_http_offload_disposition(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_str_t *suffix);
static ngx_uint_t ngx_http_offload_plain_char(u_char c);
static ngx_uint_t ngx_http_offload_attr_char(u_char c);


/* in the order of ngx_http_offload_format_e */

static ngx_http_offload_form_t  ngx_http_offload_forms[] = {

    { ngx_null_string, NULL, 0, NULL },

    { ngx_string(".offload"), OL_MANIFEST_TYPE, 1,
      ngx_http_offload_format_manifest },

    { ngx_string(".meta4"), OL_METALINK_TYPE, 1,
      ngx_http_offload_meta4_body },

    { ngx_string(".torrent"), OL_TORRENT_TYPE, 1,
      ngx_http_offload_torrent_body },

    { ngx_string(".sha256"), "text/plain", 0,
      ngx_http_offload_sha256_body }
};


#define NGX_HTTP_OFFLOAD_FORMS                                                \
    (sizeof(ngx_http_offload_forms) / sizeof(ngx_http_offload_forms[0]))


/* what a name ends in; len: of that */

ngx_http_offload_format_e
ngx_http_offload_format_of(ngx_str_t *name, size_t *len)
{
    u_char      *p;
    ngx_str_t   *suffix;
    ngx_uint_t   i;

    for (i = NGX_HTTP_OFFLOAD_FORMAT_OFFLOAD;
         i < NGX_HTTP_OFFLOAD_FORMS;
         i++)
    {
        suffix = &ngx_http_offload_forms[i].suffix;

        if (name->len <= suffix->len) {
            continue;
        }

        p = name->data + name->len - suffix->len;

        if (p[-1] != '/' && ngx_memcmp(p, suffix->data, suffix->len) == 0) {
            *len = suffix->len;
            return i;
        }
    }

    return NGX_HTTP_OFFLOAD_NO_FORMAT;
}


/* f/<root>/<name>.EXT: a file that is offered by that name */

ngx_int_t
ngx_http_offload_format_place(ngx_http_request_t *r)
{
    u_char                   root[OL_HASH_BYTES];
    ngx_int_t                rc;
    ngx_str_t                name;
    ngx_http_offload_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_offload_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->placed = 1;
    ctx->outcome = NGX_HTTP_OFFLOAD_INELIGIBLE;

    if (ngx_http_offload_format_parse(r, ctx, root, &name) != NGX_OK) {
        return ngx_http_offload_refuse(r, NGX_HTTP_NOT_FOUND,
                                       "f/: it is f/<root>/<name> and one of "
                                       ".offload, .meta4, .torrent, .sha256",
                                       NULL);
    }

    rc = ngx_http_offload_format_find(r, ctx, root, &name);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return ngx_http_offload_format_none(r);
    }

    ngx_http_set_ctx(r, ctx, ngx_http_offload_module);

    rc = ngx_http_offload_format(r, ctx);

    return rc == NGX_HTTP_NOT_FOUND ? ngx_http_offload_format_none(r) : rc;
}


static ngx_int_t
ngx_http_offload_format_parse(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, u_char *root, ngx_str_t *name)
{
    u_char  *p, *last;
    size_t   len;

    p = r->uri.data + sizeof(NGX_HTTP_OFFLOAD_PREFIX "f/") - 1;
    last = r->uri.data + r->uri.len;

    if (last - p <= OL_ROOT_HEX + 1 || p[OL_ROOT_HEX] != '/'
        || ol_hex_decode(root, OL_HASH_BYTES, (char *) p, OL_ROOT_HEX) != 0)
    {
        return NGX_DECLINED;
    }

    name->data = p + OL_ROOT_HEX + 1;
    name->len = last - name->data;

    ctx->format = ngx_http_offload_format_of(name, &len);

    if (ctx->format == NGX_HTTP_OFFLOAD_NO_FORMAT) {
        return NGX_DECLINED;
    }

    name->len -= len;

    return ngx_strlchr(name->data, last, '/') ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_http_offload_format_find(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, u_char *root, ngx_str_t *name)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_name_t        known;
    ngx_http_offload_content_t    *content;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    static u_char                  text[OL_SUB_MAX + NGX_MAX_PATH];

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    ctx->name.site = oscf->id;
    file = NULL;

    sh = ngx_http_offload_lock(omcf->zone);

    content = ngx_http_offload_content_find(sh, oscf->id, root);

    if (content) {
        file = ngx_http_offload_content_file(omcf->zone, content, name);
    }

    if (file && (size_t) file->sub_len + file->path_len <= sizeof(text)) {
        known.hash = file->hash;

        known.sub.len = file->sub_len;
        known.sub.data = text;
        ngx_memcpy(text, ngx_http_offload_file_sub(file), file->sub_len);

        known.path.len = file->path_len;
        known.path.data = text + file->sub_len;
        ngx_memcpy(known.path.data, ngx_http_offload_file_path(file),
                   file->path_len);

    } else {
        file = NULL;
    }

    ngx_http_offload_unlock(omcf->zone);

    return file ? ngx_http_offload_format_name(r, &known, &ctx->name)
                : NGX_DECLINED;
}


/* a copy of the file's own name, with NULs; not while the zone is locked */

static ngx_int_t
ngx_http_offload_format_name(ngx_http_request_t *r,
    ngx_http_offload_name_t *known, ngx_http_offload_name_t *name)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, known->sub.len + known->path.len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    name->hash = known->hash;

    name->sub.len = known->sub.len;
    name->sub.data = p;
    p = ngx_cpymem(p, known->sub.data, known->sub.len);
    *p++ = '\0';

    name->path.len = known->path.len;
    name->path.data = p;
    p = ngx_cpymem(p, known->path.data, known->path.len);
    *p = '\0';

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_format_none(ngx_http_request_t *r)
{
    return ngx_http_offload_refuse(r, NGX_HTTP_NOT_FOUND,
                                   "f/: nothing of this root and name is "
                                   "offered here", NULL);
}


/* NGX_HTTP_NOT_FOUND: there is nothing to give */

ngx_int_t
ngx_http_offload_format(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_http_offload_body_t        body;
    ngx_http_offload_form_t       *form;
    ngx_http_offload_main_conf_t  *omcf;

    form = &ngx_http_offload_forms[ctx->format];

    ctx->want = NGX_HTTP_OFFLOAD_WANT_MANIFEST;

    if (!ngx_http_offload_busy(r)) {
        ctx->idle = 1;
    }

    ngx_memzero(&body, sizeof(ngx_http_offload_body_t));

    if (ngx_http_offload_client(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = form->compose(r, ctx, &body);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {

        /* what is lost may have been found out about, and is made again */

        omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
        ngx_http_offload_index_kick(omcf);

        return NGX_HTTP_NOT_FOUND;
    }

    return ngx_http_offload_format_send(r, ctx, form, &body);
}


static ngx_int_t
ngx_http_offload_format_manifest(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_body_t *body)
{
    return ngx_http_offload_manifest(r, ctx, &body->head);
}


/*
 * There are no validators: the text changes with who has the content.  It must
 * not be kept any more than a manifest, and the filter sees to that
 */

static ngx_int_t
ngx_http_offload_format_send(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_form_t *form,
    ngx_http_offload_body_t *body)
{
    ngx_int_t     rc;
    ngx_chain_t  *out;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    out = ngx_http_offload_format_chain(r, body);
    if (out == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (form->attachment
        && ngx_http_offload_disposition(r, ctx, &form->suffix) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = body->head.len + body->tail.len
                                      + (body->to - body->from);
    r->headers_out.content_type.data = (u_char *) form->type;
    r->headers_out.content_type.len = ngx_strlen(form->type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

#if (NGX_HTTP_GZIP)
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif

    ctx->manifest = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out);
}


static ngx_chain_t *
ngx_http_offload_format_chain(ngx_http_request_t *r,
    ngx_http_offload_body_t *body)
{
    ngx_buf_t    *parts[3];
    ngx_uint_t    i, n;
    ngx_chain_t  *cl, *next;

    n = 0;
    parts[n++] = ngx_http_offload_format_text(r, &body->head);

    if (body->to > body->from) {
        parts[n++] = ngx_http_offload_format_file(r, body);
    }

    if (body->tail.len) {
        parts[n++] = ngx_http_offload_format_text(r, &body->tail);
    }

    next = NULL;

    for (i = n; i > 0; i--) {

        cl = ngx_alloc_chain_link(r->pool);

        if (cl == NULL || parts[i - 1] == NULL) {
            return NULL;
        }

        cl->buf = parts[i - 1];
        cl->next = next;
        next = cl;
    }

    parts[n - 1]->last_buf = 1;
    parts[n - 1]->last_in_chain = 1;

    return next;
}


static ngx_buf_t *
ngx_http_offload_format_text(ngx_http_request_t *r, ngx_str_t *text)
{
    ngx_buf_t  *b;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NULL;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;

    return b;
}


static ngx_buf_t *
ngx_http_offload_format_file(ngx_http_request_t *r,
    ngx_http_offload_body_t *body)
{
    ngx_buf_t  *b;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NULL;
    }

    b->file = ngx_pcalloc(r->pool, sizeof(ngx_file_t));
    if (b->file == NULL) {
        return NULL;
    }

    b->file->fd = body->of.fd;
    b->file->name = body->table;
    b->file->log = r->connection->log;
    b->file->directio = body->of.is_directio;

    b->file_pos = body->from;
    b->file_last = body->to;
    b->in_file = 1;

    return b;
}


/* RFC 6266: the name as it is in filename*, if filename cannot say it */

static ngx_int_t
ngx_http_offload_disposition(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_str_t *suffix)
{
    u_char      *value, *p;
    size_t       i;
    ngx_str_t    name;
    ngx_uint_t   plain;

    static u_char  digits[] = "0123456789ABCDEF";

    ngx_http_offload_basename(&ctx->name.sub, &name);

    value = ngx_pnalloc(r->pool, sizeof("attachment; filename=\"\"; "
                                        "filename*=UTF-8''")
                                 + 4 * name.len + 2 * suffix->len);
    if (value == NULL) {
        return NGX_ERROR;
    }

    plain = 1;
    p = ngx_cpymem(value, "attachment; filename=\"",
                   sizeof("attachment; filename=\"") - 1);

    for (i = 0; i < name.len; i++) {

        if (ngx_http_offload_plain_char(name.data[i])) {
            *p++ = name.data[i];

        } else {
            *p++ = '_';
            plain = 0;
        }
    }

    p = ngx_cpymem(p, suffix->data, suffix->len);
    *p++ = '"';

    if (!plain) {
        p = ngx_cpymem(p, "; filename*=UTF-8''",
                       sizeof("; filename*=UTF-8''") - 1);

        for (i = 0; i < name.len; i++) {

            if (ngx_http_offload_attr_char(name.data[i])) {
                *p++ = name.data[i];

            } else {
                *p++ = '%';
                *p++ = digits[name.data[i] >> 4];
                *p++ = digits[name.data[i] & 15];
            }
        }

        p = ngx_cpymem(p, suffix->data, suffix->len);
    }

    *p = '\0';

    return ngx_http_offload_header(r, "Content-Disposition", (char *) value);
}


/* within quotes, as all readers understand it; some decode "%20" there */

static ngx_uint_t
ngx_http_offload_plain_char(u_char c)
{
    return c >= 0x20 && c < 0x7f
           && c != '"' && c != '\\' && c != '%' && c != ';';
}


/* RFC 8187 */

static ngx_uint_t
ngx_http_offload_attr_char(u_char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || (c && ngx_strchr("!#$&+-.^_`|~", c));
}
