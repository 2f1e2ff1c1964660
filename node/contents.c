/*
 * The contents that this node keeps (contents.h).
 *
 * Owns: the table of contents, the life of a content and its room on disk.
 * Must not know HTTP, nor where pieces come from.
 */
#include "node/contents_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/log.h"
#include "offload/encoding.h"

/* The table */

static struct bucket *
bucket_of(struct contents *c, const uint8_t *root)
{
    uint32_t hash;

    memcpy(&hash, root, sizeof(hash));
    return &c->buckets[hash % CONTENTS_BUCKETS];
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
    return quota_room(&c->quota);
}

struct content_list *
contents_lacking(struct contents *c)
{
    return &c->lacking;
}

struct content_list *
contents_questioned(struct contents *c)
{
    return &c->questioned;
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

void
content_update_lacking(struct contents *c, struct content *content)
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

/* Keeps the list of those to ask the sites about up to date. */
static void
update_questioned(struct contents *c, struct content *content)
{
    bool questioned =
        !content->gone && (content->assigned == 0 || content->expired);

    if (questioned == content->questioned)
        return;
    content->questioned = questioned;
    content->refusals = content->failures = 0;
    if (questioned)
        TAILQ_INSERT_TAIL(&c->questioned, content, question_link);
    else
        TAILQ_REMOVE(&c->questioned, content, question_link);
}

void
content_set_expired(struct contents *c, struct content *content, bool expired)
{
    content->expired = expired;
    update_questioned(c, content);
}

void
content_notify(struct contents *c, struct content *content)
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

struct content_job *
content_job_create(struct contents *c, struct content *content)
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
    struct contents *c = job->contents;

    if (job->error != 0)
        log_error("%s: cannot be removed from the storage: %s",
                  job->content->hex, strerror(-job->error));
    c->leaving--;
    LIST_REMOVE(job->content, hash_link);
    content_free(job->content);
    free(job);
    if (c->flushed != NULL)
        pieces_sync(c);
}

static void
content_leave(struct contents *c, struct content *content)
{
    struct content_job *job = content_job_create(c, content);

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
        opened_busy(c, content);
}

void
content_release(struct contents *c, struct content *content)
{
    if (--content->quota.users > 0)
        return;
    if (content->gone)
        content_leave(c, content);
    else
        opened_idle(c, content);
}

void
contents_drop(struct contents *c, struct content *content, const char *why)
{
    static struct log_kind kind = {.name = "dropped"};

    if (content->gone)
        return;
    log_limited(&kind, LOG_INFO_, "%s: dropped: %s", content->hex, why);
    content_hold(c, content);
    content->gone = true;
    content_update_lacking(c, content);
    update_questioned(c, content);
    quota_remove(&c->quota, &content->quota);
    table_forget(c, content);
    c->options.changed(c->options.arg, content, true);
    content_release(c, content);
}

/* Room */

static bool
evict_one(struct contents *c, int heat)
{
    struct quota_item *item = quota_victim(&c->quota, heat);
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
        if (!evict_one(c, -1))
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
        if (!evict_one(c, evict ? content->quota.heat : -1))
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

/* The most that any coordinator says. */
static void
update_heat(struct contents *c, struct content *content)
{
    unsigned most = 0;

    for (unsigned i = 0; i < ASSIGNMENT_COORDINATORS; i++)
        if (content->heat[i] > most)
            most = content->heat[i];
    quota_set_heat(&c->quota, &content->quota, most);
}

void
content_set_heat(struct contents *c, struct content *content,
                 uint16_t coordinators, uint64_t heat)
{
    if (content->gone)
        return;
    for (unsigned i = 0; i < ASSIGNMENT_COORDINATORS; i++)
        if ((coordinators & 1u << i) != 0)
            content->heat[i] =
                (uint8_t)(heat < QUOTA_HEATS ? heat : QUOTA_HEATS - 1);
    update_heat(c, content);
}

void
content_assign(struct contents *c, struct content *content,
               uint16_t coordinators)
{
    if (content->gone || content->assigned == coordinators)
        return;
    content->assigned = coordinators;
    content_set_heat(c, content, (uint16_t)~coordinators, 0);
    quota_set_released(&c->quota, &content->quota, coordinators == 0);
    content_update_lacking(c, content);
    update_questioned(c, content);
    if (coordinators == 0 && content->refusals == 0)
        content->look_after = 0; /* this is news */
    opened_write_released(c, content);
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
    content_update_lacking(c, content);
    content_notify(c, content);
    *ret = content;
    return 0;
}

struct loading {
    struct contents *contents;
    const struct contents_loader *loader;
};

static int
load_entry(struct loading *loading, struct store_entry *entry,
           const struct assignment *a)
{
    const struct contents_loader *loader = loading->loader;
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
    content->told = loader->told(loader->arg, a);
    content->dirty = content->assigned = content->told;
    if (entry->released != NULL)
        content->assigned &=
            (uint16_t)~loader->released(loader->arg, entry->released);
    content->quota.heat =
        (uint8_t)(a->heat < QUOTA_HEATS ? a->heat : QUOTA_HEATS - 1);
    content->quota.bytes = overhead(content->size) + held_bytes(content);
    content->quota.released = content->assigned == 0;
    quota_insert(&c->quota, &content->quota);
    content_update_lacking(c, content);
    update_questioned(c, content);
    return 0;
}

/* Left alone, its folder would keep the content from being taken again. */
static int
discard(struct contents *c, const struct store_entry *entry, const char *why)
{
    char hex[OL_ROOT_HEX + 1];

    ol_hex_encode(hex, entry->root, OL_HASH_BYTES);
    log_warn("storage: %s is removed: its assignment is damaged: %s", hex, why);
    return store_remove(c->options.store, entry->root);
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
        rc = discard(loading->contents, entry, err.text);
    else
        rc = load_entry(loading, entry, a);
    assignment_unref(a);
    ol_bitmap_clear(&entry->have);
    return rc;
}

int
contents_load(struct contents *c, const struct contents_loader *loader)
{
    struct loading loading = {c, loader};
    int rc = store_scan(c->options.store, on_entry, &loading);

    while (rc == 0 && c->quota.used > c->quota.limit &&
           evict_one(c, QUOTA_HEATS))
        continue; /* --size may be smaller now */
    return rc;
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
    TAILQ_INIT(&c->questioned);
    TAILQ_INIT(&c->unsynced);
    TAILQ_INIT(&c->replaces);
    uv_timer_init(loop, &c->timer);
    c->timer.data = c;
    *ret = c;
    return 0;
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
