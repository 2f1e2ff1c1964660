
/*
 * What a sync does to the zone, a few entries under each lock, and what has
 * changed in the zone since a coordinator last asked.
 */


#include "ngx_http_offload_sync.h"

#include "offload/encoding.h"


#define NGX_HTTP_OFFLOAD_SYNC_SCAN  1024     /* changes looked at per lock */
#define NGX_HTTP_OFFLOAD_SYNC_SWEEP 16       /* gone files freed per lock */


static ngx_uint_t ngx_http_offload_sync_begin(ngx_http_offload_sh_t *sh,
    ngx_http_offload_coordinator_t *c, ngx_http_offload_sync_t *sync);
static ngx_int_t ngx_http_offload_sync_step(ngx_http_offload_zone_t *zone,
    ngx_uint_t index, ngx_http_offload_sync_t *sync, ngx_uint_t *done);
static ngx_int_t ngx_http_offload_sync_item(ngx_http_offload_zone_t *zone,
    ngx_uint_t index, ngx_http_offload_sync_t *sync, ngx_uint_t i);
static void ngx_http_offload_sync_end(ngx_http_offload_zone_t *zone,
    ngx_uint_t index, ngx_http_offload_sync_t *sync);
static ngx_int_t ngx_http_offload_sync_content(ngx_http_offload_zone_t *zone,
    ngx_uint_t index, ngx_http_offload_sync_content_t *content);
static ngx_uint_t ngx_http_offload_sync_same(ngx_http_offload_sh_t *sh,
    ngx_uint_t index, ngx_http_offload_sync_t *sync);
static ngx_uint_t ngx_http_offload_sync_add(
    ngx_http_offload_sync_answer_t *answer, ngx_http_offload_file_t *file);
static void ngx_http_offload_sync_sweep(ngx_http_offload_zone_t *zone);


/*
 * NGX_OK: applied; NGX_AGAIN: a full state is needed; NGX_DECLINED: "seq" is
 * not above *last; NGX_BUSY: no room for another coordinator
 */

ngx_int_t
ngx_http_offload_sync_apply(ngx_http_offload_zone_t *zone,
    ngx_http_offload_srv_conf_t *oscf, const char *kid, u_char *addr,
    ngx_http_offload_sync_t *sync, uint64_t *last)
{
    ngx_int_t                        rc;
    ngx_uint_t                       index, done;
    ngx_http_offload_sh_t           *sh;
    ngx_http_offload_coordinator_t  *c;

    sh = ngx_http_offload_lock(zone);

    c = ngx_http_offload_coordinator_get(zone, (u_char *) kid, oscf->id);

    if (c == NULL) {
        ngx_http_offload_unlock(zone);
        return NGX_BUSY;
    }

    if (sync->seq <= c->seq) {
        *last = c->seq;
        ngx_http_offload_unlock(zone);
        return NGX_DECLINED;
    }

    c->seq = sync->seq;
    ngx_memcpy(c->addr, addr, sizeof(c->addr));

    if (sync->has_epoch
        && ngx_memcmp(sync->epoch, sh->epoch, NGX_HTTP_OFFLOAD_EPOCH_LEN) == 0)
    {
        c->acked = sync->ack;
    }

    index = c - sh->coordinators;
    rc = ngx_http_offload_sync_begin(sh, c, sync) ? NGX_OK : NGX_DONE;

    ngx_http_offload_unlock(zone);

    if (rc == NGX_DONE) {
        return NGX_AGAIN;
    }

    for (done = 0; /* void */ ; ) {
        rc = ngx_http_offload_sync_step(zone, index, sync, &done);

        if (rc != NGX_AGAIN) {
            break;
        }
    }

    return rc == NGX_OK ? NGX_OK : NGX_AGAIN;
}


/* does it follow on what has been applied? */

static ngx_uint_t
ngx_http_offload_sync_begin(ngx_http_offload_sh_t *sh,
    ngx_http_offload_coordinator_t *c, ngx_http_offload_sync_t *sync)
{
    if (!sync->has_epoch
        || ngx_memcmp(sync->epoch, sh->epoch, NGX_HTTP_OFFLOAD_EPOCH_LEN) != 0)
    {
        return 0;
    }

    if (sync->part == 1) {
        c->generation++;
        c->part = 0;
        c->parts = sync->parts;
        c->lost = 0;

        return 1;
    }

    if (!sync->has_base || sync->base != c->applied) {
        return 0;
    }

    if (sync->part == 0) {

        if (c->lost
            && !ngx_http_offload_within(c->asked, NGX_HTTP_OFFLOAD_LOST))
        {
            c->asked = ngx_time();
            return 0;
        }

        return c->parts == 0;
    }

    return c->parts == sync->parts && c->part + 1 == sync->part;
}


