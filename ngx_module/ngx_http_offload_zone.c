
/*
 * The zone itself: made once, kept over reloads of the same size, locked by
 * the pool's own mutex (which nginx releases when its holder dies), emptied by
 * whoever finds that a writer did not finish, and never full for long, since
 * what was used least recently goes first.
 */


#include "ngx_http_offload_zone.h"

#include <openssl/rand.h>


#define NGX_HTTP_OFFLOAD_EVICTIONS  64       /* tries for one allocation */
#define NGX_HTTP_OFFLOAD_IN_USE     10       /* seconds after a manifest was */
                                             /* given */


static ngx_int_t ngx_http_offload_zone_reset(ngx_http_offload_zone_t *zone);
static ngx_int_t ngx_http_offload_evict(ngx_http_offload_zone_t *zone);
static ngx_http_offload_file_t *ngx_http_offload_oldest(ngx_queue_t *queue);


ngx_int_t
ngx_http_offload_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_offload_zone_t  *ozone = data;

    ngx_http_offload_zone_t  *zone;

    zone = shm_zone->data;

    if (ozone) {
        zone->shpool = ozone->shpool;
        zone->generation = ozone->generation + 1;
        return NGX_OK;
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        return NGX_OK;
    }

    return ngx_http_offload_zone_reset(zone);
}


/*
 * The same allocations in the same order in an empty pool: the header is
 * always at the same address, so that counters may be raised without the lock
 */

static ngx_int_t
ngx_http_offload_zone_reset(ngx_http_offload_zone_t *zone)
{
    size_t                  size;
    ngx_uint_t              i, n;
    ngx_slab_pool_t        *shpool;
    ngx_http_offload_sh_t  *sh;

    shpool = zone->shpool;
    size = shpool->end - (u_char *) shpool;

    ngx_slab_init(shpool);
    shpool->log_nomem = 0;

    sh = ngx_slab_calloc_locked(shpool, sizeof(ngx_http_offload_sh_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    shpool->data = sh;

    ngx_http_offload_random(sh->epoch, NGX_HTTP_OFFLOAD_EPOCH_LEN);
    ngx_http_offload_random(sh->seed, sizeof(sh->seed));

    /* a bucket for each kilobyte, a slot for a node for each four */

    for (n = 64; n < size / 1024; n <<= 1) { /* void */ }

    sh->mask = n - 1;
    sh->nslots = n / 4;

    sh->file_buckets = ngx_slab_calloc_locked(shpool, n * sizeof(void *));
    sh->content_buckets = ngx_slab_calloc_locked(shpool, n * sizeof(void *));
    sh->manifest_buckets = ngx_slab_calloc_locked(shpool,
                                                  n * sizeof(void *));
    sh->node_buckets = ngx_slab_calloc_locked(shpool,
                                              sh->nslots * sizeof(void *));
    sh->slots = ngx_slab_calloc_locked(shpool, sh->nslots * sizeof(uint32_t));
    sh->free_slots = ngx_slab_alloc_locked(shpool,
                                           sh->nslots * sizeof(uint32_t));

    if (sh->file_buckets == NULL || sh->content_buckets == NULL
        || sh->manifest_buckets == NULL || sh->node_buckets == NULL
        || sh->slots == NULL || sh->free_slots == NULL)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < sh->nslots; i++) {
        sh->free_slots[i] = (uint32_t) (sh->nslots - 1 - i);
    }

    sh->nfree = sh->nslots;

    ngx_rbtree_init(&sh->changes, &sh->changes_sentinel,
                    ngx_rbtree_insert_value);
    ngx_rbtree_init(&sh->nodes, &sh->nodes_sentinel, ngx_rbtree_insert_value);

    ngx_queue_init(&sh->files);
    ngx_queue_init(&sh->manifests);
    ngx_queue_init(&sh->gone);
    ngx_queue_init(&sh->spare);
    ngx_queue_init(&sh->jobs);
    ngx_queue_init(&sh->hashing);

    for (i = 0; i < NGX_HTTP_OFFLOAD_COORDINATORS; i++) {
        ngx_queue_init(&sh->coordinators[i].nodes);
    }

    return ngx_http_offload_receipts_init(zone);
}


/* unique, and not to be guessed as long as OpenSSL has randomness */

void
ngx_http_offload_random(u_char *p, size_t len)
{
    if (RAND_bytes(p, len) == 1) {
        return;
    }

    while (len--) {
        *p++ = (u_char) ngx_random();
    }
}


ngx_http_offload_sh_t *
ngx_http_offload_lock(ngx_http_offload_zone_t *zone)
{
    ngx_http_offload_sh_t  *sh;

    ngx_shmtx_lock(&zone->shpool->mutex);

    sh = zone->shpool->data;

    if (sh->dirty) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "a worker died while it wrote to the offload zone, "
                      "which is emptied and will fill again by itself");

        /* cannot fail: the same went into the same pool before */
        (void) ngx_http_offload_zone_reset(zone);

        sh = zone->shpool->data;
    }

    sh->dirty = 1;
    ngx_memory_barrier();

    return sh;
}


