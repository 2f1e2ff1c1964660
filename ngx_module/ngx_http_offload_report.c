
/*
 * POST report: a client spends a receipt to say what each peer of a manifest
 * has sent it.  Most of what may come here is worth nothing, so what costs
 * least is checked first; only a receipt that was made here gets as far as the
 * zone's lock.
 */


#include "ngx_http_offload.h"


#define NGX_HTTP_OFFLOAD_REFUSALS  50        /* a second, network and worker: */
                                             /* further ones are not read */
#define NGX_HTTP_OFFLOAD_REFUSED   256       /* networks, by a hash */
#define NGX_HTTP_OFFLOAD_DAY       86400


static void ngx_http_offload_report_read(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_report_handle(ngx_http_request_t *r);
static ngx_uint_t ngx_http_offload_report_head(ngx_http_request_t *r,
    struct ol_error *err);
static ngx_uint_t ngx_http_offload_report_json(ngx_http_request_t *r);
static ngx_uint_t ngx_http_offload_report_worth(ngx_http_request_t *r,
    struct ol_report *report, struct ol_error *err);
static ngx_uint_t ngx_http_offload_report_apply(ngx_http_request_t *r,
    struct ol_report *report, struct ol_error *err);
static void ngx_http_offload_report_count(ngx_http_request_t *r,
    struct ol_report *report);
static ngx_uint_t ngx_http_offload_report_first(ngx_http_request_t *r,
    void *data, size_t len);
static ngx_uint_t *ngx_http_offload_report_refusals(ngx_http_request_t *r);
static ngx_int_t ngx_http_offload_report_refuse(ngx_http_request_t *r,
    ngx_uint_t status, struct ol_error *err);


ngx_int_t
ngx_http_offload_report(ngx_http_request_t *r)
{
    ngx_int_t        rc;
    ngx_uint_t       status;
    struct ol_error  err;

    status = ngx_http_offload_report_head(r, &err);

    if (status) {
        return ngx_http_offload_report_refuse(r, status, &err);
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_offload_report_read);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_offload_report_read(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_http_offload_report_handle(r));
}


static ngx_int_t
ngx_http_offload_report_handle(ngx_http_request_t *r)
{
    ngx_str_t                      body;
    ngx_uint_t                     status;
    struct ol_error                err;
    struct ol_report               report;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    if (ngx_http_offload_body(r, OL_REPORT_MAX, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ol_report_parse((char *) body.data, body.len, &report, &err) != 0) {
        return ngx_http_offload_report_refuse(r, NGX_HTTP_BAD_REQUEST, &err);
    }

    status = ngx_http_offload_report_worth(r, &report, &err);

    if (status == 0) {
        status = ngx_http_offload_report_apply(r, &report, &err);
    }

    ol_report_clear(&report);

    if (status) {
        return ngx_http_offload_report_refuse(r, status, &err);
    }

    sh = ngx_http_offload_peek(omcf->zone);
    (void) ngx_atomic_fetch_add(&sh->receipts.reports, 1);

    return NGX_HTTP_NO_CONTENT;
}


/* 0, or the status to refuse with before the body is read */

static ngx_uint_t
ngx_http_offload_report_head(ngx_http_request_t *r, struct ol_error *err)
{
    if (*ngx_http_offload_report_refusals(r) >= NGX_HTTP_OFFLOAD_REFUSALS) {
        (void) ol_error_set(err, EBUSY,
                            "report: too many from there that are worth "
                            "nothing, try again in a second");
        return NGX_HTTP_TOO_MANY_REQUESTS;
    }

    if (r->headers_in.content_length_n > OL_REPORT_MAX) {
        (void) ol_error_set(err, EFBIG,
                            "report: the body is larger than %d bytes",
                            OL_REPORT_MAX);
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    /* else nginx would read a megabyte of it, and write it to the disk */

    if (r->headers_in.content_length_n < 0) {
        (void) ol_error_set(err, EBADMSG, "report: it needs a Content-Length");
        return NGX_HTTP_LENGTH_REQUIRED;
    }

    if (!ngx_http_offload_report_json(r)) {
        (void) ol_error_set(err, EBADMSG,
                            "report: its type is not application/json");
        return NGX_HTTP_BAD_REQUEST;
    }

    return 0;
}


/* a type that scripts of other sites cannot send without asking first */

static ngx_uint_t
ngx_http_offload_report_json(ngx_http_request_t *r)
{
    u_char     *p, *last;
    size_t      len;
    ngx_str_t  *type;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = &r->headers_in.content_type->value;
    len = sizeof("application/json") - 1;

    if (type->len < len
        || ngx_strncasecmp(type->data, (u_char *) "application/json", len)
           != 0)
    {
        return 0;
    }

    last = type->data + type->len;

    for (p = type->data + len; p < last && *p == ' '; p++) { /* void */ }

    return p == last || *p == ';';
}


/* 0: a receipt that was made here, and nobody in the report but its peers */

static ngx_uint_t
ngx_http_offload_report_worth(ngx_http_request_t *r, struct ol_report *report,
    struct ol_error *err)
{
    switch (ngx_http_offload_receipt_check(r, &report->receipt, report->root))
    {
    case NGX_OK:
        break;

    case NGX_DECLINED:
        (void) ol_error_set(err, EACCES,
                            "receipt: not made here for this root, or "
                            "expired");
        return NGX_HTTP_FORBIDDEN;

    default: /* NGX_ERROR */
        (void) ol_error_set(err, ENOMEM,
                            "report: not read, for want of memory");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ol_report_peers_ok(report)) {
        (void) ol_error_set(err, EACCES,
                            "peers: one that the receipt does not name");
        return NGX_HTTP_FORBIDDEN;
    }

    return 0;
}


/* 0: the receipt is spent, and what it says is counted if it is to count */

static ngx_uint_t
ngx_http_offload_report_apply(ngx_http_request_t *r, struct ol_report *report,
    struct ol_error *err)
{
    ngx_uint_t                     status;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_content_t    *content;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);

    status = 0;

    sh = ngx_http_offload_lock(omcf->zone);

    content = ngx_http_offload_content_find(sh, oscf->id, report->root);

    /* the zone may have been emptied since the receipt was checked */

    if (content == NULL || content->size == 0
        || ngx_memcmp(report->receipt.epoch, sh->epoch,
                      NGX_HTTP_OFFLOAD_EPOCH_LEN)
           != 0)
    {
        (void) ol_error_set(err, ENOENT,
                            "root: of no file that is known here (any more)");
        status = NGX_HTTP_FORBIDDEN;

    } else if (report->bytes > content->size) {
        (void) ol_error_set(err, ERANGE,
                            "bytes: more than the content has");
        status = NGX_HTTP_FORBIDDEN;

    } else if (ngx_http_offload_receipt_spend(sh, &report->receipt)
               != NGX_OK)
    {
        (void) ol_error_set(err, EEXIST,
                            "receipt: spent, or so old that nobody knows");
        status = NGX_HTTP_CONFLICT;

    } else if (ngx_http_offload_report_first(r, report->root, OL_HASH_BYTES)) {
        ngx_http_offload_report_count(r, report);
    }

    ngx_http_offload_unlock(omcf->zone);

    return status;
}


/*
 * Twelve characters are no name: only a node that is known, now or by
 * receipts, has anything counted for it.  That it failed counts once for each
 * network, or one client could ruin it with as many receipts
 */

static void
ngx_http_offload_report_count(ngx_http_request_t *r, struct ol_report *report)
{
    u_char                        *id;
    ngx_uint_t                     i, failed;
    struct ol_report_peer         *peer;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);
    sh = ngx_http_offload_peek(omcf->zone);

    for (i = 0; i < report->peer_count; i++) {
        peer = &report->peers[i];
        id = (u_char *) peer->id;

        if (!ngx_http_offload_node_named(sh, oscf->id, id)
            && !ngx_http_offload_tally_known(sh, oscf->id, id))
        {
            continue;
        }

        failed = peer->failed
                 && ngx_http_offload_report_first(r, id, OL_KEY_CHARS);

        if ((peer->bytes == 0 && !failed)
            || ngx_http_offload_tally_add(omcf->zone, oscf->id, id,
                                          peer->bytes, failed)
               != NGX_OK)
        {
            continue;
        }

        (void) ngx_atomic_fetch_add(&sh->receipts.confirmed, peer->bytes);

        if (failed) {
            ngx_http_offload_node_failed(sh, oscf->id, id);
        }
    }
}


/*
 * Locked.  Of this network, on this content or node, today?  Of these hashes
 * are kept, each with the day in its last byte.  One network has a sixteenth
 * of the table, eight of a line; nothing of today gives way to anything
 */

static ngx_uint_t
ngx_http_offload_report_first(ngx_http_request_t *r, void *data, size_t len)
{
    uint64_t                       day, hash, network, line, nlines, *entry;
    ngx_uint_t                     i;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_srv_conf_t   *oscf;
    ngx_http_offload_receipts_t   *rs;
    ngx_http_offload_main_conf_t  *omcf;
    u_char                         who[NGX_HTTP_OFFLOAD_SITE_LEN
                                       + sizeof(network)];

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    oscf = ngx_http_get_module_srv_conf(r, ngx_http_offload_module);
    sh = ngx_http_offload_peek(omcf->zone);
    rs = &sh->receipts;

    day = (uint64_t) ngx_time() / NGX_HTTP_OFFLOAD_DAY & 0xff;
    network = ngx_http_offload_network(r);

    ngx_memcpy(who, oscf->id, NGX_HTTP_OFFLOAD_SITE_LEN);
    ngx_memcpy(who + NGX_HTTP_OFFLOAD_SITE_LEN, &network, sizeof(network));

    hash = ngx_http_offload_seeded_hash(sh, who, sizeof(who), data, len);
    nlines = rs->nseen / 8;

    line = ngx_http_offload_seeded_hash(sh, (u_char *) &network,
                                        sizeof(network), (u_char *) "", 0)
           + (hash >> 32) % (nlines / 16);

    entry = &rs->seen[line % nlines * 8];
    hash = (hash & ~(uint64_t) 0xff) | day;

    for (i = 0; i < 8; i++) {
        if (entry[i] == hash) {
            return 0;
        }
    }

    for (i = 0; i < 8; i++) {
        if (entry[i] == 0 || (entry[i] & 0xff) != day) {
            entry[i] = hash;
            return 1;
        }
    }

    return 0;
}


/* in this second and worker, of those that share a place in the table */

static ngx_uint_t *
ngx_http_offload_report_refusals(ngx_http_request_t *r)
{
    uint64_t                       network, hash;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_main_conf_t  *omcf;

    static time_t      second;
    static ngx_uint_t  refusals[NGX_HTTP_OFFLOAD_REFUSED];

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    sh = ngx_http_offload_peek(omcf->zone);

    if (second != ngx_time()) {
        second = ngx_time();
        ngx_memzero(refusals, sizeof(refusals));
    }

    network = ngx_http_offload_network(r);

    hash = ngx_http_offload_seeded_hash(sh, (u_char *) &network,
                                        sizeof(network), (u_char *) "", 0);

    return &refusals[hash % NGX_HTTP_OFFLOAD_REFUSED];
}


static ngx_int_t
ngx_http_offload_report_refuse(ngx_http_request_t *r, ngx_uint_t status,
    struct ol_error *err)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_main_conf_t  *omcf;

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);
    sh = ngx_http_offload_peek(omcf->zone);

    (void) ngx_atomic_fetch_add(&sh->receipts.refused, 1);

    if ((*ngx_http_offload_report_refusals(r))++ == 0) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "offload report refused with %ui: %s", status,
                      err->text);
    }

    if (status == NGX_HTTP_TOO_MANY_REQUESTS
        && ngx_http_offload_header(r, "Retry-After", "1") != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_offload_refuse(r, status, err->text, NULL);
}
