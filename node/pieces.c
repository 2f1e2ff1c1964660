/*
 * Which pieces of a content are there (contents.h).
 *
 * Owns: the bitmaps in memory, and when they are written down: some time after
 * the first change, for all pieces that came meanwhile, after one sync of
 * their data.  Must not know how a piece came.
 */
#include "node/contents_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/log.h"

#define SYNC_MS 500 /* pieces of that long are synced together */
#define SYNCS_MAX 2 /* jobs at a time */
#define SYNC_RETRY_MS 10000

static void
on_timer(uv_timer_t *timer)
{
    pieces_sync(timer->data);
}

static void
run_sync(struct job *base)
{
    struct content_job *job = JOB_OF(base, struct content_job, job);

    job->error = store_sync(job->contents->options.store, job->content->root,
                            &job->content->open->file, &job->have, job->sure);
}

/*
 * Pages whose writing failed are clean afterwards: another sync of them would
 * succeed without writing, so after a failure each piece is checked again.
 */
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
        c->failed =
            c->failed || c->flushed != NULL; /* else it is tried again */
        memset(content->sure.bits, 0, ol_bitmap_bytes(content->sure.count));
        content->sure.set = 0;
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
        pieces_sync(c);
    else
        uv_timer_start(&c->timer, on_timer, SYNC_RETRY_MS, 0);
    ol_bitmap_clear(&job->have);
    free(job);
}

static struct content_job *
sync_create(struct contents *c, struct content *content)
{
    struct content_job *job = content_job_create(c, content);

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

void
pieces_sync(struct contents *c)
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
    if (c->flushed != NULL && c->syncs == 0 && c->leaving == 0 &&
        TAILQ_EMPTY(&c->unsynced) && TAILQ_EMPTY(&c->replaces)) {
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
    content_update_lacking(c, content);
    mark_unsynced(c, content);
    content_notify(c, content);
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
    content_update_lacking(c, content);
    mark_unsynced(c, content);
    content_notify(c, content);
}

void
content_doubt(struct content *content, uint32_t index)
{
    ol_bitmap_put(&content->sure, index, false);
}

uint32_t
content_first_lacking(const struct content *content, uint32_t first,
                      uint32_t last)
{
    uint32_t i = ol_bitmap_find(&content->sure, first, false);

    return i <= last ? i : last + 1;
}

void
contents_flush(struct contents *c, void (*done)(void *arg, bool ok), void *arg)
{
    c->flushed = done;
    c->flushed_arg = arg;
    uv_timer_start(&c->timer, on_timer, 0, 0);
}
