
/*
 * POST sync: reads the body, checks who signed it, has it applied, and holds
 * the answer until there is something to say or nobody waits any longer.
 */


#include "ngx_http_offload_sync.h"

#include "offload/jws.h"
#include "offload/netaddr.h"


#define NGX_HTTP_OFFLOAD_SYNC_TICK  200      /* ms between two looks */
#define NGX_HTTP_OFFLOAD_STRANGERS  20       /* a second and worker */


typedef struct {
    ngx_http_request_t             *request;
    ngx_event_t                     timer;
    ngx_msec_t                      deadline;
    uint64_t                        ack;
    char                            kid[OL_KEY_CHARS + 1];
    ngx_http_offload_sync_answer_t  answer;
} ngx_http_offload_sync_ctx_t;


static void ngx_http_offload_sync_read(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_sync_handle(ngx_http_request_t *r);
static void ngx_http_offload_sync_addr(ngx_http_request_t *r, u_char *addr);
static ngx_int_t ngx_http_offload_sync_open(ngx_http_request_t *r,
    ngx_str_t *body, u_char *addr, struct ol_jws *jws,
    ngx_http_offload_sync_t *sync, ngx_int_t *refused);
static ngx_uint_t ngx_http_offload_sync_signer(ngx_http_request_t *r,
    ngx_str_t *body, u_char *addr, struct ol_jws *jws, struct ol_error *err);
static struct ol_key *ngx_http_offload_sync_key(ngx_http_request_t *r,
    const char *kid);
static ngx_uint_t ngx_http_offload_sync_stranger(ngx_http_request_t *r,
    u_char *addr);
static ngx_int_t ngx_http_offload_sync_refuse(ngx_http_request_t *r,
    ngx_uint_t status, char *text, uint64_t *seq);
static ngx_int_t ngx_http_offload_sync_hold(ngx_http_request_t *r,
    const char *kid, ngx_http_offload_sync_t *sync, ngx_uint_t need);
static ngx_uint_t ngx_http_offload_sync_due(ngx_http_offload_sync_ctx_t *ctx);
static void ngx_http_offload_sync_tick(ngx_event_t *ev);
static ngx_int_t ngx_http_offload_sync_answer(
    ngx_http_offload_sync_ctx_t *ctx);
static void ngx_http_offload_sync_cleanup(void *data);


ngx_int_t
ngx_http_offload_sync(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (r->headers_in.content_length_n < 0) {
        return ngx_http_offload_sync_refuse(r, NGX_HTTP_LENGTH_REQUIRED,
                                            "sync: it needs a Content-Length",
                                            NULL);
    }

    if (r->headers_in.content_length_n > NGX_HTTP_OFFLOAD_BODY) {
        return ngx_http_offload_sync_refuse(r,
                                            NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                            "sync: the body is larger than "
                                            "64 KiB", NULL);
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_offload_sync_read);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_offload_sync_read(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_offload_sync_handle(r);

    /* not so NGX_AGAIN: an answer that could be sent in part only */

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}


/* NGX_DONE: the answer is held */

static ngx_int_t
ngx_http_offload_sync_handle(ngx_http_request_t *r)
{
    u_char                         addr[16];
    uint64_t                       last;
    ngx_int_t                      rc;
    ngx_str_t                      body;
    struct ol_jws                  jws;
    ngx_http_offload_sync_t        sync;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    if (ngx_http_offload_body(r, NGX_HTTP_OFFLOAD_BODY, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_offload_sync_addr(r, addr);

    if (ngx_http_offload_sync_open(r, &body, addr, &jws, &sync, &rc)
        != NGX_OK)
    {
        return rc;
    }

    switch (ngx_http_offload_sync_apply(omcf->zone, oscf, jws.kid, addr,
                                        &sync, &last))
    {
    case NGX_OK:
        rc = ngx_http_offload_sync_hold(r, jws.kid, &sync, 0);
        break;

    case NGX_AGAIN:
        rc = ngx_http_offload_sync_hold(r, jws.kid, &sync, 1);
        break;

    case NGX_DECLINED:
        rc = ngx_http_offload_sync_refuse(r, NGX_HTTP_CONFLICT,
                                          "sync: seq is not above the last "
                                          "one, go on from there", &last);
        break;

    default: /* NGX_BUSY */
        rc = ngx_http_offload_sync_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                          "sync: the zone has no room for "
                                          "another coordinator", NULL);
    }

    ol_jws_clear(&jws);

    return rc;
}


static void
ngx_http_offload_sync_addr(ngx_http_request_t *r, u_char *addr)
{
    struct ol_addr  from;

    ngx_memzero(addr, 16);

    if (ol_addr_from_sockaddr(r->connection->sockaddr, &from) == 0) {
        ngx_memcpy(addr, from.bytes, 16);
    }
}


/* NGX_ERROR: *refused is the handler's result; NGX_OK: jws is to be cleared */

static ngx_int_t
ngx_http_offload_sync_open(ngx_http_request_t *r, ngx_str_t *body,
    u_char *addr, struct ol_jws *jws, ngx_http_offload_sync_t *sync,
    ngx_int_t *refused)
{
    ngx_uint_t                    status;
    struct ol_error               err;
    ngx_http_offload_srv_conf_t  *oscf;

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    /* whoever runs out of memory says nothing */

    (void) ol_error_set(&err, ENOMEM, "sync: not read, for want of memory");

    ngx_memzero(jws, sizeof(struct ol_jws));

    status = ngx_http_offload_sync_signer(r, body, addr, jws, &err);

    if (status == 0
        && (ol_claims_check_string(jws->payload, "iss", jws->kid, &err) != 0
            || ol_claims_check_string(jws->payload, "aud",
                                      (char *) oscf->iss.data, &err)
               != 0
            || ngx_http_offload_sync_decode(jws->payload, r->pool, sync, &err)
               != NGX_OK))
    {
        status = NGX_HTTP_BAD_REQUEST;
    }

    if (status == 0) {
        return NGX_OK;
    }

    ol_jws_clear(jws);

    *refused = ngx_http_offload_sync_refuse(r, status, err.text, NULL);

    return NGX_ERROR;
}


/*
 * 0, or the status to refuse with: who says it, and does he say it now?  What a
 * stranger sends is not parsed
 */

static ngx_uint_t
ngx_http_offload_sync_signer(ngx_http_request_t *r, ngx_str_t *body,
    u_char *addr, struct ol_jws *jws, struct ol_error *err)
{
    int               rc;
    char              kid[OL_KEY_CHARS + 1];
    struct ol_keyset  keys;

    if (ol_jws_kid((char *) body->data, body->len, OL_TYP_SYNC, kid, err)
        != 0)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    keys.count = 1;
    keys.keys[0] = ngx_http_offload_sync_key(r, kid);

    if (keys.keys[0] == NULL) {
        (void) ol_error_set(err, ENOKEY,
                            "kid: no offload_coordinator here has the key %s",
                            kid);
        return NGX_HTTP_UNAUTHORIZED;
    }

    if (ngx_http_offload_sync_stranger(r, addr)) {
        (void) ol_error_set(err, EBUSY,
                            "sync: too many from addresses that no "
                            "coordinator is known at, try again in a second");
        return NGX_HTTP_TOO_MANY_REQUESTS;
    }

    rc = ol_jws_open((char *) body->data, body->len, OL_TYP_SYNC, &keys, jws,
                     err);
    if (rc != 0) {
        return rc == -EKEYREJECTED ? NGX_HTTP_UNAUTHORIZED
                                   : NGX_HTTP_BAD_REQUEST;
    }

    rc = ol_claims_check_time(jws->payload, ngx_time(), err);

    if (rc != 0) {
        return rc == -EBADMSG ? NGX_HTTP_BAD_REQUEST : NGX_HTTP_UNAUTHORIZED;
    }

    return 0;
}


static struct ol_key *
ngx_http_offload_sync_key(ngx_http_request_t *r, const char *kid)
{
    ngx_uint_t                    i;
    ngx_http_offload_tracker_t   *tracker;
    ngx_http_offload_srv_conf_t  *oscf;

    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    if (oscf->coordinators == NULL) {
        return NULL;
    }

    tracker = oscf->coordinators->elts;

    for (i = 0; i < oscf->coordinators->nelts; i++) {
        if (ngx_strcmp(ol_key_id(tracker[i].key), kid) == 0) {
            return tracker[i].key;
        }
    }

    return NULL;
}


/* checking a signature costs something: strangers share a few of them */

static ngx_uint_t
ngx_http_offload_sync_stranger(ngx_http_request_t *r, u_char *addr)
{
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    static time_t      second;
    static ngx_uint_t  strangers;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    if (ngx_http_offload_sync_known(omcf->zone, oscf, addr)) {
        return 0;
    }

    if (second != ngx_time()) {
        second = ngx_time();
        strangers = 0;
    }

    return strangers++ >= NGX_HTTP_OFFLOAD_STRANGERS;
}


static ngx_int_t
ngx_http_offload_sync_refuse(ngx_http_request_t *r, ngx_uint_t status,
    char *text, uint64_t *seq)
{
    static time_t  logged;

    if (logged != ngx_time()) {
        logged = ngx_time();

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "offload sync refused with %ui: %s", status, text);
    }

    if (status == NGX_HTTP_TOO_MANY_REQUESTS
        || status == NGX_HTTP_SERVICE_UNAVAILABLE)
    {
        if (ngx_http_offload_header(r, "Retry-After", "1") != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_offload_refuse(r, status, text, seq);
}


static ngx_int_t
ngx_http_offload_sync_hold(ngx_http_request_t *r, const char *kid,
    ngx_http_offload_sync_t *sync, ngx_uint_t need)
{
    ngx_http_cleanup_t            *cln;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_sync_ctx_t   *ctx;
    ngx_http_offload_main_conf_t  *omcf;

    ctx = ngx_palloc(r->pool, sizeof(ngx_http_offload_sync_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&ctx->timer, sizeof(ngx_event_t));

    ctx->request = r;
    ngx_memcpy(ctx->kid, kid, sizeof(ctx->kid));
    ctx->ack = sync->ack;
    ctx->deadline = ngx_current_msec + sync->wait;
    ctx->answer.seq = sync->seq;
    ctx->answer.need_full = need;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    sh = ngx_http_offload_peek(omcf->zone);

    if (!sync->has_epoch
        || ngx_memcmp(sync->epoch, sh->epoch, NGX_HTTP_OFFLOAD_EPOCH_LEN) != 0)
    {
        ctx->ack = 0;
    }

    if (ngx_http_offload_sync_due(ctx)) {
        return ngx_http_offload_sync_answer(ctx);
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_offload_sync_cleanup;
    cln->data = ctx;

    /* a client that leaves is noticed */

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    ctx->timer.handler = ngx_http_offload_sync_tick;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    ngx_add_timer(&ctx->timer, NGX_HTTP_OFFLOAD_SYNC_TICK);

    return NGX_DONE;
}


/* news are collected; changes that are other sites' are skipped silently */

static ngx_uint_t
ngx_http_offload_sync_due(ngx_http_offload_sync_ctx_t *ctx)
{
    ngx_http_request_t            *r;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    r = ctx->request;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    ngx_http_offload_sync_collect(omcf->zone, oscf, ctx->ack, &ctx->answer);

    ctx->ack = ctx->answer.clock;

    return ctx->answer.nitems || ctx->answer.ntallies || ctx->answer.more
           || ctx->answer.need_full
           || ngx_exiting || ngx_quit || ngx_terminate
           || (ngx_msec_int_t) (ctx->deadline - ngx_current_msec) <= 0;
}


static void
ngx_http_offload_sync_tick(ngx_event_t *ev)
{
    ngx_connection_t             *c;
    ngx_http_request_t           *r;
    ngx_http_offload_sync_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    if (!ngx_http_offload_sync_due(ctx)) {
        ngx_add_timer(&ctx->timer, NGX_HTTP_OFFLOAD_SYNC_TICK);
        return;
    }

    ngx_http_finalize_request(r, ngx_http_offload_sync_answer(ctx));
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_offload_sync_answer(ngx_http_offload_sync_ctx_t *ctx)
{
    int                            rc;
    char                          *token;
    size_t                         len;
    json_t                        *json;
    ngx_int_t                      sent;
    struct ol_key                **key;
    ngx_http_request_t            *r;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    r = ctx->request;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    json = ngx_http_offload_sync_encode(&ctx->answer, (char *) oscf->iss.data,
                                        ctx->kid, ngx_time());
    if (json == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    key = oscf->keys->elts;

    rc = ol_jws_sign(*key, OL_TYP_SYNC_ANSWER, json, &token, &len);

    json_decref(json);

    if (rc != 0
        || ngx_http_offload_header(r, "Cache-Control", "no-store") != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    sh = ngx_http_offload_peek(omcf->zone);
    (void) ngx_atomic_fetch_add(&sh->signatures, 1);

    sent = ngx_http_offload_send(r, NGX_HTTP_OK, "application/jwt",
                                 (u_char *) token, len);
    free(token);

    return sent;
}


static void
ngx_http_offload_sync_cleanup(void *data)
{
    ngx_http_offload_sync_ctx_t  *ctx = data;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}
