
/*
 * The numbers in Prometheus' text format, version 0.0.4: a family for each,
 * with its help and type, in a fixed order.  What they mean is status.c's.
 */


#include "ngx_http_offload.h"


#define NGX_HTTP_OFFLOAD_METRICS_LEN  8192   /* of all but coordinators */


typedef struct {
    char                       *name;
    char                       *type;
    char                       *help;
} ngx_http_offload_family_t;


typedef struct {
    ngx_http_offload_family_t   family;
    size_t                      offset;      /* of a uint64_t */
} ngx_http_offload_metric_t;


static u_char *ngx_http_offload_metrics_family(u_char *p,
    ngx_http_offload_family_t *family);
static u_char *ngx_http_offload_metrics_requests(u_char *p,
    ngx_http_offload_numbers_t *n);
static u_char *ngx_http_offload_metrics_files(u_char *p,
    ngx_http_offload_numbers_t *n);
static u_char *ngx_http_offload_metrics_reports(u_char *p,
    ngx_http_offload_numbers_t *n);
static u_char *ngx_http_offload_metrics_egress(u_char *p,
    ngx_http_offload_numbers_t *n);
static size_t ngx_http_offload_metrics_len(ngx_http_offload_numbers_t *n);
static u_char *ngx_http_offload_metrics_ages(u_char *p,
    ngx_http_offload_numbers_t *n);
static u_char *ngx_http_offload_metrics_seqs(u_char *p,
    ngx_http_offload_numbers_t *n);


#define ngx_http_offload_metric(name, type, help, member)                     \
    { { name, type, help }, offsetof(ngx_http_offload_numbers_t, member) }


static ngx_http_offload_metric_t  ngx_http_offload_metrics_simple[] = {

    ngx_http_offload_metric("offload_direct_bytes_total", "counter",
        "Bytes of offered files that were sent from here.", direct),

    ngx_http_offload_metric("offload_pulled_bytes_total", "counter",
        "Bytes of files that were sent to nodes.", pulled),

    ngx_http_offload_metric("offload_offloaded_bytes_total", "counter",
        "Bytes that clients were sent to nodes for.", offloaded),

    ngx_http_offload_metric("offload_confirmed_bytes_total", "counter",
        "Bytes that nodes have sent, as clients' receipts say.", confirmed),

    ngx_http_offload_metric("offload_deferred_requests_total", "counter",
        "Requests of nodes that were told to come later.", deferred),

    ngx_http_offload_metric("offload_signatures_total", "counter",
        "Signatures made.", signatures),

    ngx_http_offload_metric("offload_indexed_files_total", "counter",
        "Files hashed.", hashed),

    ngx_http_offload_metric("offload_index_queue_files", "gauge",
        "Files that wait to be hashed.", states[NGX_HTTP_OFFLOAD_QUEUED]),

    ngx_http_offload_metric("offload_contents", "gauge",
        "Contents in the zone.", contents),

    ngx_http_offload_metric("offload_nodes", "gauge",
        "Nodes in the zone.", nodes),

    ngx_http_offload_metric("offload_zone_size_bytes", "gauge",
        "Size of the zone.", zone_size),

    ngx_http_offload_metric("offload_zone_free_bytes", "gauge",
        "Free pages of the zone.", zone_free),

    ngx_http_offload_metric("offload_zone_evictions_total", "counter",
        "What a full zone has let go of for something newer.", evictions)
};


