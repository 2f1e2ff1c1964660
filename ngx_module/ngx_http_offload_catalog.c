
/*
 * The catalogue: which file a (site, subject, path) stands for, whether it may
 * be offered, how much it is asked for, and what has changed since when.  Knows nothing of requests.
 * The caller holds the lock of the zone.
 */


#include "ngx_http_offload_zone.h"

#include <ngx_md5.h>


#define NGX_HTTP_OFFLOAD_JOBS    4096        /* waiting; more come later */
#define NGX_HTTP_OFFLOAD_LATER   10          /* seconds */


static ngx_int_t ngx_http_offload_file_place(ngx_http_offload_zone_t *zone,
    ngx_http_offload_name_t *name);
static void ngx_http_offload_file_unlink(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file);


/* seeded: nobody can choose names that share a bucket */

uint64_t
ngx_http_offload_seeded_hash(ngx_http_offload_sh_t *sh, u_char *a,
    size_t alen, u_char *b, size_t blen)
{
    u_char     digest[16];
    uint64_t   hash;
    ngx_md5_t  md5;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, sh->seed, sizeof(sh->seed));
    ngx_md5_update(&md5, a, alen);
    ngx_md5_update(&md5, b, blen);
    ngx_md5_final(digest, &md5);

    ngx_memcpy(&hash, digest, sizeof(uint64_t));

    return hash;
}


/* needs no lock: at worst the zone is emptied meanwhile */

void
ngx_http_offload_name_hash(ngx_http_offload_sh_t *sh,
    ngx_http_offload_name_t *name)
{
    name->hash = ngx_http_offload_seeded_hash(sh, name->site,
                                              NGX_HTTP_OFFLOAD_SITE_LEN,
                                              name->sub.data, name->sub.len);
}


ngx_http_offload_file_t *
ngx_http_offload_file_find(ngx_http_offload_sh_t *sh,
    ngx_http_offload_name_t *name)
{
    ngx_http_offload_file_t  *file;

    for (file = sh->file_buckets[name->hash & sh->mask];
         file;
         file = file->next)
    {
        if (file->hash == name->hash
            && file->sub_len == name->sub.len
            && file->path_len == name->path.len
            && ngx_memcmp(file->site, name->site, NGX_HTTP_OFFLOAD_SITE_LEN)
               == 0
            && ngx_memcmp(ngx_http_offload_file_sub(file), name->sub.data,
                          name->sub.len)
               == 0
            && ngx_memcmp(ngx_http_offload_file_path(file), name->path.data,
                          name->path.len)
               == 0)
        {
            return file;
        }
    }

    return NULL;
}


/* by its subject alone, which stands for one file at a time */

ngx_http_offload_file_t *
ngx_http_offload_file_of(ngx_http_offload_sh_t *sh,
    ngx_http_offload_name_t *name)
{
    ngx_http_offload_file_t  *file;

    for (file = sh->file_buckets[name->hash & sh->mask];
         file;
         file = file->next)
    {
        if (file->hash == name->hash
            && file->sub_len == name->sub.len
            && ngx_memcmp(file->site, name->site, NGX_HTTP_OFFLOAD_SITE_LEN)
               == 0
            && ngx_memcmp(ngx_http_offload_file_sub(file), name->sub.data,
                          name->sub.len)
               == 0)
        {
            return file;
        }
    }

    return NULL;
}


/* new, in the bucket, queued to be indexed, and not yet told to anyone */

