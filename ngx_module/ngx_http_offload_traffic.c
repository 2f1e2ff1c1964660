
/*
 * What goes out: the egress of all workers in quarters of a second, for
 * "offload_above"; the budget of the nodes that pull, for "offload_node_rate";
 * and the bytes of files that were sent here or left to nodes.  Samples and
 * counters are raised without the zone's lock.
 */


#include "ngx_http_offload.h"

#include "offload/encoding.h"


#define NGX_HTTP_OFFLOAD_TICK    250         /* milliseconds of a sample */
#define NGX_HTTP_OFFLOAD_TICKS   4           /* a second */
#define NGX_HTTP_OFFLOAD_FORGET  40          /* ticks: what was judged before */
                                             /* says nothing any more */
#define NGX_HTTP_OFFLOAD_NAMING  2           /* seconds, and a new node is */
                                             /* known */


typedef struct {                             /* a node's request */
    ngx_http_request_t         *request;
    off_t                       charged;     /* 0: nothing */
    ngx_uint_t                  named;
} ngx_http_offload_pull_t;


static ngx_int_t ngx_http_offload_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_offload_sample(ngx_http_request_t *r);
static ngx_uint_t ngx_http_offload_charge(ngx_http_offload_pull_t *pull,
    u_char *id);
static struct ol_budget *ngx_http_offload_budget(ngx_http_offload_sh_t *sh,
    u_char *site, ngx_uint_t named);
static off_t ngx_http_offload_cost(ngx_http_request_t *r, size_t rate);
static ngx_int_t ngx_http_offload_range(ngx_str_t *value, off_t *ret);
static ngx_int_t ngx_http_offload_retry_after(ngx_http_request_t *r,
    ngx_uint_t seconds);
static void ngx_http_offload_pulled(void *data);
static off_t ngx_http_offload_body_sent(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_log_handler(ngx_http_request_t *r);


static ngx_http_output_body_filter_pt  ngx_http_next_body_filter;


ngx_int_t
ngx_http_offload_traffic_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_offload_log_handler;

    return NGX_OK;
}


/* only where some location has "offload_above" */

void
ngx_http_offload_traffic_filter(void)
{
    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_offload_body_filter;
}


static ngx_int_t
ngx_http_offload_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t  rc;

    rc = ngx_http_next_body_filter(r, in);

    ngx_http_offload_sample(r->main);

    return rc;
}


/*
 * Headers, and frames of HTTP/2, go out behind the filter's back, so what is
 * counted already is remembered for each request
 */

static void
ngx_http_offload_sample(ngx_http_request_t *r)
{
    off_t                         *counted, n;
    ngx_atomic_uint_t              tick, old, bytes;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_sample_t     *sample;
    ngx_http_offload_main_conf_t  *omcf;

    counted = ngx_http_get_module_ctx(r, ngx_http_offload_filter_module);

    n = r->connection->sent - (counted ? *counted : 0);

    if (n <= 0) {
        return;
    }

    if (counted == NULL) {
        counted = ngx_palloc(r->pool, sizeof(off_t));
        if (counted == NULL) {
            return;
        }

        ngx_http_set_ctx(r, counted, ngx_http_offload_filter_module);
    }

    *counted = r->connection->sent;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    sh = ngx_http_offload_peek(omcf->zone);

    tick = ngx_current_msec / NGX_HTTP_OFFLOAD_TICK;
    sample = &sh->samples[tick % NGX_HTTP_OFFLOAD_SAMPLES];

    old = sample->tick;

    if (ol_traffic_anew(old, tick)) {

        /*
         * Two seconds later it is used again.  What others add meanwhile is
         * kept, and nobody reads it before it is over
         */

        bytes = sample->bytes;

        if (ngx_atomic_cmp_set(&sample->tick, old, tick)) {
            (void) ngx_atomic_fetch_add(&sample->bytes, -bytes);
        }
    }

    (void) ngx_atomic_fetch_add(&sample->bytes, n);
}


/* bytes a second, as the last whole samples have it */

uint64_t
ngx_http_offload_egress(ngx_http_offload_sh_t *sh)
{
    uint64_t           sum;
    ngx_uint_t         i;
    ngx_atomic_uint_t  tick;

    tick = ngx_current_msec / NGX_HTTP_OFFLOAD_TICK;
    sum = 0;

    for (i = 0; i < NGX_HTTP_OFFLOAD_SAMPLES; i++) {
        if (tick - sh->samples[i].tick - 1 < NGX_HTTP_OFFLOAD_TICKS) {
            sum += sh->samples[i].bytes;
        }
    }

    return sum;
}


