
/*
 * file.meta4 and the like beside a file that is offered, and not there as
 * files of their own.  The request goes on as one for the file itself, so that
 * the file's own location and rules judge it, and carries a mark that tells
 * the content handler what to give instead of the file.
 */


#include "ngx_http_offload.h"


typedef struct {
    ngx_str_t                   sub;         /* of the file */
    ngx_http_offload_format_e   format;
    ngx_uint_t                  uri_changes; /* left, once at the file */
    void                      **loc_conf;    /* of the file's location */
    unsigned                    done:1;
} ngx_http_offload_mark_t;


static ngx_uint_t ngx_http_offload_suffix_hit(ngx_http_request_t *r,
    ngx_str_t *sub);
static ngx_uint_t ngx_http_offload_suffix_none(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_suffix_go(ngx_http_request_t *r,
    ngx_http_offload_format_e format, ngx_str_t *sub, size_t len);
static ngx_int_t ngx_http_offload_suffix_base(ngx_http_request_t *r);
static ngx_uint_t ngx_http_offload_suffix_failed(ngx_http_request_t *r,
    ngx_http_offload_mark_t *mark);
static ngx_http_offload_mark_t *ngx_http_offload_suffix_mark(
    ngx_http_request_t *r);
static void ngx_http_offload_suffix_cleanup(void *data);


/*
 * The precontent phase, before try_files.  An ordinary request for a file that
 * is not there costs no more than a look into the zone
 */

ngx_int_t
ngx_http_offload_suffix(ngx_http_request_t *r)
{
    size_t                        len;
    ngx_str_t                     sub, node;
    ngx_http_offload_format_e     format;
    ngx_http_offload_loc_conf_t  *olcf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    if (r->internal) {
        return ngx_http_offload_suffix_base(r);
    }

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if (!olcf->enable || r->content_handler
        || !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)))
    {
        return NGX_DECLINED;
    }

    format = ngx_http_offload_format_of(&r->uri, &len);

    if (format == NGX_HTTP_OFFLOAD_NO_FORMAT
        || !ngx_http_offload_public(r)
        || ngx_http_offload_want(r, &node) == NGX_HTTP_OFFLOAD_WANT_DIRECT
        || ngx_http_offload_subject(r, &sub) != NGX_OK
        || ngx_http_offload_format_of(&sub, &len) != format)
    {
        return NGX_DECLINED;
    }

    sub.len -= len;
    sub.data[sub.len] = '\0';

    if (!ngx_http_offload_suffix_hit(r, &sub)
        || !ngx_http_offload_suffix_none(r))
    {
        return NGX_DECLINED;
    }

    return ngx_http_offload_suffix_go(r, format, &sub, len);
}


/* is there a file that is offered?  Which path it has, its location decides */

static ngx_uint_t
ngx_http_offload_suffix_hit(ngx_http_request_t *r, ngx_str_t *sub)
{
    ngx_uint_t                     hit;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_name_t        name;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    ngx_memzero(&name, sizeof(ngx_http_offload_name_t));

    name.site = oscf->id;
    name.sub = *sub;

    ngx_http_offload_name_hash(ngx_http_offload_peek(omcf->zone), &name);

    sh = ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_file_of(sh, &name);

    hit = file && file->state == NGX_HTTP_OFFLOAD_READY
          && ngx_http_offload_file_public(omcf->zone, file);

    ngx_http_offload_unlock(omcf->zone);

    return hit;
}


/* a site's own file of that name, or why it cannot be opened, comes first */

static ngx_uint_t
ngx_http_offload_suffix_none(ngx_http_request_t *r)
{
    u_char                    *last;
    size_t                     root;
    ngx_str_t                  path;
    ngx_open_file_info_t       of;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    last = ngx_http_map_uri_to_path(r, &path, &root, 0);
    if (last == NULL) {
        return 0;
    }

    path.len = last - path.data;

    ngx_http_offload_open_info(r, &of);
    of.test_only = 1;

    if (ngx_http_set_disable_symlinks(r, clcf, &path, &of) != NGX_OK) {
        return 0;
    }

    return ngx_open_cached_file(clcf->open_file_cache, &path, &of, r->pool)
           != NGX_OK
           && (of.err == NGX_ENOENT || of.err == NGX_ENOTDIR
               || of.err == NGX_ENAMETOOLONG);
}