ngx_http_offload_file_t *
ngx_http_offload_file_create(ngx_http_offload_zone_t *zone,
    ngx_http_offload_name_t *name, ngx_http_offload_version_t *version)
{
    u_char                   *p;
    size_t                    len;
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_file_t  *file, **bucket;

    len = name->sub.len + name->path.len + version->type.len
          + version->etag.len;

    sh = ngx_http_offload_peek(zone);

    if (sh->njobs >= NGX_HTTP_OFFLOAD_JOBS
        || name->sub.len > OL_SUB_MAX || name->path.len > NGX_MAX_PATH
        || version->type.len > NGX_HTTP_OFFLOAD_TYPE_LEN
        || version->etag.len > NGX_HTTP_OFFLOAD_ETAG_LEN
        || ngx_http_offload_file_place(zone, name) != NGX_OK)
    {
        return NULL;
    }

    file = ngx_http_offload_alloc(zone,
                                  offsetof(ngx_http_offload_file_t, data)
                                  + len);
    if (file == NULL) {
        return NULL;
    }

    ngx_memcpy(file->site, name->site, NGX_HTTP_OFFLOAD_SITE_LEN);

    file->sub_len = (uint16_t) name->sub.len;
    file->path_len = (uint16_t) name->path.len;
    file->type_len = (uint16_t) version->type.len;
    file->etag_len = (uint16_t) version->etag.len;

    p = ngx_cpymem(file->data, name->sub.data, name->sub.len);
    p = ngx_cpymem(p, name->path.data, name->path.len);
    p = ngx_cpymem(p, version->type.data, version->type.len);
    ngx_memcpy(p, version->etag.data, version->etag.len);

    file->ident.size = version->size;
    file->ident.mtime = version->mtime;
    file->serial = ++sh->serial;
    file->state = NGX_HTTP_OFFLOAD_QUEUED;

    file->hash = name->hash;

    ngx_queue_init(&file->manifests);

    bucket = &sh->file_buckets[file->hash & sh->mask];
    file->next = *bucket;
    *bucket = file;

    ngx_queue_insert_head(&sh->files, &file->queue);
    ngx_queue_insert_tail(&sh->jobs, &file->job);

    sh->njobs++;
    sh->nfiles++;
    sh->states[file->state]++;

    return file;
}


/*
 * A subject stands for one file: where a header or the like chooses the path,
 * others may have another one only once nobody asks for the first any more
 */

static ngx_int_t
ngx_http_offload_file_place(ngx_http_offload_zone_t *zone,
    ngx_http_offload_name_t *name)
{
    ngx_http_offload_file_t  *file;

    file = ngx_http_offload_file_of(ngx_http_offload_peek(zone), name);
    if (file == NULL) {
        return NGX_OK;
    }

    if (file->generation >= zone->generation
        && ngx_http_offload_within(file->used, NGX_HTTP_OFFLOAD_UNUSED))
    {
        return NGX_DECLINED;
    }

    ngx_http_offload_file_gone(zone, file);

    return NGX_OK;
}


ngx_uint_t
ngx_http_offload_file_is(ngx_http_offload_file_t *file,
    ngx_http_offload_version_t *version)
{
    return file->ident.size == version->size
           && file->ident.mtime == version->mtime
           && file->etag_len == version->etag.len
           && file->type_len == version->type.len
           && ngx_memcmp(ngx_http_offload_file_etag(file), version->etag.data,
                         version->etag.len)
              == 0
           && ngx_memcmp(ngx_http_offload_file_type(file), version->type.data,
                         version->type.len)
              == 0;
}


void
ngx_http_offload_file_used(ngx_http_offload_sh_t *sh,
    ngx_http_offload_file_t *file)
{
    file->used = ngx_time();

    ngx_queue_remove(&file->queue);
    ngx_queue_insert_head(&sh->files, &file->queue);
}


/* one that could do with peers asks for it */

void
ngx_http_offload_file_demanded(ngx_http_offload_sh_t *sh,
    ngx_http_offload_file_t *file)
{
    ngx_http_offload_file_used(sh, file);

    file->demand++;

    if (file->second != ngx_time()) {
        file->rate = (file->second + 1 == ngx_time()) ? file->hits : 0;
        file->second = ngx_time();
        file->hits = 0;
    }

    file->hits++;
}


/* in turn, as many as there are requests a second: 8 at most */

ngx_uint_t
ngx_http_offload_file_variant(ngx_http_offload_file_t *file)
{
    ngx_uint_t  n;

    n = ngx_max(file->rate, 1);
    n = ngx_min(n, NGX_HTTP_OFFLOAD_VARIANTS);

    return file->turn++ % n;
}


/*
 * A file moves only if its last move has been told to somebody, so a crowd
 * moves it once per answer, whoever asks and however many they are
 */

