
/*
 * The nodes that coordinators have named, and what is known of each
 * coordinator.  A node has a slot with a generation, so that a manifest made
 * earlier tells in a glance whether its peers are still there.  Knows nothing
 * of requests.  The caller holds the lock of the zone.
 */


#include "ngx_http_offload_zone.h"


#define ngx_http_offload_node_key(coordinator, n)                             \
    (((ngx_rbtree_key_t) (coordinator) << 24) | (n))


static ngx_int_t ngx_http_offload_nodes_room(ngx_http_offload_zone_t *zone,
    ngx_uint_t coordinator);
static ngx_int_t ngx_http_offload_node_create(ngx_http_offload_zone_t *zone,
    ngx_uint_t coordinator, ngx_http_offload_node_data_t *data,
    ngx_http_offload_node_t **ret);
static ngx_http_offload_node_t **ngx_http_offload_node_bucket(
    ngx_http_offload_sh_t *sh, u_char *id);


ngx_http_offload_coordinator_t *
ngx_http_offload_coordinator_find(ngx_http_offload_sh_t *sh, u_char *kid,
    u_char *site)
{
    ngx_uint_t                       i;
    ngx_http_offload_coordinator_t  *c;

    for (i = 0; i < NGX_HTTP_OFFLOAD_COORDINATORS; i++) {
        c = &sh->coordinators[i];

        if (c->used
            && ngx_memcmp(c->kid, kid, OL_KEY_CHARS) == 0
            && ngx_memcmp(c->site, site, NGX_HTTP_OFFLOAD_SITE_LEN) == 0)
        {
            return c;
        }
    }

    return NULL;
}


/* a record; the longest silent one is taken over if there is no free one */

ngx_http_offload_coordinator_t *
ngx_http_offload_coordinator_get(ngx_http_offload_zone_t *zone, u_char *kid,
    u_char *site)
{
    ngx_uint_t                       i;
    ngx_http_offload_sh_t           *sh;
    ngx_http_offload_coordinator_t  *c, *found;

    sh = ngx_http_offload_peek(zone);

    found = ngx_http_offload_coordinator_find(sh, kid, site);
    if (found) {
        return found;
    }

    for (i = 0; i < NGX_HTTP_OFFLOAD_COORDINATORS; i++) {
        c = &sh->coordinators[i];

        if (!c->used) {
            found = c;
            break;
        }

        if (found == NULL || c->synced < found->synced) {
            found = c;
        }
    }

    if (found->used) {

        if (ngx_http_offload_within(found->synced, NGX_HTTP_OFFLOAD_FRESH)) {
            return NULL;
        }

        /* what it left behind is of no generation, and goes bit by bit */

        found->valid = ++found->generation;
        sh->valids++;
    }

    found->used = 1;
    found->lost = 0;
    found->asked = 0;
    found->seq = 0;
    found->applied = 0;
    found->acked = 0;
    found->part = 0;
    found->parts = 0;
    found->synced = 0;
    ngx_memzero(found->addr, sizeof(found->addr));
    ngx_memcpy(found->kid, kid, OL_KEY_CHARS);
    ngx_memcpy(found->site, site, NGX_HTTP_OFFLOAD_SITE_LEN);

    return found;
}


ngx_http_offload_node_t *
ngx_http_offload_node_find(ngx_http_offload_sh_t *sh, ngx_uint_t coordinator,
    uint32_t n)
{
    ngx_rbtree_key_t    key;
    ngx_rbtree_node_t  *node;

    key = ngx_http_offload_node_key(coordinator, n);
    node = sh->nodes.root;

    while (node != sh->nodes.sentinel) {

        if (key == node->key) {
            return ngx_rbtree_data(node, ngx_http_offload_node_t, node);
        }

        node = (key < node->key) ? node->left : node->right;
    }

    return NULL;
}


/*
 * A node that came or changed; NGX_ERROR: no room for it.  One that is where it
 * was keeps its slot: manifests that name it are still good.
 */

