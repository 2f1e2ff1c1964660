/*
 * Fetching of missing pieces (pull.h): the queue.
 *
 * Owns: which pulls there are, who waits for each, and which may begin.  Must
 * not know HTTP serving, nor how a piece is fetched (pull_source.c).
 */
#include "node/pull_parts.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MAX 256     /* that wait, looked at in one step */
#define DISK_MIN_MS 1000 /* the pause after a write that failed; doubles */
#define DISK_MAX_MS 60000

static void pull_begin(struct pull *p);

/* The queue */

static bool
fits(const struct puller *puller, uint32_t len, bool background)
{
    unsigned part = background ? 2 : 1;

    if (puller->disk_failures > 0)
        return puller->active_count == 0;
    if (background && puller->background_count >= PULLS_ACTIVE / part)
        return false;
    return puller->active_count == 0 ||
           (puller->active_count < PULLS_ACTIVE &&
            puller->memory + len <= PULL_MEMORY / part);
}

static unsigned
count_of_site(const struct pull_queue *queue, const char *iss, bool background)
{
    const struct pull *p;
    unsigned count = 0;

    TAILQ_FOREACH(p, queue, link)
    {
        if ((p->background || !background) &&
            strcmp(p->content->open->assignment->iss, iss) == 0)
            count++;
    }
    return count;
}

static unsigned
share(bool background)
{
    return PULLS_ACTIVE / (background ? 2 : 1) * PULLS_OF_SITE / 4;
}

bool
pull_site_busy(const struct puller *puller, const struct content *content)
{
    const char *iss = content->open->assignment->iss;

    /* Few wait in the background: each has a place of prefetch.c's. */
    return count_of_site(&puller->active, iss, true) +
               count_of_site(&puller->background, iss, true) >=
           share(true);
}

/* The first whose site has not got its share. */
static struct pull *
first_of(const struct puller *puller, const struct pull_queue *queue)
{
    unsigned looked = 0;
    struct pull *p;

    TAILQ_FOREACH(p, queue, link)
    {
        if (count_of_site(&puller->active, p->content->open->assignment->iss,
                          p->background) < share(p->background))
            return p;
        if (++looked == LOOK_MAX)
            break;
    }
    return NULL;
}

bool
pull_has_room(const struct puller *puller, uint32_t bytes)
{
    return first_of(puller, &puller->demand) == NULL &&
           first_of(puller, &puller->background) == NULL &&
           fits(puller, bytes, true);
}

static void
on_kick(uv_timer_t *timer)
{
    struct puller *puller = timer->data;
    struct pull *p;

    while (!puller->stopping) {
        p = first_of(puller, &puller->demand);
        if (p == NULL)
            p = first_of(puller, &puller->background);
        if (p == NULL || !fits(puller, p->len, p->background))
            return;
        TAILQ_REMOVE(p->background ? &puller->background : &puller->demand, p,
                     link);
        TAILQ_INSERT_TAIL(&puller->active, p, link);
        p->step = STEP_BEGUN;
        puller->active_count++;
        puller->background_count += p->background;
        puller->memory += p->len;
        pull_begin(p);
    }
}

static void
kick(struct puller *puller)
{
    if (!puller->stopping)
        uv_timer_start(&puller->kick, on_kick, 0, 0);
}

static void
pull_dequeue(struct pull *p)
{
    struct puller *puller = p->puller;

    if (p->step == STEP_QUEUED) {
        TAILQ_REMOVE(p->background ? &puller->background : &puller->demand, p,
                     link);
        return;
    }
    TAILQ_REMOVE(&puller->active, p, link);
    puller->active_count--;
    puller->background_count -= p->background;
    puller->memory -= p->len;
}

/* It is in no list any more, and has no wants. */
static void
pull_free(struct pull *p)
{
    struct contents *contents = p->puller->node->contents;

    if (p->fetch != NULL)
        fetch_cancel(p->fetch);
    if (p->reserved)
        content_return(contents, p->content, p->len);
    assignment_unref(p->assignment);
    site_release(p->site);
    content_release(contents, p->content);
    p->puller->count--;
    free(p->data);
    free(p);
}

/* Its reservation is returned unless the piece is there. */
void
pull_finish(struct pull *p, int error)
{
    struct puller *puller = p->puller;
    struct want *want;

    pull_dequeue(p);
    p->step = STEP_DONE;
    LIST_REMOVE(p, sibling); /* nobody can join any more */
    while ((want = TAILQ_FIRST(&p->wants)) != NULL) {
        pull_unwant(want);
        want->done(want, error);
    }
    pull_free(p);
    kick(puller);
}

void
puller_disk_works(struct puller *puller)
{
    puller->disk_failures = 0;
    puller->disk_after = 0;
}

void
puller_disk_failed(struct puller *puller)
{
    uint32_t n = puller->disk_failures;
    uint64_t pause = (uint64_t)DISK_MIN_MS << (n < 6 ? n : 6), now;

    now = uv_now(puller->node->loop);
    if (now < puller->disk_after)
        return; /* it was under way before the pause began */
    puller->disk_failures++;
    puller->disk_after = now + (pause < DISK_MAX_MS ? pause : DISK_MAX_MS);
}

/* What is asked for */

