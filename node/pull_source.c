/*
 * One pull's way from source to source until the piece is there (pull.h).
 *
 * Owns: requests to nodes and origins, what their answers and failures mean,
 * and the writing of a piece.  The order of sources is pull_plan.c's, whether
 * the origin may be asked is site.c's.
 */
#include "node/pull_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/log.h"
#include "node/links.h"

#define NODE_SILENCE_MS 2000 /* then the next source is asked */
#define ORIGIN_SILENCE_MS 10000
#define FETCH_TOTAL_MS 120000
#define SLOW_MS 30000      /* a node that failed is asked last */
#define LACKING_MS 2000    /* the same, one that had not got it */
#define SITE_FAILURES 3    /* of an origin, then another site is asked */
#define RETRY_AFTER_MAX 60 /* seconds that an origin can ask for */
/*
 * Nodes hear of a content within seconds of each other.  For so many rounds of
 * prefetching a piece is left to its owner, so that the origin gives it once.
 */
#define PATIENT_ROUNDS 4

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

    p->patient =
        p->background && p->content->rounds < PATIENT_ROUNDS && !p->hop;
    facts.patient = p->patient;
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
    if (uv_now(node->loop) < p->puller->disk_after)
        return -ENOSPC;
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
    site_release(p->site);
    p->site = site_hold(node->sites, p->assignment->iss);
    return p->site == NULL ? -EHOSTUNREACH : 0;
}

void
pull_fetch(struct pull *p)
{
    int rc = prepare(p);

    if (rc != 0) {
        pull_finish(p, rc);
        return;
    }
    make_plan(p);
    pull_next_source(p);
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
    static struct log_kind later = {.name = "origin, later"};

    if ((p->status == 429 || p->status == 503) && p->retry_s > 0) {
        site_deferred(p->site, p->retry_s);
        log_limited(&later, LOG_INFO_, "%s, piece %u: origin: in %u s",
                    p->content->hex, (unsigned)p->index, p->retry_s);
        return;
    }
    if (p->status == 429 || p->status >= 500 || p->status == 0)
        site_failed(p->site);
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
    if (wrong_add(&p->puller->node->wrong, p->assignment->ids[p->source],
                  p->content->root, uv_now(p->puller->node->loop)))
        links_kick(p->puller->node->links);
}

/* The first site's file is not what it signed: another site, or the end. */
static void
origin_lost(struct pull *p, const char *why)
{
    if (pull_switch(p, true, why))
        return;
    contents_drop(p->puller->node->contents, p->content, why);
    pull_finish(p, -ESTALE);
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
        puller_disk_works(p->puller);
        p->reserved = false; /* it stays with the content */
        content_put(contents, p->content, p->index);
        pull_finish(p, 0);
    } else if (p->job_error != -EBADMSG) {
        log_limited(&kind, LOG_ERROR_, "%s, piece %u: cannot be written: %s",
                    p->content->hex, (unsigned)p->index,
                    strerror(-p->job_error));
        puller_disk_failed(p->puller);
        pull_finish(p, -ENOSPC);
    } else if (p->source == PULL_ORIGIN) {
        origin_lost(p, "a piece from the origin is not what the site signed: "
                       "the file has changed");
    } else {
        node_lied(p);
        pull_next_source(p);
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
        origin_lost(p, "the file has changed at the origin");
        return;
    } else {
        origin_failed(p, result);
        if ((p->status == 404 || p->status == 410 ||
             p->site->failures >= SITE_FAILURES) &&
            pull_switch(p, false, "the site before it does not give it"))
            return;
    }
    pull_next_source(p);
}

static int
fetch_from(struct pull *p, uint8_t source)
{
    const struct opened *open = p->content->open;
    bool origin = source == PULL_ORIGIN;
    uint64_t first = (uint64_t)p->index * ol_piece_size(p->content->size);
    char url[LATEST_URL_MAX], range[64], match[300], name[80];
    const char *headers[] = {
        range, "Accept-Encoding: identity", "Offload-Hop: 1", NULL, NULL, NULL};
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
        snprintf(name, sizeof(name), "Offload-Node: %s",
                 ol_key_id(p->puller->node->key));
        headers[2] = "Offload-Fetch: direct";
        headers[3] = match;
        headers[4] = name;
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

void
pull_next_source(struct pull *p)
{
    if (p->content->gone) {
        pull_finish(p, -ESTALE);
        return;
    }
    p->step = STEP_FETCH;
    if (p->patient &&
        (p->hop || (p->plan_next == p->plan_len && !p->background)))
        make_plan(p); /* somebody has begun to wait */
    while (p->plan_next < p->plan_len) {
        uint8_t source = p->plan[p->plan_next];

        if (source != PULL_ORIGIN && !p->hop && pull_needs_ticket(p) &&
            pull_get_ticket(p) == 0) {
            p->step = STEP_REFRESH;
            return;
        }
        p->plan_next++;
        if (p->hop && source != PULL_ORIGIN)
            continue; /* a node began to wait after the plan was made */
        if (fetch_from(p, source) == 0)
            return;
    }
    pull_finish(p, -EHOSTUNREACH);
}