ngx_uint_t
ngx_http_offload_busy(ngx_http_request_t *r)
{
    ngx_uint_t                     was;
    ngx_msec_t                     tick;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_loc_conf_t   *olcf;
    ngx_http_offload_main_conf_t  *omcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    if (olcf->above == 0) {
        return 1;
    }

    tick = ngx_current_msec / NGX_HTTP_OFFLOAD_TICK;

    if (olcf->measured != tick) {
        omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
        sh = ngx_http_offload_peek(omcf->zone);

        was = olcf->busy && tick - olcf->measured < NGX_HTTP_OFFLOAD_FORGET;

        olcf->busy = ol_traffic_busy(ngx_http_offload_egress(sh), olcf->above,
                                     was);
        olcf->measured = tick;
    }

    return olcf->busy;
}


/* neither HEAD nor a redirected part counts for more than is fetched by it */

void
ngx_http_offload_offered(ngx_http_request_t *r, off_t bytes)
{
    off_t                          asked;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_main_conf_t  *omcf;

    if (r->method != NGX_HTTP_GET) {
        return;
    }

    if (r->headers_out.status == NGX_HTTP_MOVED_TEMPORARILY
        && r->headers_in.range
        && ngx_http_offload_range(&r->headers_in.range->value, &asked)
           == NGX_OK)
    {
        bytes = ngx_min(bytes, asked);
    }

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    sh = ngx_http_offload_peek(omcf->zone);

    (void) ngx_atomic_fetch_add(&sh->bytes_offered, bytes);
}


/*
 * Anyone can say that he is a node.  Those that a coordinator of the site has
 * named have a budget that others cannot use up.  An id can be copied: so no
 * request is charged with more than a piece, which is what nodes ask for
 */

ngx_int_t
ngx_http_offload_node_budget(ngx_http_request_t *r, ngx_str_t *id)
{
    u_char                    raw[OL_HASH_BYTES];
    ngx_uint_t                wait;
    ngx_http_cleanup_t       *cln;
    ngx_http_offload_pull_t  *pull;

    if (r->method != NGX_HTTP_GET
        || ol_base64url_decode_exact(raw, OL_HASH_BYTES, (char *) id->data,
                                     id->len)
           != 0)
    {
        return NGX_OK;
    }

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_offload_pull_t));
    if (cln == NULL) {
        return NGX_OK;
    }

    pull = cln->data;
    pull->request = r;
    pull->charged = 0;
    pull->named = 0;

    wait = ngx_http_offload_charge(pull, id->data);

    cln->handler = ngx_http_offload_pulled;

    return wait ? ngx_http_offload_retry_after(r, wait) : NGX_OK;
}


/*
 * A piece at most for now; the end of the request sets it right.  Returns how
 * many seconds to wait, if so
 */

static ngx_uint_t
ngx_http_offload_charge(ngx_http_offload_pull_t *pull, u_char *id)
{
    off_t                          cost;
    ngx_uint_t                     wait;
    ngx_http_request_t            *r;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    r = pull->request;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    cost = ngx_http_offload_cost(r, oscf->node_rate);
    wait = 0;

    sh = ngx_http_offload_lock(omcf->zone);

    pull->named = ngx_http_offload_node_named(sh, oscf->id, id);

    if (oscf->node_rate) {
        wait = ol_budget_take(ngx_http_offload_budget(sh, oscf->id,
                                                      pull->named),
                              oscf->node_rate, ngx_current_msec, cost);
    }

    ngx_http_offload_unlock(omcf->zone);

    if (wait == 0) {
        pull->charged = oscf->node_rate ? cost : 0;
        return 0;
    }

    (void) ngx_atomic_fetch_add(&sh->deferred, 1);

    return pull->named ? wait : ngx_min(wait, NGX_HTTP_OFFLOAD_NAMING);
}


/* the site's, or one that was not used for the longest time */

static struct ol_budget *
ngx_http_offload_budget(ngx_http_offload_sh_t *sh, u_char *site,
    ngx_uint_t named)
{
    uint64_t                    last, first;
    ngx_uint_t                  i;
    ngx_http_offload_budget_t  *budget, *oldest;

    oldest = sh->budgets;
    first = UINT64_MAX;

    for (i = 0; i < NGX_HTTP_OFFLOAD_BUDGETS; i++) {
        budget = &sh->budgets[i];

        if (ngx_memcmp(budget->site, site, NGX_HTTP_OFFLOAD_SITE_LEN) == 0) {
            goto found;
        }

        last = ngx_max(budget->nodes.last_ms, budget->others.last_ms);

        if (last < first) {
            first = last;
            oldest = budget;
        }
    }

    budget = oldest;

    ngx_memzero(budget, sizeof(ngx_http_offload_budget_t));
    ngx_memcpy(budget->site, site, NGX_HTTP_OFFLOAD_SITE_LEN);

found:

    return named ? &budget->nodes : &budget->others;
}


