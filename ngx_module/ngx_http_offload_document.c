
/*
 * Metalink, torrent and checksum of a content: who is named in them, and what
 * is taken from the state folder.  Knows nothing of headers.
 */


#include "ngx_http_offload_format.h"

#include "offload/encoding.h"
#include "offload/metalink.h"
#include "offload/origin.h"
#include "offload/state.h"
#include "offload/torrent.h"


#define NGX_HTTP_OFFLOAD_ANNOUNCE  "/announce"


typedef struct {
    char                        url[OL_URL_MAX + 1];
    char                        zone[OL_ZONE_MAX + 1];
} ngx_http_offload_holder_t;


typedef struct {                             /* a copy of what the zone says */
    uint64_t                    size;
    time_t                      mtime;
    u_char                      root[OL_HASH_BYTES];
    u_char                      sha256[OL_HASH_BYTES];
    ngx_uint_t                  kept;        /* in the state folder */
    ngx_uint_t                  nholders;
    ngx_http_offload_holder_t   holders[OL_MANIFEST_PEERS];

    char                       *name;        /* of the file, with a NUL */
    char                       *origin;      /* URLs: of the file itself, */
    char                       *last;        /* the same, never redirected, */
    char                       *urls[OL_MANIFEST_PEERS];  /* at holders */
} ngx_http_offload_facts_t;


static ngx_int_t ngx_http_offload_metalink(ngx_http_request_t *r,
    ngx_http_offload_facts_t *facts, ngx_http_offload_body_t *body);
static ngx_int_t ngx_http_offload_facts(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_facts_t **ret);
static void ngx_http_offload_holders(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_file_t *file,
    ngx_http_offload_facts_t *facts);
static ngx_uint_t ngx_http_offload_holds(ngx_http_offload_content_t *content,
    ngx_http_offload_node_t *node);
static ngx_int_t ngx_http_offload_own_url(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_facts_t *facts);
static ngx_int_t ngx_http_offload_urls(ngx_http_request_t *r,
    ngx_http_offload_facts_t *facts, char *query);
static ngx_int_t ngx_http_offload_table(ngx_http_request_t *r,
    ngx_http_offload_facts_t *facts, ngx_http_offload_body_t *body);
static ngx_int_t ngx_http_offload_trackers(ngx_http_request_t *r,
    struct ol_torrent *torrent);
static ngx_int_t ngx_http_offload_own(ngx_http_request_t *r, char *text,
    size_t len, ngx_str_t *ret);


ngx_int_t
ngx_http_offload_meta4_body(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_body_t *body)
{
    char                       query[OL_TICKET_MAX];
    ngx_int_t                  err;
    ngx_http_offload_facts_t  *facts;

    err = ngx_http_offload_facts(r, ctx, &facts);
    if (err != NGX_OK) {
        return err;
    }

    /* without a ticket a holder may refuse */

    if (facts->nholders
        && ngx_http_offload_content_ticket(r, facts->root, (u_char *) query)
           != NGX_OK)
    {
        facts->nholders = 0;
    }

    /* wget2 leaves "&amp;" as it is */

    if (facts->nholders) {
        *ngx_strchr(query, '&') = ';';
    }

    err = ngx_http_offload_urls(r, facts, query);
    if (err != NGX_OK) {
        return err;
    }

    if (facts->kept) {
        err = ngx_http_offload_table(r, facts, body);
        if (err != NGX_OK) {
            return err;
        }

        body->from = ol_state_metalink_offset(facts->size);
        body->to = body->of.size;
    }

    return ngx_http_offload_metalink(r, facts, body);
}


/* what stands before the pieces and behind them */

