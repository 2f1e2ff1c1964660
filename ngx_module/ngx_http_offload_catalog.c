
/*
 * The catalogue: which file a (site, subject, path) stands for, which content
 * that is, what has changed since when, and who is said to have the content.
 * Knows nothing of requests.  The caller holds the lock of the zone.
 */


#include "ngx_http_offload_zone.h"

#include <ngx_md5.h>


static uint64_t ngx_http_offload_hash(ngx_http_offload_sh_t *sh,
    u_char *a, size_t alen, u_char *b, size_t blen);
static ngx_int_t ngx_http_offload_file_place(ngx_http_offload_zone_t *zone,
    ngx_http_offload_name_t *name);
static void ngx_http_offload_file_unlink(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file);
static void ngx_http_offload_content_leave(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content);


/* seeded: nobody can choose names that share a bucket */

static uint64_t
ngx_http_offload_hash(ngx_http_offload_sh_t *sh, u_char *a, size_t alen,
    u_char *b, size_t blen)
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
    name->hash = ngx_http_offload_hash(sh, name->site,
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

    if (name->sub.len > OL_SUB_MAX || name->path.len > NGX_MAX_PATH
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

    sh = ngx_http_offload_peek(zone);

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

    bucket = &sh->file_buckets[file->hash & sh->mask];
    file->next = *bucket;
    *bucket = file;

    ngx_queue_insert_head(&sh->files, &file->queue);
    ngx_queue_insert_tail(&sh->jobs, &file->job);

    sh->njobs++;
    sh->nfiles++;

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
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_file_t  *file;

    sh = ngx_http_offload_peek(zone);

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
            break;
        }
    }

    if (file == NULL) {
        return NGX_OK;
    }

    if (file->generation >= zone->generation
        && file->used + NGX_HTTP_OFFLOAD_UNUSED > ngx_time())
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
    file->used = ngx_time();

    if (file->revoked > ngx_time()) {
        return 0;
    }

    if (file->revoked) {
        file->revoked = 0;

        if (file->change.key) {
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

    if (file->content && file->content->revoked <= ngx_time()) {
        file->content->revoked = 0;
    }

    return 1;
}


/* takes it out of its bucket and queues, drops what hangs on it */

static void
ngx_http_offload_file_unlink(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file)
{
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_file_t **p;

    sh = ngx_http_offload_peek(zone);

    if (file->manifest) {
        ngx_http_offload_manifest_drop(zone, file->manifest);
    }

    ngx_queue_remove(&file->queue);

    if (file->gone) {
        return;
    }

    if (file->state == NGX_HTTP_OFFLOAD_QUEUED) {
        ngx_queue_remove(&file->job);
        sh->njobs--;
    }

    for (p = &sh->file_buckets[file->hash & sh->mask]; *p; p = &(*p)->next) {
        if (*p == file) {
            *p = file->next;
            break;
        }
    }

    sh->nfiles--;
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
        ngx_http_offload_content_leave(zone, file->content);
    }

    ngx_http_offload_free(zone, file);
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

    if (file->manifest) {
        ngx_http_offload_manifest_drop(zone, file->manifest);
    }

    if (file->content) {
        ngx_http_offload_content_leave(zone, file->content);
        file->content = NULL;
    }

    file->state = NGX_HTTP_OFFLOAD_QUEUED;

    ngx_queue_insert_tail(&sh->jobs, &file->job);
    sh->njobs++;
}


/* ties a hashed file to its content; NGX_ERROR: no memory, still HASHING */

ngx_int_t
ngx_http_offload_file_ready(ngx_http_offload_zone_t *zone,
    ngx_http_offload_file_t *file, struct ol_digest *digest)
{
    size_t                       len;
    ngx_http_offload_sh_t       *sh;
    ngx_http_offload_content_t  *content;

    sh = ngx_http_offload_peek(zone);

    file->pinned = 1;

    content = ngx_http_offload_content_get(zone, file->site, digest->root);
    if (content == NULL) {
        goto failed;
    }

    if (content->uses++ == 0) {
        ngx_queue_remove(&content->queue);
    }

    len = (size_t) digest->piece_count * OL_HASH_BYTES;

    if (len <= OL_TABLE_INLINE && content->table == NULL) {
        content->table = ngx_http_offload_alloc(zone, len);

        if (content->table == NULL) {
            ngx_http_offload_content_leave(zone, content);
            goto failed;
        }

        ngx_memcpy(content->table, digest->table, len);
        content->table_len = (uint32_t) len;
    }

    ngx_memcpy(content->sha256, digest->sha256, OL_HASH_BYTES);

    content->lost = 0;

    file->content = content;
    file->state = NGX_HTTP_OFFLOAD_READY;
    file->retry = 0;
    file->checked = 0;
    file->pinned = 0;

    ngx_http_offload_file_changed(sh, file);

    return NGX_OK;

failed:

    file->pinned = 0;

    return NGX_ERROR;
}


void
ngx_http_offload_manifest_drop(ngx_http_offload_zone_t *zone,
    ngx_http_offload_manifest_t *manifest)
{
    manifest->file->manifest = NULL;
    ngx_queue_remove(&manifest->queue);
    ngx_http_offload_free(zone, manifest);
}