/*
 * A batch under one lock: nodes first, so that candidates find them.
 * NGX_AGAIN: there is more; NGX_DECLINED: a later sync came in between
 */

static ngx_int_t
ngx_http_offload_sync_step(ngx_http_offload_zone_t *zone, ngx_uint_t index,
    ngx_http_offload_sync_t *sync, ngx_uint_t *done)
{
    ngx_int_t               rc;
    ngx_uint_t              n, total;
    ngx_http_offload_sh_t  *sh;

    sh = ngx_http_offload_lock(zone);

    if (!ngx_http_offload_sync_same(sh, index, sync)) {
        ngx_http_offload_unlock(zone);
        return NGX_DECLINED;
    }

    total = sync->nnodes + sync->ngone + sync->ncontents;

    for (n = 0; n < NGX_HTTP_OFFLOAD_SYNC_BATCH && *done < total; n++) {
        if (ngx_http_offload_sync_item(zone, index, sync, (*done)++)
            != NGX_OK)
        {
            sh->coordinators[index].lost = 1;
        }
    }

    rc = NGX_AGAIN;

    if (n < NGX_HTTP_OFFLOAD_SYNC_BATCH) {
        ngx_http_offload_sync_end(zone, index, sync);
        rc = NGX_OK;
    }

    ngx_http_offload_unlock(zone);

    return rc;
}


/* a node that is there, one that is gone, or a content; NGX_ERROR: no room */

static ngx_int_t
ngx_http_offload_sync_item(ngx_http_offload_zone_t *zone, ngx_uint_t index,
    ngx_http_offload_sync_t *sync, ngx_uint_t i)
{
    ngx_http_offload_node_t  *node;

    if (i < sync->nnodes) {
        return ngx_http_offload_node_set(zone, index, &sync->nodes[i]);
    }

    i -= sync->nnodes;

    if (i < sync->ngone) {
        node = ngx_http_offload_node_find(ngx_http_offload_peek(zone), index,
                                          sync->gone[i]);
        if (node) {
            ngx_http_offload_node_free(zone, node);
        }

        return NGX_OK;
    }

    return ngx_http_offload_sync_content(zone, index,
                                         &sync->contents[i - sync->ngone]);
}


/* all of it is in: now it counts */

static void
ngx_http_offload_sync_end(ngx_http_offload_zone_t *zone, ngx_uint_t index,
    ngx_http_offload_sync_t *sync)
{
    ngx_http_offload_sh_t           *sh;
    ngx_http_offload_coordinator_t  *c;

    sh = ngx_http_offload_peek(zone);
    c = &sh->coordinators[index];

    c->applied = sync->seq;
    c->synced = ngx_time();

    if (sync->part) {
        c->part = sync->part;

        if (c->part == c->parts) {
            c->valid = c->generation;
            sh->valids++;
            c->part = 0;
            c->parts = 0;
        }
    }

    /* dropped nodes are not looked at any more, and freed bit by bit */

    (void) ngx_http_offload_nodes_expire(zone, index,
                                         NGX_HTTP_OFFLOAD_SYNC_BATCH);
}


/* NGX_ERROR: no room for it */

static ngx_int_t
ngx_http_offload_sync_content(ngx_http_offload_zone_t *zone, ngx_uint_t index,
    ngx_http_offload_sync_content_t *item)
{
    u_char                      *site;
    ngx_http_offload_sh_t       *sh;
    ngx_http_offload_content_t  *content;

    sh = ngx_http_offload_peek(zone);
    site = sh->coordinators[index].site;

    /* a root may be named before the file is known again, after a restart */

    content = item->count
              ? ngx_http_offload_content_get(zone, site, item->root)
              : ngx_http_offload_content_find(sh, site, item->root);

    if (content == NULL) {
        return item->count ? NGX_ERROR : NGX_OK;
    }

    return ngx_http_offload_candidates_set(zone, content, index, item->list,
                                           item->count);
}


/* neither emptied nor overtaken since the lock was last held */

static ngx_uint_t
ngx_http_offload_sync_same(ngx_http_offload_sh_t *sh, ngx_uint_t index,
    ngx_http_offload_sync_t *sync)
{
    return sh->coordinators[index].seq == sync->seq
           && ngx_memcmp(sh->epoch, sync->epoch, NGX_HTTP_OFFLOAD_EPOCH_LEN)
              == 0;
}


/* has a coordinator of this site been heard from there? */

ngx_uint_t
ngx_http_offload_sync_known(ngx_http_offload_zone_t *zone,
    ngx_http_offload_srv_conf_t *oscf, u_char *addr)
{
    ngx_uint_t                       i, known;
    ngx_http_offload_sh_t           *sh;
    ngx_http_offload_coordinator_t  *c;

    known = 0;

    sh = ngx_http_offload_lock(zone);

    for (i = 0; i < NGX_HTTP_OFFLOAD_COORDINATORS && !known; i++) {
        c = &sh->coordinators[i];

        known = c->used
                && ngx_memcmp(c->addr, addr, sizeof(c->addr)) == 0
                && ngx_memcmp(c->site, oscf->id, NGX_HTTP_OFFLOAD_SITE_LEN)
                   == 0;
    }

    ngx_http_offload_unlock(zone);

    return known;
}