static ngx_int_t
ngx_http_offload_metalink(ngx_http_request_t *r,
    ngx_http_offload_facts_t *facts, ngx_http_offload_body_t *body)
{
    int                           rc;
    char                         *text;
    size_t                        len;
    ngx_uint_t                    i;
    struct ol_metalink            m;
    struct ol_metalink_url        urls[OL_MANIFEST_PEERS + 1];
    ngx_http_offload_srv_conf_t  *oscf;

    for (i = 0; i < facts->nholders; i++) {
        urls[i].url = facts->urls[i];
        urls[i].location = facts->holders[i].zone;
    }

    urls[i].url = facts->last;
    urls[i].location = NULL;

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    m.name = facts->name;
    m.size = facts->size;
    m.publisher = strstr((char *) oscf->iss.data, "://") + 3;
    m.publisher_url = (char *) oscf->iss.data;
    m.url_count = facts->nholders + 1;
    m.urls = urls;

    ngx_memcpy(m.sha256, facts->sha256, OL_HASH_BYTES);

    rc = ol_metalink_head(&m, &text, &len);

    /* some characters of a name cannot be said in XML */

    if (rc != 0) {
        return rc == -EINVAL ? NGX_DECLINED : NGX_ERROR;
    }

    if (ngx_http_offload_own(r, text, len, &body->head) != NGX_OK
        || ol_metalink_tail(&m, &text, &len) != 0)
    {
        return NGX_ERROR;
    }

    return ngx_http_offload_own(r, text, len, &body->tail);
}


/*
 * Holders are named without a ticket, since a torrent is kept for longer than
 * that is good.  One that requires tickets refuses a web seed, which costs its
 * user a request: the site cannot know, and names itself too
 */

ngx_int_t
ngx_http_offload_torrent_body(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_body_t *body)
{
    char                      *text;
    size_t                     len;
    ngx_int_t                  err;
    ngx_uint_t                 i;
    const char                *seeds[OL_MANIFEST_PEERS + 1];
    struct ol_torrent          t;
    ngx_http_offload_facts_t  *facts;

    err = ngx_http_offload_facts(r, ctx, &facts);
    if (err != NGX_OK) {
        return err;
    }

    if (!facts->kept) {
        return NGX_DECLINED;
    }

    err = ngx_http_offload_urls(r, facts, NULL);
    if (err != NGX_OK) {
        return err;
    }

    err = ngx_http_offload_table(r, facts, body);
    if (err != NGX_OK) {
        return err;
    }

    for (i = 0; i < facts->nholders; i++) {
        seeds[i] = facts->urls[i];
    }

    /* one seed is as good as the others to a client: this one is redirected */

    seeds[i++] = facts->origin;

    ngx_memzero(&t, sizeof(struct ol_torrent));

    t.name = facts->name;
    t.size = facts->size;
    t.created = facts->mtime;
    t.seed_count = i;
    t.seeds = seeds;

    if (ngx_http_offload_trackers(r, &t) != NGX_OK
        || ol_torrent_head(&t, &text, &len) != 0
        || ngx_http_offload_own(r, text, len, &body->head) != NGX_OK
        || ol_torrent_tail(&t, &text, &len) != 0)
    {
        return NGX_ERROR;
    }

    body->from = ol_state_sha1_offset(facts->size);
    body->to = ol_state_metalink_offset(facts->size);

    return ngx_http_offload_own(r, text, len, &body->tail);
}


/* as sha256sum writes it: a backslash in the name is told by one in front */