ngx_http_offload_content_t *
ngx_http_offload_content_find(ngx_http_offload_sh_t *sh, u_char *site,
    u_char *root)
{
    uint64_t                     hash;
    ngx_http_offload_content_t  *content;

    hash = ngx_http_offload_hash(sh, root, OL_HASH_BYTES,
                                 site, NGX_HTTP_OFFLOAD_SITE_LEN);

    for (content = sh->content_buckets[hash & sh->mask];
         content;
         content = content->next)
    {
        if (content->hash == hash
            && ngx_memcmp(content->root, root, OL_HASH_BYTES) == 0
            && ngx_memcmp(content->site, site, NGX_HTTP_OFFLOAD_SITE_LEN) == 0)
        {
            return content;
        }
    }

    return NULL;
}


/* the content, made if need be; a new one is spare until a file uses it */

ngx_http_offload_content_t *
ngx_http_offload_content_get(ngx_http_offload_zone_t *zone, u_char *site,
    u_char *root)
{
    ngx_http_offload_sh_t       *sh;
    ngx_http_offload_content_t  *content, **bucket;

    sh = ngx_http_offload_peek(zone);

    content = ngx_http_offload_content_find(sh, site, root);
    if (content) {
        return content;
    }

    content = ngx_http_offload_alloc(zone, sizeof(ngx_http_offload_content_t));
    if (content == NULL) {
        return NULL;
    }

    ngx_memcpy(content->site, site, NGX_HTTP_OFFLOAD_SITE_LEN);
    ngx_memcpy(content->root, root, OL_HASH_BYTES);
    content->hash = ngx_http_offload_hash(sh, root, OL_HASH_BYTES,
                                          site, NGX_HTTP_OFFLOAD_SITE_LEN);

    bucket = &sh->content_buckets[content->hash & sh->mask];
    content->next = *bucket;
    *bucket = content;

    ngx_queue_insert_head(&sh->spare, &content->queue);
    sh->ncontents++;

    return content;
}


/* one use less; without candidates there is nothing to keep it for */

static void
ngx_http_offload_content_leave(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content)
{
    ngx_http_offload_sh_t  *sh;

    if (--content->uses) {
        return;
    }

    sh = ngx_http_offload_peek(zone);

    ngx_queue_insert_head(&sh->spare, &content->queue);

    if (content->candidates == NULL && !content->pinned) {
        ngx_http_offload_content_free(zone, content);
    }
}


/* for want of room: those who said who has it have to say so again */

void
ngx_http_offload_content_evict(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content)
{
    ngx_http_offload_sh_t           *sh;
    ngx_http_offload_list_t         *list;
    ngx_http_offload_coordinator_t  *c;

    sh = ngx_http_offload_peek(zone);

    for (list = content->candidates; list; list = list->next) {
        c = &sh->coordinators[list->coordinator];

        if (list->generation >= c->valid) {
            c->lost = 1;
        }
    }

    ngx_http_offload_content_free(zone, content);
}


void
ngx_http_offload_content_free(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content)
{
    ngx_http_offload_sh_t       *sh;
    ngx_http_offload_list_t     *list;
    ngx_http_offload_content_t **p;

    sh = ngx_http_offload_peek(zone);

    for (p = &sh->content_buckets[content->hash & sh->mask];
         *p;
         p = &(*p)->next)
    {
        if (*p == content) {
            *p = content->next;
            break;
        }
    }

    ngx_queue_remove(&content->queue);
    sh->ncontents--;

    while ((list = content->candidates) != NULL) {
        content->candidates = list->next;
        ngx_http_offload_free(zone, list);
    }

    if (content->table) {
        ngx_http_offload_free(zone, content->table);
    }

    ngx_http_offload_free(zone, content);
}


/*
 * What one coordinator says of one content, in the place of what it said
 * before.  Cached manifests look at their file's content by themselves.
 */

ngx_int_t
ngx_http_offload_candidates_set(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content, ngx_uint_t coordinator,
    uint32_t *list, ngx_uint_t count)
{
    size_t                    len;
    ngx_http_offload_sh_t    *sh;
    ngx_http_offload_list_t  *cl, **p;

    sh = ngx_http_offload_peek(zone);
    len = count * sizeof(uint32_t);

    for (p = &content->candidates; (cl = *p) != NULL; p = &cl->next) {
        if (cl->coordinator == coordinator) {
            break;
        }
    }

    if (cl) {
        if (cl->count == count && ngx_memcmp(cl->list, list, len) == 0) {
            cl->generation = sh->coordinators[coordinator].generation;
            return NGX_OK;
        }

        *p = cl->next;
        ngx_http_offload_free(zone, cl);
    }

    content->version++;

    if (count == 0) {
        if (content->uses == 0 && content->candidates == NULL) {
            ngx_http_offload_content_free(zone, content);
        }

        return NGX_OK;
    }

    content->pinned = 1;
    cl = ngx_http_offload_alloc(zone,
                                offsetof(ngx_http_offload_list_t, list) + len);
    content->pinned = 0;

    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->coordinator = (uint32_t) coordinator;
    cl->count = (uint32_t) count;
    cl->generation = sh->coordinators[coordinator].generation;
    ngx_memcpy(cl->list, list, len);

    cl->next = content->candidates;
    content->candidates = cl;

    return NGX_OK;
}
