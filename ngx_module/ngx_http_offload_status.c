
/*
 * The numbers, for users of this machine: what requests came to, what the zone
 * holds, and how the coordinators are doing.  "status" gives them as JSON;
 * "metrics" has a file of its own.
 */


#include "ngx_http_offload.h"


static ngx_uint_t ngx_http_offload_loopback(struct sockaddr *sa);
static ngx_uint_t ngx_http_offload_proxied(ngx_http_request_t *r);
static void ngx_http_offload_count_all(ngx_http_offload_zone_t *zone,
    ngx_http_offload_numbers_t *n, ngx_http_offload_coordinator_t *records);
static ngx_int_t ngx_http_offload_known_coordinators(ngx_http_request_t *r,
    ngx_http_offload_numbers_t *n, ngx_http_offload_coordinator_t *records);
static ngx_uint_t ngx_http_offload_named_before(
    ngx_http_core_srv_conf_t **cscfp, ngx_uint_t n,
    ngx_http_offload_srv_conf_t *oscf, char *kid);
static json_t *ngx_http_offload_status_json(ngx_http_offload_numbers_t *n);
static json_t *ngx_http_offload_status_requests(
    ngx_http_offload_numbers_t *n);
static json_t *ngx_http_offload_status_coordinators(
    ngx_http_offload_numbers_t *n);


ngx_int_t
ngx_http_offload_status(ngx_http_request_t *r)
{
    char                        *text;
    json_t                      *json;
    ngx_int_t                    rc;
    ngx_http_offload_numbers_t   n;

    if (!ngx_http_offload_local(r)) {
        return ngx_http_offload_refuse(r, NGX_HTTP_FORBIDDEN,
                                       "status is for loopback addresses "
                                       "only, and not by way of a proxy",
                                       NULL);
    }

    if (ngx_http_offload_numbers(r, &n) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    json = ngx_http_offload_status_json(&n);
    text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

    json_decref(json);

    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_offload_header(r, "Cache-Control", "no-store") != NGX_OK) {
        free(text);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_offload_send(r, NGX_HTTP_OK, "application/json",
                               (u_char *) text, ngx_strlen(text));
    free(text);

    return rc;
}


/* whether a client may see what only the machine's own users should */

ngx_uint_t
ngx_http_offload_local(ngx_http_request_t *r)
{
    ngx_http_offload_loc_conf_t  *olcf;

    olcf = ngx_http_get_module_loc_conf(r, ngx_http_offload_module);

    return olcf->open
           || (ngx_http_offload_loopback(r->connection->sockaddr)
               && !ngx_http_offload_proxied(r));
}


static ngx_uint_t
ngx_http_offload_loopback(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr)
               || (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)
                   && sin6->sin6_addr.s6_addr[12] == 127);
#endif

    default:
        return 0;
    }
}


/* a proxy on this machine says that it asks for somebody else */

