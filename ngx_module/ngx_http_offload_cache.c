
/*
 * What has been made for a file and may be given again: manifests, one for
 * each audience, and other texts that rest on the same peers.  Found by a hash,
 * dropped by its file, by age, or when the zone is full.  Knows nothing of
 * requests.  The caller holds the lock of the zone.
 */


#include "ngx_http_offload_zone.h"

#include "offload/jws.h"


#define NGX_HTTP_OFFLOAD_FILE_CACHE  256     /* texts of one file: there */
                                             /* may be some 15 localities */


static ngx_http_offload_manifest_t **ngx_http_offload_cache_bucket(
    ngx_http_offload_sh_t *sh, ngx_http_offload_file_t *file,
    ngx_http_offload_audience_t *audience);
static ngx_uint_t ngx_http_offload_cache_same(ngx_http_offload_audience_t *a,
    ngx_http_offload_audience_t *b);


ngx_http_offload_manifest_t *
ngx_http_offload_cache_find(ngx_http_offload_sh_t *sh,
    ngx_http_offload_file_t *file, ngx_http_offload_audience_t *audience)
{
    ngx_http_offload_manifest_t  *m;

    for (m = *ngx_http_offload_cache_bucket(sh, file, audience);
         m;
         m = m->next)
    {
        if (m->file == file
            && ngx_http_offload_cache_same(&m->audience, audience))
        {
            return m;
        }
    }

    return NULL;
}


static ngx_http_offload_manifest_t **
ngx_http_offload_cache_bucket(ngx_http_offload_sh_t *sh,
    ngx_http_offload_file_t *file, ngx_http_offload_audience_t *audience)
{
    uint64_t  hash;

    /* file->hash is seeded; the rest only has to spread */

    hash = file->hash
           + ((uint64_t) audience->near << 32 | audience->locality)
             * 0x9e3779b97f4a7c15
           + ((uint64_t) audience->variant << 1 | audience->https) * 0x517cc1b7;

    return &sh->manifest_buckets[(hash ^ hash >> 32) & sh->mask];
}


static ngx_uint_t
ngx_http_offload_cache_same(ngx_http_offload_audience_t *a,
    ngx_http_offload_audience_t *b)
{
    return a->near == b->near
           && a->locality == b->locality
           && a->variant == b->variant
           && a->https == b->https;
}


/* still good to give?  The signer: the beginning of the signing key's id */

ngx_uint_t
ngx_http_offload_cache_valid(ngx_http_offload_sh_t *sh,
    ngx_http_offload_manifest_t *m, u_char *signer)
{
    uint64_t    mask;
    ngx_uint_t  i;

    /* nobody believes what was made before a clock was set back */

    if (m->refresh <= ngx_time()
        || m->used > ngx_time() + OL_LEEWAY_S
        || m->version != ngx_http_offload_version(sh, m->file->content)
        || ngx_memcmp(m->signer, signer, sizeof(m->signer)) != 0)
    {
        return 0;
    }

    for (mask = m->coordinators, i = 0; mask; mask >>= 1, i++) {
        if ((mask & 1)
            && !ngx_http_offload_within(sh->coordinators[i].synced,
                                        NGX_HTTP_OFFLOAD_FRESH))
        {
            return 0;
        }
    }

    for (i = 0; i < m->npeers; i++) {
        if (sh->slots[m->peers[i].slot] != m->peers[i].generation) {
            return 0;
        }
    }

    return 1;
}


/* the others are dropped sooner than it */

void
ngx_http_offload_cache_used(ngx_http_offload_sh_t *sh,
    ngx_http_offload_manifest_t *m)
{
    if (m->used == ngx_time()) {
        return;
    }

    m->used = ngx_time();

    ngx_queue_remove(&m->queue);
    ngx_queue_insert_head(&sh->manifests, &m->queue);

    ngx_queue_remove(&m->sibling);
    ngx_queue_insert_head(&m->file->manifests, &m->sibling);
}


/*
 * Room for a text of so many bytes, in the place of the one before; the caller
 * fills it in under the same lock.  NULL: no memory
 */

ngx_http_offload_manifest_t *
ngx_http_offload_cache_add(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file, ngx_http_offload_audience_t *audience,
    ngx_uint_t npeers, size_t len)
{
    ngx_queue_t                   *q;
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_manifest_t   *m, **bucket;

    sh = ngx_http_offload_peek(zone);

    m = ngx_http_offload_cache_find(sh, file, audience);

    if (m == NULL && file->nmanifests == NGX_HTTP_OFFLOAD_FILE_CACHE) {
        q = ngx_queue_last(&file->manifests);
        m = ngx_queue_data(q, ngx_http_offload_manifest_t, sibling);
    }

    if (m) {
        ngx_http_offload_cache_drop(zone, m);
    }

    file->pinned = 1;
    m = ngx_http_offload_alloc(zone,
                               offsetof(ngx_http_offload_manifest_t, peers)
                               + npeers * sizeof(m->peers[0]) + len);
    file->pinned = 0;

    if (m == NULL) {
        return NULL;
    }

    m->file = file;
    m->audience = *audience;
    m->npeers = npeers;
    m->len = len;
    m->used = ngx_time();

    bucket = ngx_http_offload_cache_bucket(sh, file, audience);
    m->next = *bucket;
    *bucket = m;

    ngx_queue_insert_head(&file->manifests, &m->sibling);
    ngx_queue_insert_head(&sh->manifests, &m->queue);
    file->nmanifests++;

    return m;
}


/*
 * The same for one that was made without the lock, from what the zone said
 * when that had this version (NULL: any).  Locks the zone, and leaves it locked
 * if there is room and nothing has changed; NULL: it is not to be kept
 */

ngx_http_offload_manifest_t *
ngx_http_offload_cache_keep(ngx_http_offload_zone_t *zone,
    ngx_http_offload_name_t *name, uint64_t serial, uint32_t *version,
    ngx_http_offload_audience_t *audience, ngx_uint_t npeers, size_t len)
{
    uint32_t                      now;
    ngx_http_offload_sh_t        *sh;
    ngx_http_offload_file_t      *file;
    ngx_http_offload_manifest_t  *m;

    sh = ngx_http_offload_lock(zone);

    file = ngx_http_offload_file_offered(zone, name);

    if (file == NULL || file->serial != serial) {
        goto done;
    }

    now = ngx_http_offload_version(sh, file->content);

    if (version && *version != now) {
        goto done;
    }

    m = ngx_http_offload_cache_add(zone, file, audience, npeers, len);

    if (m) {
        m->version = now;
        return m;
    }

done:

    ngx_http_offload_unlock(zone);

    return NULL;
}


void
ngx_http_offload_cache_drop(ngx_http_offload_zone_t *zone,
    ngx_http_offload_manifest_t *manifest)
{
    ngx_http_offload_sh_t         *sh;
    ngx_http_offload_manifest_t  **p;

    sh = ngx_http_offload_peek(zone);

    for (p = ngx_http_offload_cache_bucket(sh, manifest->file,
                                           &manifest->audience);
         *p;
         p = &(*p)->next)
    {
        if (*p == manifest) {
            *p = manifest->next;
            break;
        }
    }

    manifest->file->nmanifests--;

    ngx_queue_remove(&manifest->sibling);
    ngx_queue_remove(&manifest->queue);
    ngx_http_offload_free(zone, manifest);
}


void
ngx_http_offload_cache_clear(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&file->manifests)) {
        q = ngx_queue_head(&file->manifests);

        ngx_http_offload_cache_drop(zone,
                                    ngx_queue_data(q,
                                                 ngx_http_offload_manifest_t,
                                                 sibling));
    }
}
