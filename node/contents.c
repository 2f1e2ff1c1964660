/*
 * The contents that this node keeps (contents.h).
 *
 * Owns: the table of contents, the life of a content, and when its bitmap is
 * written down.  Must not know HTTP, nor where pieces come from.
 */
#include "node/contents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/log.h"
#include "offload/encoding.h"
#include "offload/jws.h"

#define BUCKETS (1u << 15)
#define OPEN_MAX 512 /* open contents that nobody uses */
#define SYNC_MS 500  /* pieces of that long are synced together */
#define SYNCS_MAX 2  /* jobs at a time */
#define SYNC_RETRY_MS 10000
#define REPLACES_MAX 1024 /* waiting; beyond: forgotten, the next one tells */

LIST_HEAD(bucket, content);
TAILQ_HEAD(replace_list, replace);

struct contents {
    uv_loop_t *loop;
    struct contents_options options;
    struct quota quota;
    struct bucket buckets[BUCKETS];
    struct content **all;
    uint32_t count, cap;
    uint32_t leaving;        /* gone, not yet removed from the disk */
    struct opened_list idle; /* open and unused, latest first */
    uint32_t idle_count;
    struct content_list lacking;

    struct content_list unsynced; /* held */
    unsigned syncs;               /* jobs under way */
    uv_timer_t timer;             /* the next batch, or the end of a flush */
    struct replace_list replaces; /* the first one is under way */
    unsigned replace_count;
    bool failed; /* something could not be written down */
    void (*flushed)(void *arg, bool ok);
    void *flushed_arg;
};

struct content_job { /* opens, syncs or removes one content */
    struct job job;
    struct contents *contents;
    struct content *content; /* held, but by a removal */
    struct opened *open;     /* made by an opening */
    struct ol_bitmap have;   /* of a sync, a copy */
    bool sure;
    int error;
};

struct replace { /* of a small file of a content */
    TAILQ_ENTRY(replace) link;
    struct job job;
    struct contents *contents;
    struct content *content; /* held */
    const char *name;
    char *data;
    size_t len;
    int error;
};

static void sync_some(struct contents *c);

/* The table */

static struct bucket *
bucket_of(struct contents *c, const uint8_t *root)
{
    uint32_t hash;

    memcpy(&hash, root, sizeof(hash));
    return &c->buckets[hash % BUCKETS];
}

static struct content *
lookup(struct contents *c, const uint8_t *root)
{
    struct content *content;

    LIST_FOREACH(content, bucket_of(c, root), hash_link)
    {
        if (memcmp(content->root, root, OL_HASH_BYTES) == 0)
            return content;
    }
    return NULL;
}

struct content *
contents_find(struct contents *c, const uint8_t root[OL_HASH_BYTES])
{
    struct content *content = lookup(c, root);

    return content == NULL || content->gone ? NULL : content;
}

bool
contents_known(struct contents *c, const uint8_t root[OL_HASH_BYTES])
{
    return lookup(c, root) != NULL;
}

uint32_t
contents_count(const struct contents *c)
{
    return c->count;
}

struct content *
contents_at(struct contents *c, uint32_t slot)
{
    return c->all[slot];
}

uint64_t
contents_free_bytes(const struct contents *c)
{
    return quota_free(&c->quota);
}

struct content_list *
contents_lacking(struct contents *c)
{
    return &c->lacking;
}

static int
table_append(struct contents *c, struct content *content)
{
    if (c->count == c->cap) {
        uint32_t cap = c->cap == 0 ? 256 : c->cap * 2;
        struct content **all = realloc(c->all, cap * sizeof(*all));

        if (all == NULL)
            return -ENOMEM;
        c->all = all;
        c->cap = cap;
    }
    content->slot = c->count;
    c->all[c->count++] = content;
    LIST_INSERT_HEAD(bucket_of(c, content->root), content, hash_link);
    return 0;
}

static void
table_forget(struct contents *c, struct content *content)
{
    c->all[content->slot] = c->all[--c->count];
    c->all[content->slot]->slot = content->slot;
}

