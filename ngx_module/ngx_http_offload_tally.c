
/*
 * What receipts say of nodes, added up for each site and node: bytes that
 * clients have verified, and how often one failed.  A tally outlives what
 * coordinators say of its node.  Knows nothing of requests.  The caller holds
 * the lock of the zone.
 */


#include "ngx_http_offload_zone.h"

#include "offload/encoding.h"


#define NGX_HTTP_OFFLOAD_TALLY_SCAN   1024   /* changes looked at per lock */
#define NGX_HTTP_OFFLOAD_TALLY_TRIES  128    /* looked at for one that may */
                                             /* make room, in turn */
#define NGX_HTTP_OFFLOAD_TALLY_MAX    (((uint64_t) 1 << 53) - 1)
#define NGX_HTTP_OFFLOAD_TALLY_WAIT   86400  /* s, for a silent coordinator */


struct ngx_http_offload_tally_s {
    ngx_rbtree_node_t           change;      /* in receipts.changes; */
                                             /* key: clock */
    ngx_http_offload_tally_t   *next;        /* in a bucket */
    uint64_t                    hash;
    u_char                      site[NGX_HTTP_OFFLOAD_SITE_LEN];
    u_char                      id[OL_KEY_BYTES];
    uint64_t                    serial;      /* no other tally had it */
    uint64_t                    bytes;
    uint32_t                    failed;
};


static ngx_http_offload_tally_t *ngx_http_offload_tally_find(
    ngx_http_offload_sh_t *sh, u_char *site, u_char *id, uint64_t hash);
static ngx_http_offload_tally_t *ngx_http_offload_tally_create(
    ngx_http_offload_zone_t *zone, u_char *site, u_char *id, uint64_t hash);
static ngx_int_t ngx_http_offload_tally_evict(ngx_http_offload_zone_t *zone);
static ngx_uint_t ngx_http_offload_tally_told(
    ngx_http_offload_tally_t *tally, ngx_http_offload_coordinator_t **wait,
    ngx_uint_t nwait);


/* one tally for each four kilobytes of the zone, as for nodes */

ngx_int_t
ngx_http_offload_tallies_init(ngx_http_offload_zone_t *zone)
{
    ngx_http_offload_sh_t        *sh;
    ngx_http_offload_receipts_t  *rs;

    sh = ngx_http_offload_peek(zone);
    rs = &sh->receipts;

    ngx_rbtree_init(&rs->changes, &rs->sentinel, ngx_rbtree_insert_value);

    rs->nbuckets = sh->nslots;
    rs->buckets = ngx_slab_calloc_locked(zone->shpool,
                                         rs->nbuckets * sizeof(void *));

    return rs->buckets ? NGX_OK : NGX_ERROR;
}


/* id: OL_KEY_CHARS of it */

ngx_uint_t
ngx_http_offload_tally_known(ngx_http_offload_sh_t *sh, u_char *site,
    u_char *id)
{
    u_char    raw[OL_KEY_BYTES];
    uint64_t  hash;

    if (ol_base64url_decode_exact(raw, OL_KEY_BYTES, (char *) id, OL_KEY_CHARS)
        != 0)
    {
        return 0;
    }

    hash = ngx_http_offload_seeded_hash(sh, site, NGX_HTTP_OFFLOAD_SITE_LEN,
                                        raw, OL_KEY_BYTES);

    return ngx_http_offload_tally_find(sh, site, raw, hash) != NULL;
}


/* NGX_DECLINED: there is no room, so it is not counted */

ngx_int_t
ngx_http_offload_tally_add(ngx_http_offload_zone_t *zone, u_char *site,
    u_char *id, uint64_t bytes, ngx_uint_t failed)
{
    u_char                        raw[OL_KEY_BYTES];
    uint64_t                      hash;
    ngx_http_offload_sh_t        *sh;
    ngx_http_offload_tally_t     *tally;
    ngx_http_offload_receipts_t  *rs;

    if (ol_base64url_decode_exact(raw, OL_KEY_BYTES, (char *) id, OL_KEY_CHARS)
        != 0)
    {
        return NGX_DECLINED;
    }

    sh = ngx_http_offload_peek(zone);
    rs = &sh->receipts;

    hash = ngx_http_offload_seeded_hash(sh, site, NGX_HTTP_OFFLOAD_SITE_LEN,
                                        raw, OL_KEY_BYTES);

    tally = ngx_http_offload_tally_find(sh, site, raw, hash);

    if (tally == NULL) {
        tally = ngx_http_offload_tally_create(zone, site, raw, hash);

        if (tally == NULL) {
            return NGX_DECLINED;
        }
    }

    tally->bytes = ngx_min(tally->bytes + bytes, NGX_HTTP_OFFLOAD_TALLY_MAX);
    tally->failed += failed ? 1 : 0;

    /* what nobody was told of yet keeps its place, as files do */

    if (tally->change.key > sh->reported) {
        return NGX_OK;
    }

    if (tally->change.key) {
        ngx_rbtree_delete(&rs->changes, &tally->change);
    }

    tally->change.key = (ngx_rbtree_key_t) ++sh->clock;
    ngx_rbtree_insert(&rs->changes, &tally->change);

    return NGX_OK;
}


/*
 * The site's tallies that changed after "ack", oldest change first.  If there
 * are more than "max", *clock becomes that of the last one given
 */