/* the site's files that changed after "ack", oldest change first */

void
ngx_http_offload_sync_collect(ngx_http_offload_zone_t *zone,
    ngx_http_offload_srv_conf_t *oscf, uint64_t ack,
    ngx_http_offload_sync_answer_t *answer)
{
    uint64_t                  clock;
    ngx_uint_t                n;
    ngx_rbtree_node_t        *node;
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_file_t  *file;

    sh = ngx_http_offload_lock(zone);

    ngx_http_offload_sync_sweep(zone);

    ngx_memcpy(answer->epoch, sh->epoch, NGX_HTTP_OFFLOAD_EPOCH_LEN);

    answer->clock = sh->clock;
    answer->more = 0;
    answer->nitems = 0;
    answer->used = 0;

    ack = ack > sh->clock ? 0 : ack;
    node = ngx_http_offload_change_after(&sh->changes, ack);

    for (n = 0; node; node = ngx_rbtree_next(&sh->changes, node), n++) {
        file = ngx_rbtree_data(node, ngx_http_offload_file_t, change);

        if (n == NGX_HTTP_OFFLOAD_SYNC_SCAN
            || (file->content
                && ngx_memcmp(file->site, oscf->id, NGX_HTTP_OFFLOAD_SITE_LEN)
                   == 0
                && !ngx_http_offload_sync_add(answer, file)))
        {
            answer->clock = node->key - 1;
            answer->more = 1;
            break;
        }
    }

    /* what is there of both, up to the same time */

    clock = answer->clock;
    answer->ntallies = ngx_http_offload_tallies_since(sh, oscf->id, ack,
                                              answer->tallies,
                                              NGX_HTTP_OFFLOAD_SYNC_TALLIES,
                                              &answer->clock);
    if (answer->clock < clock) {
        answer->more = 1;
    }

    if (answer->clock > sh->reported) {
        sh->reported = answer->clock;
    }

    ngx_http_offload_unlock(zone);
}


/* the first change after that, or NULL */

ngx_rbtree_node_t *
ngx_http_offload_change_after(ngx_rbtree_t *tree, uint64_t clock)
{
    ngx_rbtree_node_t  *node, *found;

    node = tree->root;
    found = NULL;

    while (node != tree->sentinel) {

        if (node->key > clock) {
            found = node;
            node = node->left;

        } else {
            node = node->right;
        }
    }

    return found;
}


/* 0: the answer is full */

static ngx_uint_t
ngx_http_offload_sync_add(ngx_http_offload_sync_answer_t *answer,
    ngx_http_offload_file_t *file)
{
    size_t                         len;
    ngx_http_offload_sync_item_t  *item;

    /* every character of a subject may need a backslash */

    len = 2 * file->sub_len + OL_ROOT_HEX + OL_HEX_LEN(OL_SHA1_BYTES) + 112;

    if (answer->nitems == NGX_HTTP_OFFLOAD_SYNC_ITEMS
        || answer->used + len > NGX_HTTP_OFFLOAD_SYNC_BYTES)
    {
        return 0;
    }

    item = &answer->items[answer->nitems++];

    item->sub.data = answer->text + answer->used;
    item->sub.len = file->sub_len;
    ngx_memcpy(item->sub.data, ngx_http_offload_file_sub(file), file->sub_len);

    ngx_memcpy(item->root, file->content->root, OL_HASH_BYTES);

    item->size = file->ident.size;
    item->demand = file->demand;
    item->torrent = file->torrent;
    ngx_memcpy(item->infohash, file->infohash, OL_SHA1_BYTES);
    item->gone = file->gone || file->revoked;

    answer->used += len;

    return 1;
}


/* what has been told to be gone for long enough */

static void
ngx_http_offload_sync_sweep(ngx_http_offload_zone_t *zone)
{
    ngx_uint_t                i;
    ngx_queue_t              *q;
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_file_t  *file;

    sh = ngx_http_offload_peek(zone);

    for (i = 0; i < NGX_HTTP_OFFLOAD_SYNC_SWEEP; i++) {

        if (ngx_queue_empty(&sh->gone)) {
            return;
        }

        q = ngx_queue_last(&sh->gone);
        file = ngx_queue_data(q, ngx_http_offload_file_t, queue);

        if (ngx_http_offload_within(file->left, NGX_HTTP_OFFLOAD_GONE)) {
            return;
        }

        ngx_http_offload_file_free(zone, file);
    }
}
