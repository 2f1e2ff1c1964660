/*
 * Fetching of missing pieces (pull.h).
 *
 * Owns: the queue of pulls and each one's way through check, manifest, source
 * after source, write.  Must not know HTTP serving.  The order of sources is
 * pull_plan.c's, what the origin may be asked is site.c's.
 */
#include "node/pull.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "net/log.h"
#include "node/latest.h"
#include "node/node.h"
#include "node/pull_plan.h"
#include "offload/ticket.h"

#define NODE_SILENCE_MS 2000 /* then the next source is asked */
#define ORIGIN_SILENCE_MS 10000
#define FETCH_TOTAL_MS 120000
#define SLOW_MS 30000      /* a node that failed is asked last */
#define LACKING_MS 2000    /* the same, one that had not got it */
#define TICKET_SPARE_S 30  /* with less life than this it is renewed */
#define REFRESH_MS 10000   /* between two tries to renew it */
#define RETRY_AFTER_MAX 60 /* seconds that an origin can ask for */

enum step {
    STEP_QUEUED,
    STEP_CHECK,   /* a job looks at what is on disk */
    STEP_REFRESH, /* the ticket is being renewed */
    STEP_FETCH,
    STEP_WRITE, /* a job checks and writes it */
    STEP_DONE
};

TAILQ_HEAD(pull_queue, pull);

struct pull {
    TAILQ_ENTRY(pull) link;   /* in one of the puller's lists */
    LIST_ENTRY(pull) sibling; /* in content->pulls */
    struct puller *puller;
    struct content *content; /* held */
    uint32_t index, len;
    TAILQ_HEAD(, want) wants;
    enum step step;
    bool background; /* nobody but prefetching wants it */
    bool hop;        /* a node wants it: the origin only */
    bool reserved;   /* room on disk */
    struct assignment *assignment;
    struct site *site;
    uint8_t plan[PULL_PLAN_MAX];
    size_t plan_len, plan_next;
    uint8_t source; /* the place being asked */
    char *data;
    uint32_t got;
    struct fetch *fetch;
    int status; /* of an answer that is not wanted */
    unsigned retry_s;
    struct job job;
    int job_error;
};

struct refresh {
    struct puller *puller;
    struct content *content; /* held */
    struct latest *latest;
    TAILQ_ENTRY(refresh) link;
};

struct puller {
    struct node *node;
    struct pull_queue demand, background, active;
    TAILQ_HEAD(, refresh) refreshes;
    unsigned count; /* all pulls */
    unsigned active_count, background_count;
    size_t memory; /* bytes of the active ones' buffers */
    uv_timer_t kick;
    bool stopping;
};

static void pull_begin(struct pull *p);
static void pull_fetch(struct pull *p);
static void next_source(struct pull *p);

/* The queue */

static bool
fits(const struct puller *puller, uint32_t len, bool background)
{
    unsigned part = background ? 2 : 1;

    if (background && puller->background_count >= PULLS_ACTIVE / part)
        return false;
    return puller->active_count == 0 ||
           (puller->active_count < PULLS_ACTIVE &&
            puller->memory + len <= PULL_MEMORY / part);
}

bool
pull_has_room(const struct puller *puller, uint32_t bytes)
{
    return TAILQ_EMPTY(&puller->demand) && TAILQ_EMPTY(&puller->background) &&
           fits(puller, bytes, true);
}