ngx_int_t
ngx_http_offload_metrics(ngx_http_request_t *r)
{
    u_char                      *text, *p;
    uint64_t                    *value;
    ngx_uint_t                   i;
    ngx_http_offload_metric_t   *metric;
    ngx_http_offload_numbers_t   n;

    if (!ngx_http_offload_local(r)) {
        return ngx_http_offload_refuse(r, NGX_HTTP_FORBIDDEN,
                                       "metrics are for loopback addresses "
                                       "only, and not by way of a proxy",
                                       NULL);
    }

    if (ngx_http_offload_numbers(r, &n) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text = ngx_pnalloc(r->pool, NGX_HTTP_OFFLOAD_METRICS_LEN
                                + ngx_http_offload_metrics_len(&n));
    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_http_offload_metrics_requests(text, &n);
    p = ngx_http_offload_metrics_files(p, &n);
    p = ngx_http_offload_metrics_reports(p, &n);

    metric = ngx_http_offload_metrics_simple;

    for (i = 0;
         i < sizeof(ngx_http_offload_metrics_simple)
             / sizeof(ngx_http_offload_metric_t);
         i++)
    {
        value = (uint64_t *) ((u_char *) &n + metric[i].offset);

        p = ngx_http_offload_metrics_family(p, &metric[i].family);
        p = ngx_sprintf(p, "%s %uL\n", metric[i].family.name, *value);
    }

    p = ngx_http_offload_metrics_egress(p, &n);
    p = ngx_http_offload_metrics_ages(p, &n);
    p = ngx_http_offload_metrics_seqs(p, &n);

    if (ngx_http_offload_header(r, "Cache-Control", "no-store") != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_offload_send(r, NGX_HTTP_OK,
                                 "text/plain; version=0.0.4; charset=utf-8",
                                 text, p - text);
}


static u_char *
ngx_http_offload_metrics_family(u_char *p, ngx_http_offload_family_t *family)
{
    return ngx_sprintf(p, "# HELP %s %s\n# TYPE %s %s\n",
                       family->name, family->help, family->name,
                       family->type);
}


static u_char *
ngx_http_offload_metrics_requests(u_char *p, ngx_http_offload_numbers_t *n)
{
    ngx_uint_t  i;

    static ngx_http_offload_family_t  family = {
        "offload_requests_total", "counter",
        "Requests, by what became of them."
    };

    p = ngx_http_offload_metrics_family(p, &family);

    for (i = 0; i < NGX_HTTP_OFFLOAD_OUTCOMES; i++) {
        p = ngx_sprintf(p, "%s{outcome=\"%V\"} %uL\n", family.name,
                        &ngx_http_offload_outcomes[i], n->outcomes[i]);
    }

    return p;
}


static u_char *
ngx_http_offload_metrics_files(u_char *p, ngx_http_offload_numbers_t *n)
{
    ngx_uint_t  i;

    static char  *states[] = { "queued", "hashing", "failed", "ready" };

    static ngx_http_offload_family_t  family = {
        "offload_files", "gauge", "Files in the zone, by state."
    };

    p = ngx_http_offload_metrics_family(p, &family);

    for (i = 0; i < NGX_HTTP_OFFLOAD_STATES; i++) {
        p = ngx_sprintf(p, "%s{state=\"%s\"} %uL\n", family.name, states[i],
                        n->states[i]);
    }

    return p;
}


static u_char *
ngx_http_offload_metrics_reports(u_char *p, ngx_http_offload_numbers_t *n)
{
    static ngx_http_offload_family_t  family = {
        "offload_reports_total", "counter", "Receipts that clients posted."
    };

    p = ngx_http_offload_metrics_family(p, &family);

    return ngx_sprintf(p, "%s{result=\"accepted\"} %uL\n"
                          "%s{result=\"refused\"} %uL\n",
                       family.name, n->accepted, family.name, n->refused);
}


/* unless it is measured there is none to tell */

static u_char *
ngx_http_offload_metrics_egress(u_char *p, ngx_http_offload_numbers_t *n)
{
    static ngx_http_offload_family_t  family = {
        "offload_egress_bytes_per_second", "gauge",
        "What this nginx sent to its clients in the last second."
    };

    if (!n->measured) {
        return p;
    }

    p = ngx_http_offload_metrics_family(p, &family);

    return ngx_sprintf(p, "%s %uL\n", family.name, n->egress);
}


/* two lines for each coordinator, with room for names and numbers */

static size_t
ngx_http_offload_metrics_len(ngx_http_offload_numbers_t *n)
{
    size_t                     len;
    ngx_uint_t                 i;
    ngx_http_offload_known_t  *known;

    known = n->coordinators.elts;
    len = 0;

    for (i = 0; i < n->coordinators.nelts; i++) {
        len += 2 * (known[i].site.len + known[i].url.len + 128);
    }

    return len;
}


/* one that was never heard from is infinitely late */

static u_char *
ngx_http_offload_metrics_ages(u_char *p, ngx_http_offload_numbers_t *n)
{
    ngx_uint_t                 i;
    ngx_http_offload_known_t  *known;

    static ngx_http_offload_family_t  family = {
        "offload_coordinator_sync_age_seconds", "gauge",
        "Time since the last sync that was applied."
    };

    known = n->coordinators.elts;

    p = ngx_http_offload_metrics_family(p, &family);

    for (i = 0; i < n->coordinators.nelts; i++) {
        p = ngx_sprintf(p, "%s{site=\"%V\",coordinator=\"%V\"} ",
                        family.name, &known[i].site, &known[i].url);

        if (known[i].record.used && known[i].record.synced) {
            p = ngx_sprintf(p, "%T\n",
                            ngx_max(ngx_time() - known[i].record.synced, 0));

        } else {
            p = ngx_sprintf(p, "+Inf\n");
        }
    }

    return p;
}


static u_char *
ngx_http_offload_metrics_seqs(u_char *p, ngx_http_offload_numbers_t *n)
{
    ngx_uint_t                 i;
    ngx_http_offload_known_t  *known;

    static ngx_http_offload_family_t  family = {
        "offload_coordinator_applied_seq", "gauge",
        "Number of the last sync that was applied."
    };

    known = n->coordinators.elts;

    p = ngx_http_offload_metrics_family(p, &family);

    for (i = 0; i < n->coordinators.nelts; i++) {
        p = ngx_sprintf(p, "%s{site=\"%V\",coordinator=\"%V\"} %uL\n",
                        family.name, &known[i].site, &known[i].url,
                        known[i].record.used ? known[i].record.applied : 0);
    }

    return p;
}