/* Keeps the list of those with pieces to fetch up to date. */
static void
lacking_update(struct contents *c, struct content *content)
{
    bool lacking = !content->gone && content->assigned != 0 &&
                   !ol_bitmap_full(&content->have);

    if (lacking == content->lacking)
        return;
    content->lacking = lacking;
    if (!lacking) {
        TAILQ_REMOVE(&c->lacking, content, lacking_link);
        return;
    }
    content->next_own = content->next_any = content->rounds = 0;
    content->next_round = 0;
    TAILQ_INSERT_TAIL(&c->lacking, content, lacking_link);
}

static void
notify(struct contents *c, struct content *content)
{
    if (content->gone)
        return;
    content->dirty = content->told;
    c->options.changed(c->options.arg, content, false);
}

/* One content in memory */

static void
content_free(struct content *content)
{
    if (content == NULL)
        return;
    ol_bitmap_clear(&content->have);
    ol_bitmap_clear(&content->sure);
    free(content);
}

static int
content_create(const uint8_t *root, uint64_t size, struct content **ret)
{
    struct content *content = calloc(1, sizeof(*content));

    if (content == NULL)
        return -ENOMEM;
    memcpy(content->root, root, OL_HASH_BYTES);
    ol_hex_encode(content->hex, root, OL_HASH_BYTES);
    content->size = size;
    TAILQ_INIT(&content->waiters);
    LIST_INIT(&content->pulls);
    if (ol_bitmap_init(&content->have, ol_piece_count(size)) != 0 ||
        ol_bitmap_init(&content->sure, ol_piece_count(size)) != 0) {
        content_free(content);
        return -ENOMEM;
    }
    *ret = content;
    return 0;
}

static uint64_t
overhead(uint64_t size)
{
    return CONTENT_OVERHEAD + (uint64_t)ol_piece_count(size) * OL_HASH_BYTES;
}

static uint64_t
held_bytes(const struct content *content)
{
    uint32_t last = content->have.count - 1;
    uint64_t bytes = (uint64_t)content->have.set * ol_piece_size(content->size);

    if (ol_bitmap_get(&content->have, last))
        bytes -=
            ol_piece_size(content->size) - ol_piece_length(content->size, last);
    return bytes;
}

static void
opened_free(struct opened *open)
{
    if (open == NULL)
        return;
    store_file_clear(&open->file);
    ol_manifest_clear(&open->manifest);
    assignment_unref(open->assignment);
    free(open);
}

static void
idle_push(struct contents *c, struct content *content)
{
    struct opened *last;

    if (content->open == NULL)
        return;
    TAILQ_INSERT_HEAD(&c->idle, content->open, link);
    if (++c->idle_count <= OPEN_MAX)
        return;
    last = TAILQ_LAST(&c->idle, opened_list);
    TAILQ_REMOVE(&c->idle, last, link);
    c->idle_count--;
    last->content->open = NULL;
    opened_free(last);
}

static void
idle_take(struct contents *c, struct content *content)
{
    if (content->open == NULL)
        return;
    TAILQ_REMOVE(&c->idle, content->open, link);
    c->idle_count--;
}

static struct content_job *
job_create(struct contents *c, struct content *content)
{
    struct content_job *job = calloc(1, sizeof(*job));

    if (job != NULL) {
        job->contents = c;
        job->content = content;
    }
    return job;
}

/* Removal, once nobody uses it */

static void
run_remove(struct job *base)
{
    struct content_job *job = JOB_OF(base, struct content_job, job);

    job->error = store_remove(job->contents->options.store, job->content->root);
}

static void
done_remove(struct job *base)
{
    struct content_job *job = JOB_OF(base, struct content_job, job);

    if (job->error != 0)
        log_error("%s: cannot be removed from the storage: %s",
                  job->content->hex, strerror(-job->error));
    job->contents->leaving--;
    LIST_REMOVE(job->content, hash_link);
    content_free(job->content);
    free(job);
}