ngx_int_t
ngx_http_offload_sha256_body(ngx_http_request_t *r,
    ngx_http_offload_ctx_t *ctx, ngx_http_offload_body_t *body)
{
    char                      *name;
    u_char                    *p;
    ngx_int_t                  err;
    ngx_http_offload_facts_t  *facts;

    err = ngx_http_offload_facts(r, ctx, &facts);
    if (err != NGX_OK) {
        return err;
    }

    p = ngx_pnalloc(r->pool, 2 * OL_HASH_BYTES + 2 * ngx_strlen(facts->name)
                             + sizeof("\\  \n"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->head.data = p;

    if (ngx_strchr(facts->name, '\\')) {
        *p++ = '\\';
    }

    p = ngx_hex_dump(p, facts->sha256, OL_HASH_BYTES);
    *p++ = ' ';
    *p++ = ' ';

    for (name = facts->name; *name; name++) {

        if (*name == '\\') {
            *p++ = '\\';
        }

        *p++ = *name;
    }

    *p++ = '\n';

    body->head.len = p - body->head.data;

    return NGX_OK;
}


/* what is offered, copied out under the lock */

static ngx_int_t
ngx_http_offload_facts(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_facts_t **ret)
{
    ngx_int_t                      rc;
    ngx_str_t                      name;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_file_t       *file;
    ngx_http_offload_facts_t      *facts;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    facts = ngx_pcalloc(r->pool, sizeof(ngx_http_offload_facts_t));
    if (facts == NULL) {
        return NGX_ERROR;
    }

    ngx_http_offload_basename(&ctx->name.sub, &name);
    facts->name = (char *) name.data;

    rc = NGX_DECLINED;

    file = ngx_http_offload_locate(r, ctx);
    sh = ngx_http_offload_peek(omcf->zone);

    if (file && file->state == NGX_HTTP_OFFLOAD_READY) {

        if (!ctx->idle) {
            ngx_http_offload_file_demanded(sh, file);
            ngx_http_offload_file_changed(sh, file);
        }

        facts->size = file->ident.size;
        facts->mtime = file->ident.mtime;
        facts->kept = file->torrent;

        ngx_memcpy(facts->root, file->content->root, OL_HASH_BYTES);
        ngx_memcpy(facts->sha256, file->content->sha256, OL_HASH_BYTES);

        if (!ctx->idle && ctx->format != NGX_HTTP_OFFLOAD_FORMAT_SHA256) {
            ngx_http_offload_holders(r, ctx, file, facts);
        }

        ctx->outcome = ctx->idle ? NGX_HTTP_OFFLOAD_IDLE
                                 : NGX_HTTP_OFFLOAD_MANIFEST;
        rc = NGX_OK;
    }

    ngx_http_offload_unlock(omcf->zone);

    if (rc == NGX_OK
        && ngx_http_offload_own_url(r, ctx, facts) != NGX_OK)
    {
        return NGX_ERROR;
    }

    *ret = facts;

    return rc;
}


void
ngx_http_offload_basename(ngx_str_t *sub, ngx_str_t *name)
{
    u_char  *last;

    last = sub->data + sub->len;

    for (name->data = last; name->data[-1] != '/'; name->data--) {
        /* void */
    }

    name->len = last - name->data;
}


/*
 * Those who have all of it: these clients don't leave a bad first choice, and
 * some ask a single one for everything
 */

static void
ngx_http_offload_holders(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_file_t *file, ngx_http_offload_facts_t *facts)
{
    ngx_uint_t                     i, n;
    ngx_http_offload_node_t       *node, *nodes[OL_MANIFEST_PEERS];
    ngx_http_offload_holder_t     *holder;
    ngx_http_offload_loc_conf_t   *olcf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    n = ngx_http_offload_select(omcf->zone, file->content, &ctx->client,
                                ngx_http_offload_file_variant(file), nodes,
                                olcf->peers);

    for (i = 0; i < n; i++) {
        node = nodes[i];

        if (!ngx_http_offload_holds(file->content, node)) {
            continue;
        }

        holder = &facts->holders[facts->nholders++];

        ngx_memcpy(holder->url, node->data, node->url_len);
        ngx_memcpy(holder->zone, node->data + node->url_len, node->zone_len);
    }
}


static ngx_uint_t
ngx_http_offload_holds(ngx_http_offload_content_t *content,
    ngx_http_offload_node_t *node)
{
    uint32_t                  n;
    ngx_uint_t                i;
    ngx_http_offload_list_t  *list;

    n = node->node.key & 0xffffff;

    for (list = content->candidates; list; list = list->next) {

        if (list->coordinator != node->coordinator) {
            continue;
        }

        for (i = 0; i < list->count; i++) {
            if ((list->list[i] & 0xffffff) == n) {
                return (list->list[i] >> 24) & NGX_HTTP_OFFLOAD_HELD;
            }
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_offload_own_url(ngx_http_request_t *r, ngx_http_offload_ctx_t *ctx,
    ngx_http_offload_facts_t *facts)
{
    u_char                        *p;
    size_t                         size;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    size = 3 * ctx->name.sub.len + 1;

    facts->origin = ngx_pnalloc(r->pool, oscf->iss.len + size);
    if (facts->origin == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(facts->origin, oscf->iss.data, oscf->iss.len);

    if (ol_subject_encode((char *) ctx->name.sub.data, ctx->name.sub.len,
                          facts->origin + oscf->iss.len, size)
        < 0)
    {
        return NGX_ERROR;
    }

    facts->last = facts->origin;

    if (!omcf->redirects) {
        return NGX_OK;
    }

    /* the last resort must not lead back to where it failed */

    size = ngx_strlen(facts->origin);

    p = ngx_pnalloc(r->pool, size + sizeof("?" NGX_HTTP_OFFLOAD_STAY));
    if (p == NULL) {
        return NGX_ERROR;
    }

    facts->last = (char *) p;

    p = ngx_cpymem(p, facts->origin, size);
    ngx_memcpy(p, "?" NGX_HTTP_OFFLOAD_STAY, sizeof("?" NGX_HTTP_OFFLOAD_STAY));

    return NGX_OK;
}


/* /c/<root>/<name> at each holder */

static ngx_int_t
ngx_http_offload_urls(ngx_http_request_t *r, ngx_http_offload_facts_t *facts,
    char *query)
{
    char        root[OL_ROOT_HEX + 1], *name;
    u_char     *p;
    size_t      len;
    ngx_uint_t  i;

    ol_hex_encode(root, facts->root, OL_HASH_BYTES);

    name = strrchr(facts->origin, '/');

    for (i = 0; i < facts->nholders; i++) {

        len = ngx_strlen(facts->holders[i].url) + sizeof("/c/") + OL_ROOT_HEX
              + ngx_strlen(name) + sizeof("?")
              + (query ? ngx_strlen(query) : 0);

        p = ngx_pnalloc(r->pool, len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        facts->urls[i] = (char *) p;

        (void) ngx_sprintf(p, "%s/c/%s%s%s%s%Z", facts->holders[i].url, root,
                           name, query ? "?" : "", query ? query : "");
    }

    return NGX_OK;
}


/* the state folder's file, which says more than the zone has room for */

static ngx_int_t
ngx_http_offload_table(ngx_http_request_t *r, ngx_http_offload_facts_t *facts,
    ngx_http_offload_body_t *body)
{
    ngx_str_t                     hex;
    ngx_http_offload_srv_conf_t  *oscf;

    hex.len = OL_ROOT_HEX;
    hex.data = ngx_pnalloc(r->pool, OL_ROOT_HEX + 1);
    if (hex.data == NULL) {
        return NGX_ERROR;
    }

    ol_hex_encode((char *) hex.data, facts->root, OL_HASH_BYTES);

    if (ngx_http_offload_open_table(r, &hex, &body->table, &body->of) == NGX_OK
        && body->of.size >= (off_t) ol_state_metalink_offset(facts->size))
    {
        return NGX_OK;
    }

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    ngx_http_offload_lost(r, oscf->id, facts->root);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_offload_trackers(ngx_http_request_t *r, struct ol_torrent *torrent)
{
    u_char                       *p;
    ngx_uint_t                    i, n;
    const char                  **urls;
    ngx_http_offload_tracker_t   *tracker;
    ngx_http_offload_srv_conf_t  *oscf;

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    if (oscf->coordinators == NULL) {
        return NGX_OK;
    }

    n = oscf->coordinators->nelts;
    tracker = oscf->coordinators->elts;

    urls = ngx_palloc(r->pool, n * sizeof(char *));
    if (urls == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        p = ngx_pnalloc(r->pool, tracker[i].url.len
                                 + sizeof(NGX_HTTP_OFFLOAD_ANNOUNCE));
        if (p == NULL) {
            return NGX_ERROR;
        }

        urls[i] = (char *) p;

        p = ngx_cpymem(p, tracker[i].url.data, tracker[i].url.len);
        ngx_memcpy(p, NGX_HTTP_OFFLOAD_ANNOUNCE,
                   sizeof(NGX_HTTP_OFFLOAD_ANNOUNCE));
    }

    torrent->tracker_count = n;
    torrent->trackers = urls;

    return NGX_OK;
}


/* from the library's memory to the request's */

static ngx_int_t
ngx_http_offload_own(ngx_http_request_t *r, char *text, size_t len,
    ngx_str_t *ret)
{
    ret->len = len;
    ret->data = ngx_pnalloc(r->pool, len);

    if (ret->data) {
        ngx_memcpy(ret->data, text, len);
    }

    free(text);

    return ret->data ? NGX_OK : NGX_ERROR;
}