static struct pull *
pull_find(const struct content *content, uint32_t index)
{
    struct pull *p;

    LIST_FOREACH(p, &content->pulls, sibling)
    {
        if (p->index == index)
            return p;
    }
    return NULL;
}

bool
pull_exists(const struct content *content, uint32_t index)
{
    return pull_find(content, index) != NULL;
}

static struct pull *
pull_create(struct puller *puller, struct content *content, uint32_t index)
{
    struct pull *p;

    if (puller->count >= PULLS_MAX)
        return NULL;
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    p->puller = puller;
    p->content = content;
    p->index = index;
    p->len = ol_piece_length(content->size, index);
    p->background = true;
    TAILQ_INIT(&p->wants);
    content_hold(puller->node->contents, content);
    LIST_INSERT_HEAD(&content->pulls, p, sibling);
    TAILQ_INSERT_TAIL(&puller->background, p, link);
    puller->count++;
    return p;
}

static void
to_foreground(struct pull *p)
{
    struct puller *puller = p->puller;

    if (!p->background)
        return;
    p->background = false;
    if (p->step == STEP_QUEUED) {
        TAILQ_REMOVE(&puller->background, p, link);
        TAILQ_INSERT_TAIL(&puller->demand, p, link);
    } else {
        puller->background_count--;
    }
}

/* A node waits: what is now asked of another node starts over. */
static void
to_origin(struct pull *p)
{
    struct puller *puller = p->puller;

    if (p->hop)
        return;
    p->hop = true;
    if (p->step != STEP_FETCH || p->source == PULL_ORIGIN)
        return;
    fetch_cancel(p->fetch);
    p->fetch = NULL;
    pull_dequeue(p);
    p->step = STEP_QUEUED;
    TAILQ_INSERT_HEAD(&puller->demand, p, link);
}

int
pull_want(struct puller *puller, struct content *content, uint32_t index,
          struct want *want)
{
    struct pull *p = pull_find(content, index);

    if (p == NULL)
        p = pull_create(puller, content, index);
    if (p == NULL)
        return -EBUSY;
    want->pull = p;
    TAILQ_INSERT_TAIL(&p->wants, want, link);
    if (want->kind != WANT_BACKGROUND)
        to_foreground(p);
    if (want->kind == WANT_HOP)
        to_origin(p);
    kick(puller);
    return 0;
}

void
pull_unwant(struct want *want)
{
    struct pull *p = want->pull;

    if (p == NULL)
        return;
    TAILQ_REMOVE(&p->wants, want, link);
    want->pull = NULL;
    if (p->step == STEP_QUEUED && TAILQ_EMPTY(&p->wants)) {
        LIST_REMOVE(p, sibling);
        pull_dequeue(p);
        p->step = STEP_DONE;
        pull_free(p);
    }
}

/* What is on disk already, to be checked */

static void
run_check(struct job *base)
{
    struct pull *p = JOB_OF(base, struct pull, job);

    p->job_error = store_piece_check(&p->content->open->file, p->index);
}

static void
done_check(struct job *base)
{
    struct pull *p = JOB_OF(base, struct pull, job);

    if (p->content->gone)
        pull_finish(p, -ESTALE);
    else if (p->job_error == -ENOMEM)
        pull_finish(p, -EIO);
    else {
        content_checked(p->puller->node->contents, p->content, p->index,
                        p->job_error == 0);
        if (p->job_error == 0)
            pull_finish(p, 0);
        else
            pull_fetch(p);
    }
}

static void
pull_begin(struct pull *p)
{
    if (p->content->gone) {
        pull_finish(p, -ESTALE);
    } else if (content_ready(p->content, p->index)) {
        pull_finish(p, 0);
    } else if (ol_bitmap_get(&p->content->have, p->index)) {
        p->step = STEP_CHECK;
        job_start(&p->puller->node->jobs, &p->job, run_check, done_check);
    } else {
        pull_fetch(p);
    }
}

/* All of them */

int
puller_create(struct node *node, struct puller **ret)
{
    struct puller *puller = calloc(1, sizeof(*puller));

    if (puller == NULL)
        return -ENOMEM;
    puller->node = node;
    TAILQ_INIT(&puller->demand);
    TAILQ_INIT(&puller->background);
    TAILQ_INIT(&puller->active);
    TAILQ_INIT(&puller->refreshes);
    uv_timer_init(node->loop, &puller->kick);
    puller->kick.data = puller;
    *ret = puller;
    return 0;
}

void
puller_stop(struct puller *puller)
{
    struct pull_queue *lists[] = {&puller->demand, &puller->background,
                                  &puller->active};
    struct pull *p, *next;
    struct refresh *r;

    puller->stopping = true;
    while ((r = TAILQ_FIRST(&puller->refreshes)) != NULL)
        pull_refresh_free(r);
    for (size_t i = 0; i < 3; i++) {
        for (p = TAILQ_FIRST(lists[i]); p != NULL; p = next) {
            next = TAILQ_NEXT(p, link);
            if (p->step != STEP_CHECK && p->step != STEP_WRITE)
                pull_finish(p, -ECANCELED);
        }
    }
    uv_close((uv_handle_t *)&puller->kick, NULL);
}

void
puller_free(struct puller *puller)
{
    free(puller);
}