static void
content_leave(struct contents *c, struct content *content)
{
    struct content_job *job = job_create(c, content);

    opened_free(content->open);
    content->open = NULL;
    if (job == NULL) { /* the next start finds it again */
        LIST_REMOVE(content, hash_link);
        content_free(content);
        return;
    }
    c->leaving++;
    job_start(c->options.jobs, &job->job, run_remove, done_remove);
}

void
content_hold(struct contents *c, struct content *content)
{
    if (content->quota.users++ == 0)
        idle_take(c, content);
}

void
content_release(struct contents *c, struct content *content)
{
    if (--content->quota.users > 0)
        return;
    if (content->gone)
        content_leave(c, content);
    else
        idle_push(c, content);
}

void
contents_drop(struct contents *c, struct content *content, const char *why)
{
    if (content->gone)
        return;
    log_info("%s: dropped: %s", content->hex, why);
    content_hold(c, content);
    content->gone = true;
    lacking_update(c, content);
    quota_remove(&c->quota, &content->quota);
    table_forget(c, content);
    c->options.changed(c->options.arg, content, true);
    content_release(c, content);
}

/* Room */

static bool
evict_one(struct contents *c, bool kept_too)
{
    struct quota_item *item = quota_victim(&c->quota, kept_too);
    struct content *content;

    if (item == NULL)
        return false;
    content = (struct content *)(void *)((char *)item -
                                         offsetof(struct content, quota));
    contents_drop(c, content, "its room is needed");
    return true;
}

int
contents_make_room(struct contents *c, uint64_t size)
{
    if (size + overhead(size) > c->quota.limit)
        return -EFBIG;
    while (c->count + c->leaving >= CONTENTS_MAX ||
           quota_free(&c->quota) < overhead(size))
        if (!evict_one(c, false))
            return -ENOSPC;
    return 0;
}

int
content_reserve(struct contents *c, struct content *content, uint32_t bytes,
                bool evict)
{
    if (content->gone)
        return -ESTALE;
    while (!quota_reserve(&c->quota, &content->quota, bytes))
        if (!evict_one(c, evict))
            return -ENOSPC;
    return 0;
}

void
content_return(struct contents *c, struct content *content, uint32_t bytes)
{
    if (!content->gone)
        quota_return(&c->quota, &content->quota, bytes);
}

void
content_touch(struct contents *c, struct content *content)
{
    if (!content->gone)
        quota_touch(&c->quota, &content->quota);
}

void
content_assign(struct contents *c, struct content *content,
               uint16_t coordinators)
{
    if (content->gone)
        return;
    content->assigned = coordinators;
    quota_set_released(&c->quota, &content->quota, coordinators == 0);
    lacking_update(c, content);
}

/* Opening */

static int
open_content(struct content_job *job)
{
    struct opened *open = calloc(1, sizeof(*open));
    struct ol_jws jws = {0};
    int rc;

    if (open == NULL)
        return -ENOMEM;
    open->content = job->content;
    open->file.fd = -1;
    rc = store_open(job->contents->options.store, job->content->root,
                    job->content->size, &open->file);
    if (rc == 0) /* it was verified before it was stored */
        rc = ol_jws_parse(open->file.manifest, open->file.manifest_len,
                          OL_TYP_MANIFEST, &jws, NULL);
    if (rc == 0)
        rc = ol_manifest_from_json(jws.payload, &open->manifest, NULL);
    ol_jws_clear(&jws);
    if (rc == 0)
        rc = assignment_parse(open->file.assignment, open->file.assignment_len,
                              &open->assignment, NULL);
    if (rc != 0) {
        opened_free(open);
        return rc;
    }
    job->open = open;
    return 0;
}

static void
run_open(struct job *base)
{
    struct content_job *job = JOB_OF(base, struct content_job, job);

    job->error = open_content(job);
}

static void
tell_waiters(struct content *content, int error)
{
    struct content_waiter *waiter;

    while ((waiter = TAILQ_FIRST(&content->waiters)) != NULL) {
        TAILQ_REMOVE(&content->waiters, waiter, link);
        waiter->waiting = false;
        waiter->done(waiter, error);
    }
}

