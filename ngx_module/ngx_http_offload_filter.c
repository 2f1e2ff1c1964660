
/*
 * A header filter behind gzip and the headers module, and before ranges are
 * cut: sees each direct answer as it goes out to anyone, decides by that what
 * may be offered, and gives manifests the headers that they must have.
 */


#include "ngx_http_offload.h"


typedef enum {
    NGX_HTTP_OFFLOAD_PLAIN = 0,              /* the file, for anyone */
    NGX_HTTP_OFFLOAD_OTHER,                  /* says nothing about it */
    NGX_HTTP_OFFLOAD_PRIVATE                 /* not for everyone */
} ngx_http_offload_verdict_e;


static ngx_int_t ngx_http_offload_filter_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_offload_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_unmodified(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);
static void ngx_http_offload_vanished(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);
static ngx_int_t ngx_http_offload_direct(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);
static ngx_http_offload_verdict_e ngx_http_offload_judge(
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_offload_own_etag(ngx_http_request_t *r);
static ngx_uint_t ngx_http_offload_is_private(ngx_http_request_t *r);
static ngx_uint_t ngx_http_offload_plain(ngx_http_request_t *r);
static ngx_uint_t ngx_http_offload_own_host(ngx_http_request_t *r,
    ngx_str_t *site);
static void ngx_http_offload_learn(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx);
static ngx_http_offload_file_t *ngx_http_offload_known(
    ngx_http_offload_zone_t *zone, ngx_http_offload_sh_t *sh,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_version_t *version);
static ngx_int_t ngx_http_offload_tell(ngx_http_request_t *r, char *value);


static ngx_http_module_t  ngx_http_offload_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_offload_filter_init,          /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_offload_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_offload_filter_module_ctx,   /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static ngx_int_t
ngx_http_offload_filter_init(ngx_conf_t *cf)
{
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_offload_module);

    if (omcf->zone == NULL) {
        return NGX_OK;
    }

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_offload_header_filter;

    ngx_http_offload_guard_init(cf);
    ngx_http_offload_altered_init();

    if (omcf->measure) {
        ngx_http_offload_traffic_filter();
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_header_filter(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_offload_ctx_t       *ctx;
    ngx_http_offload_loc_conf_t  *olcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_offload_module);

    if (ctx == NULL || r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    if (r->headers_out.status != NGX_HTTP_OK
        && r->headers_out.status != NGX_HTTP_MOVED_TEMPORARILY)
    {
        /* a 304, though in a manifest's place, is the file's own */

        if (r->headers_out.status == NGX_HTTP_NOT_MODIFIED
            && ngx_http_offload_unmodified(r, ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (r->headers_out.status == NGX_HTTP_NOT_FOUND) {
            ngx_http_offload_vanished(r, ctx);
        }

        return ngx_http_next_header_filter(r);
    }

    if (ctx->shared) {
        olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

        if (r->headers_out.content_length_n != -1
            && r->headers_out.content_length_n < olcf->min_length)
        {
            ngx_http_offload_count(r, ctx->outcome);
            return ngx_http_next_header_filter(r);
        }

        ctx = ngx_http_offload_ctx_create(r, ctx->want);
        if (ctx == NULL) {
            return ngx_http_next_header_filter(r);
        }
    }

    if (ctx->manifest || ctx->outcome == NGX_HTTP_OFFLOAD_REDIRECT) {
        rc = ngx_http_offload_fix(r, ctx);

    } else if (r->headers_out.status == NGX_HTTP_OK) {
        rc = ngx_http_offload_direct(r, ctx);

    } else {
        return ngx_http_next_header_filter(r);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_offload_count(r, ctx->outcome);

    return ngx_http_next_header_filter(r);
}


/* those who have it are told, though nobody asks them for it any more */

static void
ngx_http_offload_vanished(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    if (ngx_http_offload_peek(omcf->zone)->nfiles == 0 || ctx->placed) {
        return;
    }

    if (ctx->shared) {
        ctx = ngx_http_offload_ctx_create(r, ctx->want);
        if (ctx == NULL) {
            return;
        }
    }

    sh = ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_file_find(sh, &ctx->name);

    if (file) {
        ngx_http_offload_file_gone(omcf->zone, file);
    }

    ngx_http_offload_unlock(omcf->zone);
}


/* a cache takes the headers of a 304 for those that it has */

static ngx_int_t
ngx_http_offload_unmodified(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_http_offload_outcome_e    outcome;
    ngx_http_offload_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if (!ctx->shared) {
        ctx->outcome = NGX_HTTP_OFFLOAD_DIRECT;
    }

    if (!olcf->sri || ctx->want == NGX_HTTP_OFFLOAD_WANT_DIRECT
        || ngx_http_offload_guarded(r) || ngx_http_offload_is_private(r))
    {
        return NGX_OK;
    }

    if (ctx->shared) {
        outcome = ctx->outcome;

        ctx = ngx_http_offload_ctx_create(r, ctx->want);
        if (ctx == NULL) {
            return NGX_OK;
        }

        ctx->outcome = outcome;
    }

    return ngx_http_offload_sri(r, ctx);
}


/* an answer by another handler, most likely the static one, with the file */

static ngx_int_t
ngx_http_offload_direct(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_http_offload_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    ctx->verifies = 0;

    switch (ngx_http_offload_judge(r)) {

    case NGX_HTTP_OFFLOAD_PLAIN:
        if (ctx->want == NGX_HTTP_OFFLOAD_WANT_BYPASS) {
            ctx->outcome = NGX_HTTP_OFFLOAD_BYPASS;
            return olcf->sri ? ngx_http_offload_sri(r, ctx) : NGX_OK;
        }

        ngx_http_offload_learn(r, ctx);
        ctx->learned = 1;

        if (ctx->want == NGX_HTTP_OFFLOAD_WANT_DIRECT) {
            break;
        }

        if (ngx_http_offload_links(r, ctx) != NGX_OK
            || (olcf->sri && ngx_http_offload_sri(r, ctx) != NGX_OK))
        {
            return NGX_ERROR;
        }

        break;

    case NGX_HTTP_OFFLOAD_PRIVATE:
        ngx_http_offload_revoke(r, ctx);
        break;

    default: /* NGX_HTTP_OFFLOAD_OTHER */
        ctx->outcome = NGX_HTTP_OFFLOAD_INELIGIBLE;
    }

    if (ctx->want < NGX_HTTP_OFFLOAD_WANT_PEERS || r->method != NGX_HTTP_GET) {
        return NGX_OK;
    }

    if (ctx->outcome == NGX_HTTP_OFFLOAD_INDEXING) {
        return ngx_http_offload_tell(r, "indexing; retry=1");
    }

    if (ctx->outcome == NGX_HTTP_OFFLOAD_NOPEERS) {
        return ngx_http_offload_tell(r, "nopeers; retry=1");
    }

    return NGX_OK;
}


static ngx_http_offload_verdict_e
ngx_http_offload_judge(ngx_http_request_t *r)
{
    ngx_http_offload_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if (ngx_http_offload_guarded(r) || ngx_http_offload_is_private(r)) {
        return NGX_HTTP_OFFLOAD_PRIVATE;
    }

    if (r->headers_out.content_encoding
        && r->headers_out.content_encoding->value.len)
    {
        return NGX_HTTP_OFFLOAD_OTHER;
    }

    /*
     * other filters take the first two away if they may change the body, and
     * have it read into memory even if its length stays
     */

    if (r->headers_out.content_length_n == -1
        || r->headers_out.last_modified_time == -1
        || r->filter_need_in_memory || r->filter_need_temporary)
    {
        return NGX_HTTP_OFFLOAD_PRIVATE;
    }

    if (!ngx_http_offload_own_etag(r)
        || r->headers_out.content_length_n < olcf->min_length
        || (uint64_t) r->headers_out.content_length_n > OL_CONTENT_MAX
        || ngx_http_test_content_type(r, &olcf->types) == NULL
        || !ngx_http_offload_printable(&r->headers_out.content_type))
    {
        return NGX_HTTP_OFFLOAD_OTHER;
    }

    return NGX_HTTP_OFFLOAD_PLAIN;
}


/* preconditions are judged by nginx's own: another one would never match */

static ngx_uint_t
ngx_http_offload_own_etag(ngx_http_request_t *r)
{
    u_char            text[NGX_OFF_T_LEN + NGX_TIME_T_LEN + 3], *last;
    ngx_table_elt_t  *etag;

    etag = r->headers_out.etag;

    if (etag == NULL || etag->hash == 0) {
        return 0;
    }

    last = ngx_sprintf(text, "\"%xT-%xO\"",
                       r->headers_out.last_modified_time,
                       r->headers_out.content_length_n);

    return etag->value.len == (size_t) (last - text)
           && ngx_memcmp(etag->value.data, text, last - text) == 0;
}


static ngx_uint_t
ngx_http_offload_is_private(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_out.headers.part;
    i = 0;

    while ((h = ngx_http_offload_next_header(&part, &i)) != NULL) {

        if (h->key.len == sizeof("Set-Cookie") - 1
            && ngx_strncasecmp(h->key.data, (u_char *) "Set-Cookie",
                               sizeof("Set-Cookie") - 1)
               == 0)
        {
            return 1;
        }

        if (h->key.len == sizeof("Cache-Control") - 1
            && ngx_strncasecmp(h->key.data, (u_char *) "Cache-Control",
                               sizeof("Cache-Control") - 1)
               == 0
            && (ngx_http_offload_has_token(&h->value, "private",
                                           sizeof("private") - 1)
                || ngx_http_offload_has_token(&h->value, "no-store",
                                              sizeof("no-store") - 1)))
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Nodes ask at the site's own name, without query and cookies: only an answer
 * to such a request tells what they would get, and makes a file eligible
 */

static ngx_uint_t
ngx_http_offload_plain(ngx_http_request_t *r)
{
    ngx_str_t                    *site;
    ngx_uint_t                    i;
    ngx_http_offload_srv_conf_t  *oscf;

#if (nginx_version >= 1023000)
    if (r->headers_in.cookie) {
#else
    if (r->headers_in.cookies.nelts) {
#endif
        return 0;
    }

    if (ngx_strlchr(r->unparsed_uri.data,
                    r->unparsed_uri.data + r->unparsed_uri.len, '?')
        != NULL)
    {
        return 0;
    }

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    site = oscf->sites->elts;

    for (i = 0; i < oscf->sites->nelts; i++) {
        if (ngx_http_offload_own_host(r, &site[i])) {
            return 1;
        }
    }

    return 0;
}


/* both $host and $http_host, by which a path may be chosen */

static ngx_uint_t
ngx_http_offload_own_host(ngx_http_request_t *r, ngx_str_t *site)
{
    size_t      len;
    u_char     *p;
    ngx_str_t  *server, *host;

    p = ngx_strlchr(site->data, site->data + site->len, '/') + 2;
    len = site->data + site->len - p;

    server = &r->headers_in.server;

    if (server->len == 0 || server->len > len
        || ngx_memcmp(server->data, p, server->len) != 0
        || (server->len < len && p[server->len] != ':'))
    {
        return 0;
    }

    if (r->headers_in.host == NULL) {
        return 1;
    }

    host = &r->headers_in.host->value;

    return host->len == len && ngx_memcmp(host->data, p, len) == 0;
}


/* the file, a new version of it, or one to be tried again */

static void
ngx_http_offload_learn(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_uint_t                     plain, public;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_version_t     version;
    ngx_http_offload_loc_conf_t   *olcf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    version.size = r->headers_out.content_length_n;
    version.mtime = r->headers_out.last_modified_time;
    version.etag = r->headers_out.etag->value;
    version.type.data = r->headers_out.content_type.data;
    version.type.len = r->headers_out.content_type_len;

    plain = ngx_http_offload_plain(r);

    sh = ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_known(omcf->zone, sh, ctx, &version);

    /* that evaluates a variable, which may be anyone's and take its time */

    if (plain
        && (file == NULL || !ngx_http_offload_file_public(omcf->zone, file)))
    {
        ngx_http_offload_unlock(omcf->zone);

        plain = !ngx_http_offload_credentials(r);

        sh = ngx_http_offload_lock(omcf->zone);

        file = ngx_http_offload_known(omcf->zone, sh, ctx, &version);
    }

    if (file == NULL && plain) {
        file = ngx_http_offload_file_create(omcf->zone, &ctx->name, &version);
    }

    public = 0;

    if (file) {
        public = plain ? ngx_http_offload_file_judged(omcf->zone, file)
                       : ngx_http_offload_file_public(omcf->zone, file);
    }

    if (!public) {
        ctx->outcome = NGX_HTTP_OFFLOAD_INELIGIBLE;

    } else {
        file->sri = olcf->sri;
        ngx_http_offload_index_again(omcf->zone, file);

        if (ctx->outcome != NGX_HTTP_OFFLOAD_NOPEERS
            && ctx->outcome != NGX_HTTP_OFFLOAD_IDLE)
        {
            ngx_http_offload_found(ctx, file);
        }

        /* there was no manifest just because nobody had looked */

        if (ctx->unjudged && ctx->outcome == NGX_HTTP_OFFLOAD_DIRECT) {
            ctx->outcome = NGX_HTTP_OFFLOAD_INDEXING;
        }
    }

    ngx_http_offload_unlock(omcf->zone);

    ngx_http_offload_index_kick(omcf);
}


/* the file, if it is the version that the answer was of */

static ngx_http_offload_file_t *
ngx_http_offload_known(ngx_http_offload_zone_t *zone,
    ngx_http_offload_sh_t *sh, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_version_t *version)
{
    ngx_http_offload_file_t  *file;

    file = ngx_http_offload_file_find(sh, &ctx->name);

    if (file && !ngx_http_offload_file_is(file, version)) {
        ngx_http_offload_file_gone(zone, file);
        return NULL;
    }

    return file;
}


void
ngx_http_offload_revoke(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_main_conf_t  *omcf;

    ctx->outcome = NGX_HTTP_OFFLOAD_INELIGIBLE;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    sh = ngx_http_offload_lock(omcf->zone);

    file = ngx_http_offload_file_find(sh, &ctx->name);

    if (file) {
        ngx_http_offload_cache_clear(omcf->zone, file);

        if (file->revoked == 0 && file->change.key) {
            ngx_http_offload_file_changed(sh, file);
        }

        file->revoked = ngx_time() + NGX_HTTP_OFFLOAD_REVOKED;

        if (file->content) {
            file->content->revoked = file->revoked;
        }
    }

    ngx_http_offload_unlock(omcf->zone);
}


/* for clients that asked for a manifest and get the file */

static ngx_int_t
ngx_http_offload_tell(ngx_http_request_t *r, char *value)
{
    return ngx_http_offload_header(r, "Offload-Status", value);
}