static ngx_int_t
ngx_http_offload_suffix_go(ngx_http_request_t *r,
    ngx_http_offload_format_e format, ngx_str_t *sub, size_t len)
{
    ngx_str_t                 uri;
    ngx_pool_cleanup_t       *cln;
    ngx_http_offload_mark_t  *mark;

    /* contexts don't survive a redirect, the pool does */

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_offload_mark_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_offload_suffix_cleanup;
    mark = cln->data;

    mark->sub = *sub;
    mark->format = format;
    mark->uri_changes = r->uri_changes - 1;
    mark->loc_conf = NULL;
    mark->done = 0;

    uri.data = r->uri.data;
    uri.len = r->uri.len - len;

    (void) ngx_http_internal_redirect(r, &uri, &r->args);

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


/* the preaccess phase: at the file, before it may be refused */

ngx_int_t
ngx_http_offload_suffix_at(ngx_http_request_t *r)
{
    ngx_http_offload_mark_t  *mark;

    if (!r->internal || r != r->main) {
        return NGX_DECLINED;
    }

    mark = ngx_http_offload_suffix_mark(r);

    if (mark && r->uri_changes == mark->uri_changes) {
        mark->loc_conf = r->loc_conf;
    }

    return NGX_DECLINED;
}


/*
 * At the file, past its rules of access.  An error page is the site's own
 * affair; whatever else would not come to our content handler is not what was
 * asked for
 */

static ngx_int_t
ngx_http_offload_suffix_base(ngx_http_request_t *r)
{
    ngx_http_offload_mark_t      *mark;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_offload_loc_conf_t  *olcf;

    mark = ngx_http_offload_suffix_mark(r);

    if (mark == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_offload_suffix_failed(r, mark)) {
        mark->done = 1;
        return NGX_DECLINED;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if (r->uri_changes != mark->uri_changes || r->content_handler
        || clcf->internal || !olcf->enable)
    {
        mark->done = 1;
        return NGX_HTTP_NOT_FOUND;
    }

    return NGX_DECLINED;
}


/*
 * Is it an error page?  One whose own status is to count, when there may be
 * further ones, leaves no trace but where it is
 */

static ngx_uint_t
ngx_http_offload_suffix_failed(ngx_http_request_t *r,
    ngx_http_offload_mark_t *mark)
{
    u_char                    *args;
    ngx_str_t                  uri, *name;
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    if (r->err_status || r->error_page) {
        return 1;
    }

    if (mark->loc_conf == NULL || r->uri_changes == mark->uri_changes) {
        return 0;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    name = clcf->named ? &clcf->name : &r->uri;

    clcf = mark->loc_conf[ngx_http_core_module.ctx_index];

    if (clcf->error_pages == NULL) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {

        if (page[i].overwrite != 0
            || ngx_http_complex_value(r, &page[i].value, &uri) != NGX_OK)
        {
            continue;
        }

        args = ngx_strlchr(uri.data, uri.data + uri.len, '?');

        if (args) {
            uri.len = args - uri.data;
        }

        if (uri.len == name->len
            && ngx_memcmp(uri.data, name->data, uri.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* the content phase, at the file: NGX_DECLINED unless it is marked */

ngx_int_t
ngx_http_offload_suffixed(ngx_http_request_t *r)
{
    ngx_http_offload_ctx_t       *ctx;
    ngx_http_offload_mark_t      *mark;
    ngx_http_offload_loc_conf_t  *olcf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    mark = ngx_http_offload_suffix_mark(r);

    if (mark == NULL) {
        return NGX_DECLINED;
    }

    mark->done = 1;

    ctx = ngx_http_offload_ctx_named(r, NGX_HTTP_OFFLOAD_WANT_MANIFEST,
                                     &mark->sub);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->format = mark->format;

    /* no node is named where the file is to come from here */

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if (olcf->bypass
        && ngx_http_test_predicates(r, olcf->bypass) != NGX_OK)
    {
        ctx->idle = 1;
    }

    return ngx_http_offload_format(r, ctx);
}


/* NULL: there is none, or it has had its effect */

static ngx_http_offload_mark_t *
ngx_http_offload_suffix_mark(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_offload_mark_t  *mark;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_offload_suffix_cleanup) {
            mark = cln->data;
            return mark->done ? NULL : mark;
        }
    }

    return NULL;
}


static void
ngx_http_offload_suffix_cleanup(void *data)
{
    /* what it is there for is to be found */
}
