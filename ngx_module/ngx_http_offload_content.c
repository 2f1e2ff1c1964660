
/*
 * The contents behind the files: found by their roots, kept while a file has
 * them or somebody is said to, and who is said to.  Knows nothing of requests.
 * The caller holds the lock of the zone.
 */


#include "ngx_http_offload_zone.h"


ngx_http_offload_content_t *
ngx_http_offload_content_find(ngx_http_offload_sh_t *sh, u_char *site,
    u_char *root)
{
    uint64_t                     hash;
    ngx_http_offload_content_t  *content;

    hash = ngx_http_offload_seeded_hash(sh, root, OL_HASH_BYTES,
                                        (u_char *) "", 0);

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


/* one that is offered under this name, the last segment of its subject */

ngx_http_offload_file_t *
ngx_http_offload_content_file(ngx_http_offload_zone_t *zone,
    ngx_http_offload_content_t *content, ngx_str_t *name)
{
    u_char                   *last;
    ngx_uint_t                n;
    ngx_queue_t              *q;
    ngx_http_offload_file_t  *file;

    q = ngx_queue_head(&content->files);

    for (n = 0;
         n < NGX_HTTP_OFFLOAD_NAMESAKES
         && q != ngx_queue_sentinel(&content->files);
         n++)
    {
        file = ngx_queue_data(q, ngx_http_offload_file_t, same);
        last = ngx_http_offload_file_sub(file) + file->sub_len;

        q = ngx_queue_next(q);

        if (file->sub_len > name->len
            && last[-1 - (ssize_t) name->len] == '/'
            && ngx_memcmp(last - name->len, name->data, name->len) == 0
            && file->state == NGX_HTTP_OFFLOAD_READY
            && ngx_http_offload_file_public(zone, file))
        {
            return file;
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
    ngx_queue_init(&content->files);
    content->hash = ngx_http_offload_seeded_hash(sh, root, OL_HASH_BYTES,
                                                 (u_char *) "", 0);

    bucket = &sh->content_buckets[content->hash & sh->mask];
    content->next = *bucket;
    *bucket = content;

    ngx_queue_insert_head(&sh->spare, &content->queue);
    sh->ncontents++;

    return content;
}


/* one use less; without candidates there is nothing to keep it for */

void
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

    if (content->networks) {
        ngx_http_offload_free(zone, content->networks);
    }

    if (content->table) {
        ngx_http_offload_free(zone, content->table);
    }

    if (content->ticket) {
        ngx_http_offload_free(zone, content->ticket);
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