static void
done_open(struct job *base)
{
    struct content_job *job = JOB_OF(base, struct content_job, job);
    struct contents *c = job->contents;
    struct content *content = job->content;
    int error = job->error;

    content->opening = false;
    content->open = job->open;
    free(job);
    if (error != 0 && error != -ENOMEM && error != -EMFILE)
        contents_drop(c, content, "its folder in the storage is damaged");
    tell_waiters(content, content->gone ? -ESTALE : error);
    content_release(c, content);
}

void
content_open(struct contents *c, struct content *content,
             struct content_waiter *waiter)
{
    struct content_job *job;

    waiter->waiting = true;
    TAILQ_INSERT_TAIL(&content->waiters, waiter, link);
    if (content->opening)
        return;
    job = job_create(c, content);
    if (job == NULL) {
        tell_waiters(content, -ENOMEM);
        return;
    }
    content->opening = true;
    content_hold(c, content);
    job_start(c->options.jobs, &job->job, run_open, done_open);
}

void
content_open_cancel(struct content *content, struct content_waiter *waiter)
{
    if (!waiter->waiting)
        return;
    waiter->waiting = false;
    TAILQ_REMOVE(&content->waiters, waiter, link);
}

/* Small files */

static void replace_next(struct contents *c);

static void
run_replace(struct job *base)
{
    struct replace *r = JOB_OF(base, struct replace, job);

    r->error = store_replace(r->contents->options.store, r->content->root,
                             r->name, r->data, r->len);
}

static void
replace_free(struct contents *c, struct replace *r)
{
    content_release(c, r->content);
    free(r->data);
    free(r);
}

static void
done_replace(struct job *base)
{
    struct replace *r = JOB_OF(base, struct replace, job);
    struct contents *c = r->contents;

    if (r->error != 0) {
        c->failed = true;
        log_error("%s: its %s cannot be written: %s", r->content->hex, r->name,
                  strerror(-r->error));
    }
    TAILQ_REMOVE(&c->replaces, r, link);
    c->replace_count--;
    replace_free(c, r);
    replace_next(c);
}

/* One at a time, so that the last word is the one that stays. */
static void
replace_next(struct contents *c)
{
    struct replace *r = TAILQ_FIRST(&c->replaces);

    if (r != NULL)
        job_start(c->options.jobs, &r->job, run_replace, done_replace);
    else if (c->flushed != NULL)
        sync_some(c);
}

/* Takes data. */
static void
replace_start(struct contents *c, struct content *content, const char *name,
              char *data, size_t len)
{
    struct replace *r = NULL;

    if (data != NULL && c->replace_count < REPLACES_MAX)
        r = calloc(1, sizeof(*r));
    if (r == NULL) {
        free(data);
        return;
    }
    r->contents = c;
    r->content = content;
    r->name = name;
    r->data = data;
    r->len = len;
    content_hold(c, content);
    TAILQ_INSERT_TAIL(&c->replaces, r, link);
    if (c->replace_count++ == 0)
        replace_next(c);
}

void
content_set_assignment(struct contents *c, struct content *content,
                       struct assignment *a, const char *const *coordinators,
                       size_t count)
{
    struct opened *open = content->open;
    char *text = assignment_dump(a, coordinators, count);

    if (text != NULL)
        replace_start(c, content, "assignment", text, strlen(text));
    if (!assignment_equal(open->assignment, a)) {
        open->avoid = 0; /* the bits stand for other nodes now */
        memset(open->slow_until, 0, sizeof(open->slow_until));
    }
    assignment_unref(open->assignment);
    open->assignment = assignment_ref(a);
}

void
content_set_manifest(struct contents *c, struct content *content,
                     struct ol_manifest *manifest, const char *token,
                     size_t len)
{
    char *copy = malloc(len);

    if (copy != NULL)
        memcpy(copy, token, len);
    replace_start(c, content, "manifest", copy, len);
    ol_manifest_clear(&content->open->manifest);
    content->open->manifest = *manifest;
    *manifest = (struct ol_manifest){0};
}

/* Pieces */

static void
on_timer(uv_timer_t *timer)
{
    sync_some(timer->data);
}