static void
on_kick(uv_timer_t *timer)
{
    struct puller *puller = timer->data;
    struct pull *p;

    while (!puller->stopping) {
        p = TAILQ_FIRST(&puller->demand);
        if (p == NULL)
            p = TAILQ_FIRST(&puller->background);
        if (p == NULL || !fits(puller, p->len, p->background))
            return;
        TAILQ_REMOVE(p->background ? &puller->background : &puller->demand, p,
                     link);
        TAILQ_INSERT_TAIL(&puller->active, p, link);
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
static void
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

/* The ticket for other nodes, renewed once for all pulls of a content */

static void
refreshed(struct refresh *r, struct latest_result *result)
{
    struct content *content = r->content;
    struct opened *open = content->open;

    if (content->gone)
        return;
    if (result->error != 0) {
        static struct log_kind kind = {.name = "manifest refresh"};

        log_limited(&kind, LOG_INFO_, "%s: no fresh manifest: %s", content->hex,
                    result->text.text);
    } else if (memcmp(result->manifest.root, content->root, OL_HASH_BYTES) !=
               0) {
        contents_drop(r->puller->node->contents, content,
                      "the site has another version now");
    } else if (result->manifest.iat >= open->manifest.iat) {
        content_set_manifest(r->puller->node->contents, content,
                             &result->manifest, result->token,
                             result->token_len);
    }
}

static void
refresh_free(struct refresh *r)
{
    TAILQ_REMOVE(&r->puller->refreshes, r, link);
    r->content->open->refresh = NULL;
    content_release(r->puller->node->contents, r->content);
    free(r);
}

static struct pull *
pull_waiting(const struct content *content)
{
    struct pull *p;

    LIST_FOREACH(p, &content->pulls, sibling)
    {
        if (p->step == STEP_REFRESH)
            return p;
    }
    return NULL;
}

static void
on_refreshed(void *arg, struct latest_result *result)
{
    struct refresh *r = arg;
    struct content *content = r->content;
    struct contents *contents = r->puller->node->contents;
    struct pull *p;

    refreshed(r, result);
    content_hold(contents, content);
    refresh_free(r);
    while ((p = pull_waiting(content)) != NULL)
        next_source(p);
    content_release(contents, content);
}

/* Whether p has to wait for a fresh ticket. */
static bool
refresh_needed(struct pull *p)
{
    struct opened *open = p->content->open;
    uint64_t now = uv_now(p->puller->node->loop);
    const char *query = strchr(open->manifest.path, '?');
    uint8_t sig[OL_SIG_BYTES];
    int64_t e;
    bool nodes = false;

    for (size_t i = 0; i < p->plan_len; i++)
        nodes = nodes || p->plan[i] != PULL_ORIGIN;
    if (!nodes || p->plan[0] == PULL_ORIGIN)
        return false;
    if (query != NULL &&
        ol_ticket_parse(query + 1, strlen(query + 1), &e, sig) == 0 &&
        e > time(NULL) + TICKET_SPARE_S)
        return false;
    return open->refresh != NULL || now >= open->refresh_after;
}

static int
refresh_start(struct pull *p)
{
    struct node *node = p->puller->node;
    struct opened *open = p->content->open;
    struct refresh *r;
    int rc;

    if (open->refresh != NULL)
        return 0;
    open->refresh_after = uv_now(node->loop) + REFRESH_MS;
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    rc = latest_start(node->strangers, p->site, p->assignment->sub,
                      on_refreshed, r, &r->latest);
    if (rc != 0) {
        free(r);
        return rc;
    }
    r->puller = p->puller;
    r->content = p->content;
    content_hold(node->contents, p->content);
    TAILQ_INSERT_TAIL(&p->puller->refreshes, r, link);
    open->refresh = r;
    return 0;
}

/* Sources */

static void
make_plan(struct pull *p)
{
    struct opened *open = p->content->open;
    uint64_t now = uv_now(p->puller->node->loop);
    struct pull_facts facts = {
        .salt = p->assignment->salt,
        .root = p->content->root,
        .index = p->index,
        .ids = (const uint8_t(*)[32])p->assignment->ids,
        .count = p->assignment->count,
        .self = ol_key_id_bytes(p->puller->node->key),
        .avoid = open->avoid,
        .hop = p->hop,
        .origin = site_may_ask(p->site),
    };

    for (size_t i = 0; i < facts.count; i++)
        if (open->slow_until[i] > now)
            facts.slow |= UINT64_C(1) << i;
    p->plan_len = pull_plan(&facts, p->plan);
    p->plan_next = 0;
}

/* Whether anybody is still there who may make this node fetch. */
static bool
may_fetch(const struct pull *p)
{
    const struct want *want;

    if (p->content->assigned == 0)
        return false;
    TAILQ_FOREACH(want, &p->wants, link)
    {
        if (want->kind != WANT_CHECK)
            return true;
    }
    return false;
}

static int
prepare(struct pull *p)
{
    struct node *node = p->puller->node;
    int rc;

    if (p->content->gone)
        return -ESTALE;
    if (!may_fetch(p))
        return -EACCES;
    if (!p->reserved) {
        rc =
            content_reserve(node->contents, p->content, p->len, !p->background);
        if (rc != 0)
            return rc;
        p->reserved = true;
    }
    if (p->data == NULL && (p->data = malloc(p->len)) == NULL)
        return -ENOSPC;
    assignment_unref(p->assignment);
    p->assignment = assignment_ref(p->content->open->assignment);
    if (p->site == NULL)
        p->site = site_hold(node->sites, p->assignment->iss);
    return p->site == NULL ? -EHOSTUNREACH : 0;
}

static void
pull_fetch(struct pull *p)
{
    int rc = prepare(p);

    if (rc != 0) {
        pull_finish(p, rc);
        return;
    }
    make_plan(p);
    p->step = STEP_REFRESH;
    if (!refresh_needed(p) || refresh_start(p) != 0)
        next_source(p);
}

/* The source has failed; a node is not asked first again for a while. */
static void
mark_slow(struct pull *p, unsigned ms)
{
    struct opened *open = p->content->open;

    if (p->source != PULL_ORIGIN && open->assignment == p->assignment)
        open->slow_until[p->source] = uv_now(p->puller->node->loop) + ms;
}

static void
origin_failed(struct pull *p, const struct fetch_result *result)
{
    static struct log_kind kind = {.name = "origin"};

    if (p->status == 429 || p->status >= 500 || p->status == 0)
        site_failed(p->site, p->retry_s);
    log_limited(&kind, LOG_WARN_, "%s, piece %u: origin: %s", p->content->hex,
                (unsigned)p->index, result->text);
}

static void
node_failed(struct pull *p, const struct fetch_result *result)
{
    static struct log_kind kind = {.name = "node"};

    mark_slow(p, p->status == 404 || p->status == 503 ? LACKING_MS : SLOW_MS);
    log_limited(&kind, LOG_DEBUG_, "%s, piece %u: node %s: %s", p->content->hex,
                (unsigned)p->index, p->assignment->urls[p->source],
                result->text);
}

static void
node_lied(struct pull *p)
{
    static struct log_kind kind = {.name = "wrong bytes"};
    struct opened *open = p->content->open;

    log_limited(&kind, LOG_WARN_,
                "%s, piece %u: wrong bytes from node %s; it is not asked for "
                "this content again",
                p->content->hex, (unsigned)p->index,
                p->assignment->urls[p->source]);
    if (open->assignment == p->assignment)
        open->avoid |= UINT64_C(1) << p->source;
}

static void
run_write(struct job *base)
{
    struct pull *p = JOB_OF(base, struct pull, job);

    p->job_error =
        store_piece_write(&p->content->open->file, p->index, p->data, p->len);
}

static void
done_write(struct job *base)
{
    static struct log_kind kind = {.name = "storage"};
    struct pull *p = JOB_OF(base, struct pull, job);
    struct contents *contents = p->puller->node->contents;

    if (p->content->gone) {
        pull_finish(p, -ESTALE);
    } else if (p->job_error == 0) {
        p->reserved = false; /* it stays with the content */
        content_put(contents, p->content, p->index);
        pull_finish(p, 0);
    } else if (p->job_error != -EBADMSG) {
        log_limited(&kind, LOG_ERROR_, "%s, piece %u: cannot be written: %s",
                    p->content->hex, (unsigned)p->index,
                    strerror(-p->job_error));
        pull_finish(p, -EIO);
    } else if (p->source == PULL_ORIGIN) {
        contents_drop(contents, p->content,
                      "a piece from the origin is not what the site signed: "
                      "the file has changed");
        pull_finish(p, -ESTALE);
    } else {
        node_lied(p);
        next_source(p);
    }
}

/* One answer */

static bool
is_this_piece(struct pull *p, struct fetch *fetch)
{
    uint64_t first = (uint64_t)p->index * ol_piece_size(p->content->size);
    const char *range = fetch_header(fetch, "Content-Range");
    char expected[96];

    snprintf(expected, sizeof(expected), "bytes %llu-%llu/%llu",
             (unsigned long long)first,
             (unsigned long long)(first + p->len - 1),
             (unsigned long long)p->content->size);
    return range != NULL && strcasecmp(range, expected) == 0;
}

static int
on_head(struct fetch *fetch, int status, void *arg)
{
    struct pull *p = arg;
    const char *retry = fetch_header(fetch, "Retry-After");
    const char *coding = fetch_header(fetch, "Content-Encoding");

    if (coding == NULL && status == 206 && is_this_piece(p, fetch))
        return 0;
    if (coding == NULL && status == 200 && p->len == p->content->size)
        return 0;
    p->status = status;
    p->retry_s = retry != NULL ? (unsigned)strtoul(retry, NULL, 10) : 0;
    if (p->retry_s > RETRY_AFTER_MAX)
        p->retry_s = RETRY_AFTER_MAX;
    fetch_set_text(fetch, "status %d%s", status,
                   status / 100 == 2 ? " without the range asked for" : "");
    return -1;
}

static int
on_data(struct fetch *fetch, const void *data, size_t len, void *arg)
{
    struct pull *p = arg;

    if (len > p->len - p->got) {
        fetch_set_text(fetch, "more bytes than asked for");
        return -1;
    }
    memcpy(p->data + p->got, data, len);
    p->got += (uint32_t)len;
    return 0;
}

static void
on_done(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct pull *p = arg;

    (void)fetch;
    p->fetch = NULL;
    if (p->content->gone) {
        pull_finish(p, -ESTALE);
        return;
    }
    if (result->error == 0 && p->got == p->len) {
        if (p->source == PULL_ORIGIN)
            site_answered(p->site);
        p->step = STEP_WRITE;
        job_start(&p->puller->node->jobs, &p->job, run_write, done_write);
        return;
    }
    if (p->source != PULL_ORIGIN) {
        node_failed(p, result);
    } else if (p->status == 412 || p->status == 416) {
        contents_drop(p->puller->node->contents, p->content,
                      "the file has changed at the origin");
        pull_finish(p, -ESTALE);
        return;
    } else {
        origin_failed(p, result);
    }
    next_source(p);
}

static int
fetch_from(struct pull *p, uint8_t source)
{
    const struct opened *open = p->content->open;
    bool origin = source == PULL_ORIGIN;
    uint64_t first = (uint64_t)p->index * ol_piece_size(p->content->size);
    char url[LATEST_URL_MAX], range[64], match[300];
    const char *headers[] = {range, "Accept-Encoding: identity",
                             "Offload-Hop: 1", NULL, NULL};
    struct fetch_request request = {.url = url,
                                    .headers = headers,
                                    .max_body = p->len,
                                    .connect_ms = NODE_SILENCE_MS,
                                    .total_ms = FETCH_TOTAL_MS,
                                    .stall_ms = origin ? ORIGIN_SILENCE_MS
                                                       : NODE_SILENCE_MS,
                                    .on_head = on_head,
                                    .on_data = on_data,
                                    .on_done = on_done,
                                    .arg = p};

    snprintf(range, sizeof(range), "Range: bytes=%llu-%llu",
             (unsigned long long)first,
             (unsigned long long)(first + p->len - 1));
    if (origin) {
        if (latest_url(p->assignment->iss, p->assignment->sub, url,
                       sizeof(url)) < 0)
            return -ENAMETOOLONG;
        snprintf(match, sizeof(match), "If-Match: %s", open->manifest.etag);
        headers[2] = "Offload-Fetch: direct";
        headers[3] = match;
    } else {
        snprintf(url, sizeof(url), "%s%s", p->assignment->urls[source],
                 open->manifest.path);
    }
    p->source = source;
    p->got = 0;
    p->status = 0;
    p->retry_s = 0;
    return fetch_start(p->puller->node->strangers, &request, &p->fetch);
}

static void
next_source(struct pull *p)
{
    if (p->content->gone) {
        pull_finish(p, -ESTALE);
        return;
    }
    p->step = STEP_FETCH;
    while (p->plan_next < p->plan_len) {
        uint8_t source = p->plan[p->plan_next++];

        if (p->hop && source != PULL_ORIGIN)
            continue; /* a node began to wait after the plan was made */
        if (fetch_from(p, source) == 0)
            return;
    }
    pull_finish(p, -EHOSTUNREACH);
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
    while ((r = TAILQ_FIRST(&puller->refreshes)) != NULL) {
        latest_cancel(r->latest);
        refresh_free(r);
    }
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
