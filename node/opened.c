/*
 * What is in memory of contents that are in use, and the small files that
 * belong to them (contents.h).
 *
 * Owns: opening, closing the least recently used, manifest, assignment and
 * release.
 * Must not know pieces.
 */
#include "node/contents_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/log.h"
#include "offload/jws.h"

#define OPEN_MAX 512      /* open contents that nobody uses */
#define REPLACES_MAX 1024 /* waiting; beyond: forgotten, the next one tells */

void
opened_free(struct opened *open)
{
    if (open == NULL)
        return;
    store_file_clear(&open->file);
    ol_manifest_clear(&open->manifest);
    assignment_unref(open->assignment);
    free(open);
}

void
opened_idle(struct contents *c, struct content *content)
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

void
opened_busy(struct contents *c, struct content *content)
{
    if (content->open == NULL)
        return;
    TAILQ_REMOVE(&c->idle, content->open, link);
    c->idle_count--;
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
    job = content_job_create(c, content);
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
        pieces_sync(c);
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
opened_write_released(struct contents *c, struct content *content)
{
    char *text = c->options.dump_released(
        c->options.arg, content->told & (uint16_t)~content->assigned);

    if (text != NULL)
        replace_start(c, content, "released", text, strlen(text));
}

void
content_set_assignment(struct contents *c, struct content *content,
                       struct assignment *a, const char *const *coordinators,
                       size_t count)
{
    struct opened *open = content->open;
    char *text = assignment_dump(a, coordinators, count);

    if (text != NULL && strlen(text) <= STORE_ASSIGNMENT_MAX)
        replace_start(c, content, "assignment", text, strlen(text));
    else
        free(text); /* the old one stays on disk */
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