void
ngx_http_offload_file_changed(ngx_http_offload_sh_t *sh,
    ngx_http_offload_file_t *file)
{
    if (file->change.key) {

        if (file->change.key > sh->reported) {
            return;
        }

        ngx_rbtree_delete(&sh->changes, &file->change);
    }

    file->change.key = (ngx_rbtree_key_t) ++sh->clock;
    ngx_rbtree_insert(&sh->changes, &file->change);
}


/*
 * A direct answer was for anyone.  0: it is not to be offered yet, since one
 * was private a short while ago
 */

ngx_uint_t
ngx_http_offload_file_judged(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file)
{
    ngx_http_offload_file_used(ngx_http_offload_peek(zone), file);

    if (!ngx_http_offload_due(file->revoked, NGX_HTTP_OFFLOAD_REVOKED)) {
        return 0;
    }

    if (file->altered && file->generation >= zone->generation) {
        return 0;
    }

    file->altered = 0;

    if (file->revoked) {
        file->revoked = 0;

        if (file->state == NGX_HTTP_OFFLOAD_READY) {
            ngx_http_offload_file_changed(ngx_http_offload_peek(zone), file);
        }
    }

    /* a worker that is about to leave knows the configuration before */

    if (file->generation < zone->generation) {
        file->generation = zone->generation;
    }

    return ngx_http_offload_file_public(zone, file);
}


/*
 * Was the last direct answer, under this configuration, for anyone?  Then so
 * is the content, though it may have been private at another place
 */

ngx_uint_t
ngx_http_offload_file_public(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file)
{
    if (file->revoked || file->generation < zone->generation) {
        return 0;
    }

    if (file->content) {

        if (ngx_http_offload_due(file->content->revoked,
                                 NGX_HTTP_OFFLOAD_REVOKED))
        {
            file->content->revoked = 0;
        }

        if (file->content->generation < file->generation) {
            file->content->generation = file->generation;
        }
    }

    return 1;
}


/* READY, and for anyone; NULL: there is none */

ngx_http_offload_file_t *
ngx_http_offload_file_offered(ngx_http_offload_zone_t *zone,
    ngx_http_offload_name_t *name)
{
    ngx_http_offload_file_t  *file;

    file = ngx_http_offload_file_find(ngx_http_offload_peek(zone), name);

    if (file == NULL || file->state != NGX_HTTP_OFFLOAD_READY
        || !ngx_http_offload_file_public(zone, file))
    {
        return NULL;
    }

    return file;
}


/* takes it out of its bucket and queues, drops what hangs on it */

static void
ngx_http_offload_file_unlink(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file)
{
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_file_t **p;

    sh = ngx_http_offload_peek(zone);

    ngx_http_offload_cache_clear(zone, file);

    ngx_queue_remove(&file->queue);

    if (file->gone) {
        return;
    }

    if (file->content) {
        ngx_queue_remove(&file->same);
    }

    if (file->state == NGX_HTTP_OFFLOAD_QUEUED) {
        ngx_queue_remove(&file->job);
        sh->njobs--;

    } else if (file->state == NGX_HTTP_OFFLOAD_HASHING) {
        ngx_queue_remove(&file->job);
    }

    for (p = &sh->file_buckets[file->hash & sh->mask]; *p; p = &(*p)->next) {
        if (*p == file) {
            *p = file->next;
            break;
        }
    }

    sh->nfiles--;
    sh->states[file->state]--;
}


/* a version that was told to coordinators stays, to tell them that it went */

void
ngx_http_offload_file_gone(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file)
{
    ngx_http_offload_sh_t  *sh;

    if (file->change.key == 0) {
        ngx_http_offload_file_free(zone, file);
        return;
    }

    sh = ngx_http_offload_peek(zone);

    ngx_http_offload_file_unlink(zone, file);

    file->gone = 1;
    file->left = ngx_time();

    if (file->content) {
        file->content->gone++;
    }

    ngx_queue_insert_head(&sh->gone, &file->queue);
    ngx_http_offload_file_changed(sh, file);
}