static void
run_sync(struct job *base)
{
    struct content_job *job = JOB_OF(base, struct content_job, job);

    job->error = store_sync(job->contents->options.store, job->content->root,
                            &job->content->open->file, &job->have, job->sure);
}

static void
done_sync(struct job *base)
{
    static struct log_kind kind = {.name = "storage"};
    struct content_job *job = JOB_OF(base, struct content_job, job);
    struct contents *c = job->contents;
    struct content *content = job->content;

    c->syncs--;
    content->syncing = false;
    if (job->error != 0) {
        c->failed = true;
        content->unsynced = !content->gone && c->flushed == NULL;
        log_limited(&kind, LOG_ERROR_,
                    "%s: pieces cannot be written down: %s; is the disk full?",
                    content->hex, strerror(-job->error));
    }
    if (content->unsynced)
        TAILQ_INSERT_TAIL(&c->unsynced, content, unsynced_link);
    else
        content_release(c, content);
    if (job->error == 0 || c->flushed != NULL)
        sync_some(c);
    else
        uv_timer_start(&c->timer, on_timer, SYNC_RETRY_MS, 0);
    ol_bitmap_clear(&job->have);
    free(job);
}

static struct content_job *
sync_create(struct contents *c, struct content *content)
{
    struct content_job *job = job_create(c, content);

    if (job == NULL || ol_bitmap_init(&job->have, content->have.count) != 0) {
        free(job);
        return NULL;
    }
    memcpy(job->have.bits, content->have.bits,
           ol_bitmap_bytes(content->have.count));
    job->have.set = content->have.set;
    job->sure = content->sure.set == content->have.set;
    return job;
}

static void
sync_some(struct contents *c)
{
    struct content *content;
    struct content_job *job;

    while (c->syncs < SYNCS_MAX &&
           (content = TAILQ_FIRST(&c->unsynced)) != NULL) {
        job = content->gone ? NULL : sync_create(c, content);
        TAILQ_REMOVE(&c->unsynced, content, unsynced_link);
        content->unsynced = false;
        if (job == NULL) {
            c->failed = c->failed || !content->gone;
            content_release(c, content);
            continue;
        }
        content->syncing = true;
        c->syncs++;
        job_start(c->options.jobs, &job->job, run_sync, done_sync);
    }
    if (c->flushed != NULL && c->syncs == 0 && TAILQ_EMPTY(&c->unsynced) &&
        TAILQ_EMPTY(&c->replaces)) {
        void (*flushed)(void *arg, bool ok) = c->flushed;

        c->flushed = NULL;
        flushed(c->flushed_arg, !c->failed);
    }
}

static void
mark_unsynced(struct contents *c, struct content *content)
{
    if (content->unsynced)
        return;
    content->unsynced = true;
    if (content->syncing)
        return; /* done_sync takes it up */
    content_hold(c, content);
    TAILQ_INSERT_TAIL(&c->unsynced, content, unsynced_link);
    if (!uv_is_active((uv_handle_t *)&c->timer))
        uv_timer_start(&c->timer, on_timer, SYNC_MS, 0);
}

void
content_put(struct contents *c, struct content *content, uint32_t index)
{
    if (content->gone)
        return;
    ol_bitmap_put(&content->have, index, true);
    ol_bitmap_put(&content->sure, index, true);
    lacking_update(c, content);
    mark_unsynced(c, content);
    notify(c, content);
}

void
content_checked(struct contents *c, struct content *content, uint32_t index,
                bool good)
{
    static struct log_kind kind = {.name = "bad piece on disk"};

    if (content->gone)
        return;
    if (good) {
        ol_bitmap_put(&content->sure, index, true);
        if (content->sure.set == content->have.set)
            mark_unsynced(c, content);
        return;
    }
    log_limited(&kind, LOG_WARN_,
                "%s: piece %u is damaged on disk and will be fetched again",
                content->hex, (unsigned)index);
    ol_bitmap_put(&content->have, index, false);
    ol_bitmap_put(&content->sure, index, false);
    content_return(c, content, ol_piece_length(content->size, index));
    lacking_update(c, content);
    mark_unsynced(c, content);
    notify(c, content);
}