void
ngx_http_offload_unlock(ngx_http_offload_zone_t *zone)
{
    ngx_http_offload_sh_t  *sh;

    sh = zone->shpool->data;

    ngx_memory_barrier();
    sh->dirty = 0;

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void *
ngx_http_offload_alloc(ngx_http_offload_zone_t *zone, size_t size)
{
    void        *p;
    ngx_uint_t   i;

    for (i = 0; i < NGX_HTTP_OFFLOAD_EVICTIONS; i++) {

        p = ngx_slab_calloc_locked(zone->shpool, size);
        if (p) {
            return p;
        }

        if (ngx_http_offload_evict(zone) != NGX_OK) {
            break;
        }

        ngx_http_offload_peek(zone)->evictions++;
    }

    ngx_http_offload_full(ngx_http_offload_peek(zone));

    return NULL;
}


/* says so once a minute */

void
ngx_http_offload_full(ngx_http_offload_sh_t *sh)
{
    if (!ngx_http_offload_within(sh->nomem, 60)) {
        sh->nomem = ngx_time();

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "the offload zone is full with %ui files, %ui contents "
                      "and %ui nodes: make \"offload_zone\" larger",
                      sh->nfiles, sh->ncontents, sh->nnodes);
    }
}


void
ngx_http_offload_free(ngx_http_offload_zone_t *zone, void *p)
{
    ngx_slab_free_locked(zone->shpool, p);
}


/* what is cheapest to get again goes first */

static ngx_int_t
ngx_http_offload_evict(ngx_http_offload_zone_t *zone)
{
    ngx_queue_t                  *q;
    ngx_http_offload_sh_t        *sh;
    ngx_http_offload_file_t      *file;
    ngx_http_offload_content_t   *content;
    ngx_http_offload_manifest_t  *manifest;

    sh = ngx_http_offload_peek(zone);

    file = ngx_http_offload_oldest(&sh->gone);
    if (file) {
        ngx_http_offload_file_free(zone, file);
        return NGX_OK;
    }

    manifest = NULL;

    if (!ngx_queue_empty(&sh->manifests)) {
        q = ngx_queue_last(&sh->manifests);
        manifest = ngx_queue_data(q, ngx_http_offload_manifest_t, queue);

        if (manifest->used + NGX_HTTP_OFFLOAD_IN_USE <= ngx_time()) {
            ngx_http_offload_cache_drop(zone, manifest);
            return NGX_OK;
        }
    }

    /* nobody has asked for it yet, but a coordinator may name any number */

    for (q = ngx_queue_last(&sh->spare);
         q != ngx_queue_sentinel(&sh->spare);
         q = ngx_queue_prev(q))
    {
        content = ngx_queue_data(q, ngx_http_offload_content_t, queue);

        if (!content->pinned) {
            ngx_http_offload_content_evict(zone, content);
            return NGX_OK;
        }
    }

    if (manifest) {
        ngx_http_offload_cache_drop(zone, manifest);
        return NGX_OK;
    }

    file = ngx_http_offload_oldest(&sh->files);
    if (file) {
        ngx_http_offload_file_free(zone, file);
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_http_offload_file_t *
ngx_http_offload_oldest(ngx_queue_t *queue)
{
    ngx_queue_t              *q;
    ngx_http_offload_file_t  *file;

    /* at most one is pinned */

    for (q = ngx_queue_last(queue);
         q != ngx_queue_sentinel(queue);
         q = ngx_queue_prev(q))
    {
        file = ngx_queue_data(q, ngx_http_offload_file_t, queue);

        if (!file->pinned) {
            return file;
        }
    }

    return NULL;
}