void
ngx_http_offload_file_free(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file)
{
    ngx_http_offload_sh_t  *sh;

    sh = ngx_http_offload_peek(zone);

    ngx_http_offload_file_unlink(zone, file);

    if (file->change.key) {
        ngx_rbtree_delete(&sh->changes, &file->change);
    }

    if (file->content) {
        file->content->gone -= file->gone;
        ngx_http_offload_content_leave(zone, file->content);
    }

    ngx_http_offload_free(zone, file);
}


/* of a file that has not gone */

void
ngx_http_offload_file_state(ngx_http_offload_sh_t *sh,
    ngx_http_offload_file_t *file, ngx_http_offload_state_e state)
{
    if (file->state == NGX_HTTP_OFFLOAD_HASHING) {
        ngx_queue_remove(&file->job);
    }

    if (state == NGX_HTTP_OFFLOAD_HASHING) {
        ngx_queue_insert_tail(&sh->hashing, &file->job);
    }

    sh->states[file->state]--;
    sh->states[state]++;

    file->state = state;
}


/* to be indexed (again), from whatever state */

void
ngx_http_offload_file_again(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file)
{
    ngx_http_offload_sh_t  *sh;

    sh = ngx_http_offload_peek(zone);

    if (file->state == NGX_HTTP_OFFLOAD_QUEUED) {
        return;
    }

    ngx_http_offload_cache_clear(zone, file);

    /* the content stays: coordinators have been told of it */

    if (sh->njobs >= NGX_HTTP_OFFLOAD_JOBS) {
        ngx_http_offload_file_state(sh, file, NGX_HTTP_OFFLOAD_FAILED);
        file->retry = ngx_time() + NGX_HTTP_OFFLOAD_LATER;
        return;
    }

    ngx_http_offload_file_state(sh, file, NGX_HTTP_OFFLOAD_QUEUED);

    ngx_queue_insert_tail(&sh->jobs, &file->job);
    sh->njobs++;
}


/*
 * Ties a hashed file to its content, if it has none yet.  NGX_ERROR: no memory,
 * still HASHING; NGX_DECLINED: another content than it had
 */

ngx_int_t
ngx_http_offload_file_ready(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file, struct ol_digest *digest, u_char *infohash)
{
    size_t                       len;
    ngx_http_offload_sh_t       *sh;
    ngx_http_offload_content_t  *content;

    if (file->content
        && ngx_memcmp(file->content->root, digest->root, OL_HASH_BYTES) != 0)
    {
        return NGX_DECLINED;
    }

    sh = ngx_http_offload_peek(zone);

    file->pinned = 1;

    content = ngx_http_offload_content_get(zone, file->site, digest->root);
    if (content == NULL) {
        goto failed;
    }

    if (file->content == NULL) {

        if (content->uses++ == 0) {
            ngx_queue_remove(&content->queue);
        }

        file->content = content;
        ngx_queue_insert_head(&content->files, &file->same);
    }

    len = (size_t) digest->piece_count * OL_HASH_BYTES;

    if (len <= OL_TABLE_INLINE && content->table == NULL) {
        content->table = ngx_http_offload_alloc(zone, len);

        if (content->table == NULL) {
            goto failed;
        }

        ngx_memcpy(content->table, digest->table, len);
        content->table_len = (uint32_t) len;
    }

    ngx_memcpy(content->sha256, digest->sha256, OL_HASH_BYTES);

    content->size = digest->size;
    content->lost = 0;

    file->torrent = infohash ? 1 : 0;

    if (infohash) {
        ngx_memcpy(file->infohash, infohash, OL_SHA1_BYTES);
    }

    ngx_http_offload_file_state(sh, file, NGX_HTTP_OFFLOAD_READY);
    file->retry = 0;
    file->checked = 0;
    file->pinned = 0;

    /* what became private meanwhile, and was never told of, is not told now */

    if (file->revoked == 0 || file->change.key) {
        ngx_http_offload_file_changed(sh, file);
    }

    return NGX_OK;

failed:

    file->pinned = 0;

    return NGX_ERROR;
}