ngx_int_t
ngx_http_offload_node_set(ngx_http_offload_zone_t *zone,
    ngx_uint_t coordinator, ngx_http_offload_node_data_t *data)
{
    double                           failures;
    time_t                           failed;
    ngx_http_offload_sh_t           *sh;
    ngx_http_offload_node_t         *node;
    ngx_http_offload_coordinator_t  *c;

    sh = ngx_http_offload_peek(zone);
    c = &sh->coordinators[coordinator];

    failures = 0;
    failed = 0;

    node = ngx_http_offload_node_find(sh, coordinator, data->n);

    if (node && ngx_memcmp(node->id, data->id.data, OL_KEY_CHARS) == 0) {

        if (node->url_len == data->url.len
            && node->zone_len == data->zone.len
            && node->ncidrs == data->ncidrs
            && ngx_memcmp(node->data, data->url.data, data->url.len) == 0
            && ngx_memcmp(ngx_http_offload_node_zone(node), data->zone.data,
                          data->zone.len)
               == 0
            && ngx_memcmp(ngx_http_offload_node_cidrs(node), data->cidrs,
                          data->ncidrs * sizeof(struct ol_cidr))
               == 0)
        {
            node->spare = data->spare;
            node->generation = c->generation;
            ngx_queue_remove(&node->queue);
            ngx_queue_insert_tail(&c->nodes, &node->queue);

            return NGX_OK;
        }

        failures = node->failures;
        failed = node->failed;
    }

    if (node) {
        ngx_http_offload_node_free(zone, node);
    }

    if (ngx_http_offload_node_create(zone, coordinator, data, &node)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    node->failures = failures;
    node->failed = failed;

    return NGX_OK;
}


static ngx_int_t
ngx_http_offload_node_create(ngx_http_offload_zone_t *zone,
    ngx_uint_t coordinator, ngx_http_offload_node_data_t *data,
    ngx_http_offload_node_t **ret)
{
    u_char                           *p;
    size_t                            len;
    ngx_http_offload_sh_t            *sh;
    ngx_http_offload_node_t          *node, **bucket;
    ngx_http_offload_coordinator_t   *c;

    sh = ngx_http_offload_peek(zone);
    c = &sh->coordinators[coordinator];

    if (sh->nfree == 0
        && ngx_http_offload_nodes_room(zone, coordinator) != NGX_OK)
    {
        ngx_http_offload_full(sh);
        return NGX_ERROR;
    }

    len = data->ncidrs * sizeof(struct ol_cidr);

    node = ngx_http_offload_alloc(zone,
                                  offsetof(ngx_http_offload_node_t, data)
                                  + data->url.len + data->zone.len + len);
    if (node == NULL) {
        return NGX_ERROR;
    }

    node->node.key = ngx_http_offload_node_key(coordinator, data->n);
    node->generation = c->generation;
    node->coordinator = (uint32_t) coordinator;
    node->slot = sh->free_slots[--sh->nfree];
    c->nnodes++;
    node->spare = data->spare;
    node->locality = ngx_http_offload_locality(sh, data->zone.data,
                                               data->zone.len);
    node->https = data->https;
    node->ncidrs = (uint8_t) data->ncidrs;
    node->url_len = (uint16_t) data->url.len;
    node->zone_len = (uint16_t) data->zone.len;

    ngx_memcpy(node->id, data->id.data, OL_KEY_CHARS);
    p = ngx_cpymem(node->data, data->url.data, data->url.len);
    p = ngx_cpymem(p, data->zone.data, data->zone.len);
    ngx_memcpy(p, data->cidrs, len);

    bucket = ngx_http_offload_node_bucket(sh, node->id);
    node->next = *bucket;
    *bucket = node;

    ngx_rbtree_insert(&sh->nodes, &node->node);
    ngx_queue_insert_tail(&c->nodes, &node->queue);
    sh->nnodes++;

    *ret = node;

    return NGX_OK;
}


static ngx_http_offload_node_t **
ngx_http_offload_node_bucket(ngx_http_offload_sh_t *sh, u_char *id)
{
    uint64_t  hash;

    hash = ngx_http_offload_seeded_hash(sh, id, OL_KEY_CHARS, (u_char *) "",
                                        0);

    return &sh->node_buckets[hash & (sh->nslots - 1)];
}


void
ngx_http_offload_node_free(ngx_http_offload_zone_t *zone,
    ngx_http_offload_node_t *node)
{
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_node_t **p;

    sh = ngx_http_offload_peek(zone);

    for (p = ngx_http_offload_node_bucket(sh, node->id);
         *p;
         p = &(*p)->next)
    {
        if (*p == node) {
            *p = node->next;
            break;
        }
    }

    sh->slots[node->slot]++;
    sh->free_slots[sh->nfree++] = node->slot;
    sh->coordinators[node->coordinator].nnodes--;
    sh->nnodes--;

    ngx_rbtree_delete(&sh->nodes, &node->node);
    ngx_queue_remove(&node->queue);
    ngx_http_offload_free(zone, node);
}


/* by some coordinator of the site */

ngx_uint_t
ngx_http_offload_node_named(ngx_http_offload_sh_t *sh, u_char *site,
    u_char *id)
{
    u_char                   *of;
    ngx_http_offload_node_t  *node;

    for (node = *ngx_http_offload_node_bucket(sh, id);
         node;
         node = node->next)
    {
        of = sh->coordinators[node->coordinator].site;

        if (ngx_memcmp(node->id, id, OL_KEY_CHARS) == 0
            && ngx_memcmp(of, site, NGX_HTTP_OFFLOAD_SITE_LEN) == 0)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_offload_node_failed(ngx_http_offload_sh_t *sh, u_char *site,
    u_char *id)
{
    u_char                   *of;
    ngx_http_offload_node_t  *node;

    /* each coordinator that names it has a record of its own */

    for (node = *ngx_http_offload_node_bucket(sh, id);
         node;
         node = node->next)
    {
        of = sh->coordinators[node->coordinator].site;

        if (ngx_memcmp(node->id, id, OL_KEY_CHARS) == 0
            && ngx_memcmp(of, site, NGX_HTTP_OFFLOAD_SITE_LEN) == 0)
        {
            node->failures = ol_failures_add(node->failures,
                                             ngx_time() - node->failed);
            node->failed = ngx_time();
        }
    }
}


/*
 * A slot for one more: one of a node that is not believed any more, or, as long
 * as this coordinator has less than its share, of the one that has most
 */

static ngx_int_t
ngx_http_offload_nodes_room(ngx_http_offload_zone_t *zone,
    ngx_uint_t coordinator)
{
    ngx_uint_t                       i, n;
    ngx_queue_t                     *q;
    ngx_http_offload_sh_t           *sh;
    ngx_http_offload_coordinator_t  *c, *most;

    sh = ngx_http_offload_peek(zone);
    most = sh->coordinators;
    n = 0;

    for (i = 0; i < NGX_HTTP_OFFLOAD_COORDINATORS; i++) {
        c = &sh->coordinators[i];
        n += c->used;

        if (ngx_http_offload_nodes_expire(zone, i, 1)) {
            return NGX_OK;
        }

        if (c->nnodes > most->nnodes) {
            most = c;
        }
    }

    if (most->nnodes == 0
        || sh->coordinators[coordinator].nnodes >= sh->nslots / n)
    {
        return NGX_ERROR;
    }

    /* it says so again when it is asked for everything */

    most->lost = 1;

    q = ngx_queue_head(&most->nodes);
    ngx_http_offload_node_free(zone, ngx_queue_data(q, ngx_http_offload_node_t,
                                                    queue));
    return NGX_OK;
}


/* drops nodes that the last full state did not name; how many are left is */
/* not known, but fewer than "max" dropped means none                      */

ngx_uint_t
ngx_http_offload_nodes_expire(ngx_http_offload_zone_t *zone,
    ngx_uint_t coordinator, ngx_uint_t max)
{
    ngx_uint_t                       n;
    ngx_queue_t                     *q;
    ngx_http_offload_sh_t           *sh;
    ngx_http_offload_node_t         *node;
    ngx_http_offload_coordinator_t  *c;

    sh = ngx_http_offload_peek(zone);
    c = &sh->coordinators[coordinator];

    for (n = 0; n < max && !ngx_queue_empty(&c->nodes); n++) {
        q = ngx_queue_head(&c->nodes);
        node = ngx_queue_data(q, ngx_http_offload_node_t, queue);

        if (node->generation >= c->valid) {
            break;
        }

        ngx_http_offload_node_free(zone, node);
    }

    return n;
}