uint32_t
content_first_lacking(const struct content *content, uint32_t first,
                      uint32_t last)
{
    uint32_t i = ol_bitmap_find(&content->sure, first, false);

    return i <= last ? i : last + 1;
}

/* All of them */

int
contents_insert(struct contents *c, const struct assignment *a,
                uint16_t coordinator, struct content **ret)
{
    struct content *content;
    int rc = content_create(a->root, a->size, &content);

    if (rc == 0 && (rc = table_append(c, content)) != 0)
        content_free(content);
    if (rc != 0)
        return rc;
    content->assigned = content->told = coordinator;
    content->quota.bytes = overhead(a->size);
    quota_insert(&c->quota, &content->quota);
    lacking_update(c, content);
    notify(c, content);
    *ret = content;
    return 0;
}

struct loading {
    struct contents *contents;
    uint16_t (*told)(void *arg, const struct assignment *a);
    void *arg;
};

static int
load_entry(struct loading *loading, struct store_entry *entry,
           const struct assignment *a)
{
    struct contents *c = loading->contents;
    struct content *content;
    int rc = content_create(entry->root, entry->size, &content);

    if (rc == 0 && (rc = table_append(c, content)) != 0)
        content_free(content);
    if (rc != 0)
        return rc;
    ol_bitmap_clear(&content->have);
    content->have = entry->have;
    entry->have = (struct ol_bitmap){0};
    if (entry->sure) {
        memcpy(content->sure.bits, content->have.bits,
               ol_bitmap_bytes(content->have.count));
        content->sure.set = content->have.set;
    }
    content->assigned = content->told = loading->told(loading->arg, a);
    content->dirty = content->told;
    content->quota.bytes = overhead(content->size) + held_bytes(content);
    content->quota.released = content->assigned == 0;
    quota_insert(&c->quota, &content->quota);
    lacking_update(c, content);
    return 0;
}

static int
on_entry(void *arg, struct store_entry *entry)
{
    struct loading *loading = arg;
    struct assignment *a = NULL;
    struct ol_error err;
    int rc = 0;

    if (loading->contents->count >= CONTENTS_MAX)
        log_warn("storage: more than %d contents; the rest is left alone",
                 CONTENTS_MAX);
    else if (assignment_parse(entry->assignment, strlen(entry->assignment), &a,
                              &err) != 0)
        log_warn("storage: an assignment is damaged: %s", err.text);
    else
        rc = load_entry(loading, entry, a);
    assignment_unref(a);
    ol_bitmap_clear(&entry->have);
    return rc;
}

int
contents_load(struct contents *c,
              uint16_t (*told)(void *arg, const struct assignment *a),
              void *arg)
{
    struct loading loading = {c, told, arg};

    return store_scan(c->options.store, on_entry, &loading);
}

int
contents_create(uv_loop_t *loop, const struct contents_options *options,
                struct contents **ret)
{
    struct contents *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return -ENOMEM;
    c->loop = loop;
    c->options = *options;
    quota_init(&c->quota, options->limit);
    TAILQ_INIT(&c->idle);
    TAILQ_INIT(&c->lacking);
    TAILQ_INIT(&c->unsynced);
    TAILQ_INIT(&c->replaces);
    uv_timer_init(loop, &c->timer);
    c->timer.data = c;
    *ret = c;
    return 0;
}

void
contents_flush(struct contents *c, void (*done)(void *arg, bool ok), void *arg)
{
    c->flushed = done;
    c->flushed_arg = arg;
    uv_timer_start(&c->timer, on_timer, 0, 0);
}

static void
on_closed(uv_handle_t *handle)
{
    struct contents *c = handle->data;

    free(c->all);
    free(c);
}

void
contents_free(struct contents *c)
{
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < c->count; i++) {
        opened_free(c->all[i]->open);
        content_free(c->all[i]);
    }
    uv_close((uv_handle_t *)&c->timer, on_closed);
}