static ngx_uint_t
ngx_http_offload_proxied(ngx_http_request_t *r)
{
    ngx_uint_t        i, k;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  names[] = {
        ngx_string("x-forwarded-for"),
        ngx_string("forwarded"),
        ngx_string("x-real-ip"),
        ngx_string("via"),
        ngx_null_string
    };

    part = &r->headers_in.headers.part;
    i = 0;

    while ((h = ngx_http_offload_next_header(&part, &i)) != NULL) {
        for (k = 0; names[k].len; k++) {
            if (h->key.len == names[k].len
                && ngx_strncmp(h->lowcase_key, names[k].data, names[k].len)
                   == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_int_t
ngx_http_offload_numbers(ngx_http_request_t *r, ngx_http_offload_numbers_t *n)
{
    ngx_http_offload_main_conf_t  *omcf;

    ngx_http_offload_coordinator_t
                                   records[NGX_HTTP_OFFLOAD_COORDINATORS];

    omcf = ngx_http_get_module_main_conf(r, ngx_http_offload_module);

    ngx_http_offload_count_all(omcf->zone, n, records);

    n->measured = omcf->measure;

    return ngx_http_offload_known_coordinators(r, n, records);
}


static void
ngx_http_offload_count_all(ngx_http_offload_zone_t *zone,
    ngx_http_offload_numbers_t *n, ngx_http_offload_coordinator_t *records)
{
    ngx_uint_t              i;
    ngx_slab_pool_t        *shpool;
    ngx_http_offload_sh_t  *sh;

    shpool = zone->shpool;

    sh = ngx_http_offload_lock(zone);

    for (i = 0; i < NGX_HTTP_OFFLOAD_STATES; i++) {
        n->states[i] = sh->states[i];
    }

    n->files = sh->nfiles;
    n->contents = sh->ncontents;
    n->nodes = sh->nnodes;
    n->evictions = sh->evictions;
    n->zone_size = shpool->end - (u_char *) shpool;
    n->zone_free = shpool->pfree * ngx_pagesize;

    ngx_memcpy(records, sh->coordinators, sizeof(sh->coordinators));

    ngx_http_offload_unlock(zone);

    for (i = 0; i < NGX_HTTP_OFFLOAD_OUTCOMES; i++) {
        n->outcomes[i] = sh->outcomes[i];
    }

    n->direct = sh->bytes_direct;
    n->pulled = sh->bytes_pulled;
    n->offloaded = sh->bytes_offered;
    n->confirmed = sh->receipts.confirmed;
    n->accepted = sh->receipts.reports;
    n->refused = sh->receipts.refused;
    n->deferred = sh->deferred;
    n->signatures = sh->signatures;
    n->hashed = sh->hashed;
    n->egress = ngx_http_offload_egress(sh);
}


/* those of the configuration; servers may be one and the same site */

static ngx_int_t
ngx_http_offload_known_coordinators(ngx_http_request_t *r,
    ngx_http_offload_numbers_t *n, ngx_http_offload_coordinator_t *records)
{
    char                         *kid;
    ngx_uint_t                    i, k, s;
    ngx_http_core_srv_conf_t    **cscfp;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_offload_known_t     *known;
    ngx_http_offload_tracker_t   *tracker;
    ngx_http_offload_srv_conf_t  *oscf;

    if (ngx_array_init(&n->coordinators, r->pool, 4,
                       sizeof(ngx_http_offload_known_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    for (s = 0; s < cmcf->servers.nelts; s++) {

        oscf = cscfp[s]->ctx->srv_conf[ngx_http_offload_module.ctx_index];

        if (oscf->iss.len == 0 || oscf->coordinators == NULL) {
            continue;
        }

        tracker = oscf->coordinators->elts;

        for (i = 0; i < oscf->coordinators->nelts; i++) {
            kid = (char *) ol_key_id(tracker[i].key);

            if (ngx_http_offload_named_before(cscfp, s, oscf, kid)) {
                continue;
            }

            known = ngx_array_push(&n->coordinators);
            if (known == NULL) {
                return NGX_ERROR;
            }

            known->site = oscf->iss;
            known->url = tracker[i].url;
            known->id = kid;
            known->record.used = 0;

            for (k = 0; k < NGX_HTTP_OFFLOAD_COORDINATORS; k++) {

                if (records[k].used
                    && ngx_memcmp(records[k].kid, kid, OL_KEY_CHARS) == 0
                    && ngx_memcmp(records[k].site, oscf->id,
                                  NGX_HTTP_OFFLOAD_SITE_LEN)
                       == 0)
                {
                    known->record = records[k];
                    break;
                }
            }
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_offload_named_before(ngx_http_core_srv_conf_t **cscfp, ngx_uint_t n,
    ngx_http_offload_srv_conf_t *oscf, char *kid)
{
    ngx_uint_t                    i, s;
    ngx_http_offload_tracker_t   *tracker;
    ngx_http_offload_srv_conf_t  *before;

    for (s = 0; s < n; s++) {

        before = cscfp[s]->ctx->srv_conf[ngx_http_offload_module.ctx_index];

        if (before->coordinators == NULL
            || ngx_memcmp(before->id, oscf->id, NGX_HTTP_OFFLOAD_SITE_LEN)
               != 0)
        {
            continue;
        }

        tracker = before->coordinators->elts;

        for (i = 0; i < before->coordinators->nelts; i++) {
            if (ngx_strcmp(ol_key_id(tracker[i].key), kid) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


static json_t *
ngx_http_offload_status_json(ngx_http_offload_numbers_t *n)
{
    json_t  *json;

    json = json_pack("{s:o, s:{s:I, s:I, s:I, s:I}, s:{s:I, s:I}, s:I, s:I,"
                     " s:I, s:I, s:{s:I, s:I, s:I, s:I}, s:I, s:I, s:I,"
                     " s:{s:I, s:I, s:I}, s:o}",
                     "requests", ngx_http_offload_status_requests(n),
                     "bytes",
                     "direct", (json_int_t) n->direct,
                     "pulled", (json_int_t) n->pulled,
                     "offloaded", (json_int_t) n->offloaded,
                     "confirmed", (json_int_t) n->confirmed,
                     "reports",
                     "accepted", (json_int_t) n->accepted,
                     "refused", (json_int_t) n->refused,
                     "deferred", (json_int_t) n->deferred,
                     "signatures", (json_int_t) n->signatures,
                     "hashed", (json_int_t) n->hashed,
                     "files", (json_int_t) n->files,
                     "states",
                     "queued",
                     (json_int_t) n->states[NGX_HTTP_OFFLOAD_QUEUED],
                     "hashing",
                     (json_int_t) n->states[NGX_HTTP_OFFLOAD_HASHING],
                     "failed",
                     (json_int_t) n->states[NGX_HTTP_OFFLOAD_FAILED],
                     "ready",
                     (json_int_t) n->states[NGX_HTTP_OFFLOAD_READY],
                     "queued",
                     (json_int_t) n->states[NGX_HTTP_OFFLOAD_QUEUED],
                     "contents", (json_int_t) n->contents,
                     "nodes", (json_int_t) n->nodes,
                     "zone",
                     "size", (json_int_t) n->zone_size,
                     "free", (json_int_t) n->zone_free,
                     "evictions", (json_int_t) n->evictions,
                     "coordinators", ngx_http_offload_status_coordinators(n));

    if (json && n->measured) {
        (void) json_object_set_new(json, "egress",
                                   json_integer((json_int_t) n->egress));
    }

    return json;
}


static json_t *
ngx_http_offload_status_requests(ngx_http_offload_numbers_t *n)
{
    json_t      *json;
    ngx_uint_t   i;

    json = json_object();

    for (i = 0; i < NGX_HTTP_OFFLOAD_OUTCOMES; i++) {
        (void) json_object_set_new(json,
                                (char *) ngx_http_offload_outcomes[i].data,
                                json_integer((json_int_t) n->outcomes[i]));
    }

    return json;
}


static json_t *
ngx_http_offload_status_coordinators(ngx_http_offload_numbers_t *n)
{
    json_t                    *list, *item;
    ngx_uint_t                 i;
    ngx_http_offload_known_t  *known;

    list = json_array();
    known = n->coordinators.elts;

    for (i = 0; i < n->coordinators.nelts; i++) {

        item = json_pack("{s:s, s:s, s:s}",
                         "site", known[i].site.data,
                         "url", known[i].url.data,
                         "id", known[i].id);

        if (item && known[i].record.used) {
            (void) json_object_set_new(item, "seq",
                            json_integer((json_int_t) known[i].record.seq));
            (void) json_object_set_new(item, "applied",
                         json_integer((json_int_t) known[i].record.applied));
        }

        if (item && known[i].record.used && known[i].record.synced) {
            (void) json_object_set_new(item, "age",
                                       json_integer(ngx_max(ngx_time()
                                           - known[i].record.synced, 0)));
        }

        (void) json_array_append_new(list, item);
    }

    return list;
}