ngx_uint_t
ngx_http_offload_tallies_since(ngx_http_offload_sh_t *sh, u_char *site,
    uint64_t ack, ngx_http_offload_tally_item_t *items, ngx_uint_t max,
    uint64_t *clock)
{
    ngx_uint_t                 n, looked;
    ngx_rbtree_t              *tree;
    ngx_rbtree_node_t         *node;
    ngx_http_offload_tally_t  *tally;

    tree = &sh->receipts.changes;
    node = ngx_http_offload_change_after(tree, ack);

    n = 0;

    for (looked = 0; node; looked++) {
        tally = ngx_rbtree_data(node, ngx_http_offload_tally_t, change);

        if (n == max || looked == NGX_HTTP_OFFLOAD_TALLY_SCAN) {
            *clock = ngx_min(*clock, node->key - 1);
            break;
        }

        if (ngx_memcmp(tally->site, site, NGX_HTTP_OFFLOAD_SITE_LEN) == 0) {
            ngx_memcpy(items[n].id, tally->id, OL_KEY_BYTES);
            items[n].serial = tally->serial;
            items[n].bytes = tally->bytes;
            items[n].failed = tally->failed;
            n++;
        }

        node = ngx_rbtree_next(tree, node);
    }

    return n;
}


static ngx_http_offload_tally_t *
ngx_http_offload_tally_find(ngx_http_offload_sh_t *sh, u_char *site,
    u_char *id, uint64_t hash)
{
    ngx_http_offload_tally_t     *tally;
    ngx_http_offload_receipts_t  *rs;

    rs = &sh->receipts;

    for (tally = rs->buckets[hash & (rs->nbuckets - 1)];
         tally;
         tally = tally->next)
    {
        if (tally->hash == hash
            && ngx_memcmp(tally->site, site, NGX_HTTP_OFFLOAD_SITE_LEN) == 0
            && ngx_memcmp(tally->id, id, OL_KEY_BYTES) == 0)
        {
            return tally;
        }
    }

    return NULL;
}


static ngx_http_offload_tally_t *
ngx_http_offload_tally_create(ngx_http_offload_zone_t *zone, u_char *site,
    u_char *id, uint64_t hash)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_tally_t      *tally, **bucket;
    ngx_http_offload_receipts_t   *rs;

    sh = ngx_http_offload_peek(zone);
    rs = &sh->receipts;

    if (rs->ntallies >= rs->nbuckets
        && ngx_http_offload_tally_evict(zone) != NGX_OK)
    {
        ngx_http_offload_full(sh);
        return NULL;
    }

    tally = ngx_http_offload_alloc(zone, sizeof(ngx_http_offload_tally_t));
    if (tally == NULL) {
        return NULL;
    }

    tally->hash = hash;
    tally->serial = ++sh->serial;
    ngx_memcpy(tally->site, site, NGX_HTTP_OFFLOAD_SITE_LEN);
    ngx_memcpy(tally->id, id, OL_KEY_BYTES);

    bucket = &rs->buckets[hash & (rs->nbuckets - 1)];
    tally->next = *bucket;
    *bucket = tally;

    rs->ntallies++;

    return tally;
}


/*
 * The least recently changed of those that every coordinator knows of.  Others
 * may be many, so the next search goes on where this one ends
 */

static ngx_int_t
ngx_http_offload_tally_evict(ngx_http_offload_zone_t *zone)
{
    ngx_uint_t                       i, nwait;
    ngx_rbtree_node_t               *node;
    ngx_http_offload_sh_t           *sh;
    ngx_http_offload_tally_t        *tally, **link;
    ngx_http_offload_receipts_t     *rs;
    ngx_http_offload_coordinator_t  *c, *wait[NGX_HTTP_OFFLOAD_COORDINATORS];

    sh = ngx_http_offload_peek(zone);
    rs = &sh->receipts;

    for (i = 0, nwait = 0; i < NGX_HTTP_OFFLOAD_COORDINATORS; i++) {
        c = &sh->coordinators[i];

        if (c->used && c->synced + NGX_HTTP_OFFLOAD_TALLY_WAIT > ngx_time()) {
            wait[nwait++] = c;
        }
    }

    node = ngx_http_offload_change_after(&rs->changes, rs->looked);

    for (i = 0; i < NGX_HTTP_OFFLOAD_TALLY_TRIES; i++) {

        if (node == NULL) {
            node = ngx_http_offload_change_after(&rs->changes, 0);
        }

        tally = ngx_rbtree_data(node, ngx_http_offload_tally_t, change);

        if (ngx_http_offload_tally_told(tally, wait, nwait)) {
            break;
        }

        rs->looked = node->key;
        node = ngx_rbtree_next(&rs->changes, node);
    }

    if (i == NGX_HTTP_OFFLOAD_TALLY_TRIES) {
        return NGX_DECLINED;
    }

    for (link = &rs->buckets[tally->hash & (rs->nbuckets - 1)];
         *link != tally;
         link = &(*link)->next)
    {
        /* void */
    }

    *link = tally->next;

    ngx_rbtree_delete(&rs->changes, &tally->change);
    ngx_http_offload_free(zone, tally);
    rs->ntallies--;

    return NGX_OK;
}


/* have its site's coordinators acknowledged it, those that are still there? */

static ngx_uint_t
ngx_http_offload_tally_told(ngx_http_offload_tally_t *tally,
    ngx_http_offload_coordinator_t **wait, ngx_uint_t nwait)
{
    ngx_uint_t  i;

    for (i = 0; i < nwait; i++) {

        if (wait[i]->acked < tally->change.key
            && ngx_memcmp(wait[i]->site, tally->site,
                          NGX_HTTP_OFFLOAD_SITE_LEN)
               == 0)
        {
            return 0;
        }
    }

    return 1;
}