/* not more than can be owed, so that all of it can be given back */

static off_t
ngx_http_offload_cost(ngx_http_request_t *r, size_t rate)
{
    off_t  asked, cost;

    cost = OL_PIECE_MAX;

    if (r->headers_in.range
        && ngx_http_offload_range(&r->headers_in.range->value, &asked)
           == NGX_OK)
    {
        cost = ngx_min(asked, cost);
    }

    return (size_t) cost / OL_BUDGET_WAIT_MAX < rate
           ? cost
           : (off_t) rate * OL_BUDGET_WAIT_MAX;
}


/* how many bytes "bytes=a-b" asks for: what nodes send, and nothing else */

static ngx_int_t
ngx_http_offload_range(ngx_str_t *value, off_t *ret)
{
    off_t    first, last;
    u_char  *p, *end, *dash;

    if (value->len < sizeof("bytes=0-0") - 1
        || ngx_strncasecmp(value->data, (u_char *) "bytes=",
                           sizeof("bytes=") - 1)
           != 0)
    {
        return NGX_DECLINED;
    }

    p = value->data + sizeof("bytes=") - 1;
    end = value->data + value->len;

    dash = ngx_strlchr(p, end, '-');
    if (dash == NULL) {
        return NGX_DECLINED;
    }

    first = ngx_atoof(p, dash - p);
    last = ngx_atoof(dash + 1, end - (dash + 1));

    if (first == NGX_ERROR || last == NGX_ERROR || last < first) {
        return NGX_DECLINED;
    }

    *ret = (last - first < NGX_MAX_OFF_T_VALUE) ? last - first + 1
                                                : NGX_MAX_OFF_T_VALUE;

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_retry_after(ngx_http_request_t *r, ngx_uint_t seconds)
{
    u_char  *value;

    value = ngx_pnalloc(r->pool, NGX_INT_T_LEN + 1);
    if (value == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    *ngx_sprintf(value, "%ui", seconds) = '\0';

    if (ngx_http_offload_header(r, "Retry-After", (char *) value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_SERVICE_UNAVAILABLE;
}


/* nobody uses up a budget by asking for what he then does not fetch */

static void
ngx_http_offload_pulled(void *data)
{
    ngx_http_offload_pull_t  *pull = data;

    off_t                          sent;
    ngx_http_request_t            *r;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    r = pull->request;
    sent = ngx_http_offload_body_sent(r);

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    sh = ngx_http_offload_peek(omcf->zone);

    if (pull->named
        && (r->headers_out.status == NGX_HTTP_OK
            || r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT))
    {
        (void) ngx_atomic_fetch_add(&sh->bytes_pulled, sent);
    }

    sent = ngx_min(sent, (off_t) OL_PIECE_MAX);

    if (pull->charged == 0 || pull->charged == sent) {
        return;
    }

    sh = ngx_http_offload_lock(omcf->zone);

    ol_budget_correct(ngx_http_offload_budget(sh, oscf->id, pull->named),
                      oscf->node_rate, sent - pull->charged);

    ngx_http_offload_unlock(omcf->zone);
}


static off_t
ngx_http_offload_body_sent(ngx_http_request_t *r)
{
    off_t  sent;

    sent = r->connection->sent - r->header_size;

    return ngx_max(sent, 0);
}


static ngx_int_t
ngx_http_offload_log_handler(ngx_http_request_t *r)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_ctx_t        *ctx;
    ngx_http_offload_main_conf_t  *omcf;

    if (r != r->main) {
        return NGX_OK;
    }

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    /* a tunnel's bytes went out long ago */

    if (omcf->measure && (r->upstream == NULL || !r->upstream->upgrade)) {
        ngx_http_offload_sample(r);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_offload_module);

    if (ctx == NULL || ctx->manifest
        || ctx->outcome == NGX_HTTP_OFFLOAD_INELIGIBLE
        || ctx->outcome == NGX_HTTP_OFFLOAD_REDIRECT
        || (r->headers_out.status != NGX_HTTP_OK
            && r->headers_out.status != NGX_HTTP_PARTIAL_CONTENT))
    {
        return NGX_OK;
    }

    sh = ngx_http_offload_peek(omcf->zone);

    (void) ngx_atomic_fetch_add(&sh->bytes_direct,
                                ngx_http_offload_body_sent(r));

    return NGX_OK;
}
