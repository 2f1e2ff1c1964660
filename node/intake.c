/*
 * From an assignment to a content (intake.h).
 *
 * Owns: assignments on their way.  Must not know heartbeats, nor how pieces are
 * fetched, nor when what failed is tried again (attempts.c).
 */
#include "node/intake.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "net/log.h"
#include "node/attempts.h"
#include "node/latest.h"
#include "node/links.h"
#include "node/node.h"
#include "node/prefetch.h"
#include "offload/encoding.h"

#define TABLE_NODES 3 /* nodes asked for the table after the origin */

enum step { STEP_QUEUED, STEP_OPEN, STEP_MANIFEST, STEP_TABLE, STEP_STORE };

struct item {
    TAILQ_ENTRY(item) link;
    struct intake *intake;
    struct assignment *assignment;
    unsigned coordinators; /* bits */
    enum step step;
    struct content *known; /* held: it is there, and is brought up to date */
    struct content_waiter opening;
    struct site *site;
    struct latest *latest;
    struct ol_manifest manifest;
    char *token;
    size_t token_len;
    size_t asked; /* sources of the table */
    struct fetch *fetch;
    uint8_t *table;
    char *text; /* of the assignment */
    struct job job;
    int job_error;
};
TAILQ_HEAD(item_list, item);

struct intake {
    struct node *node;
    struct item_list queued, active;
    unsigned queued_count, active_count;
    struct attempts attempts;
    bool stopped;
};

static void intake_next(struct intake *intake);
static void fetch_table(struct item *item);

/* One item */

static void
item_free(struct item *item)
{
    struct contents *contents = item->intake->node->contents;

    if (item->known != NULL) {
        content_open_cancel(item->known, &item->opening);
        content_release(contents, item->known);
    }
    latest_cancel(item->latest);
    if (item->fetch != NULL)
        fetch_cancel(item->fetch);
    site_release(item->site);
    assignment_unref(item->assignment);
    ol_manifest_clear(&item->manifest);
    free(item->token);
    free(item->table);
    free(item->text);
    free(item);
}

static void
item_end(struct item *item)
{
    struct intake *intake = item->intake;

    TAILQ_REMOVE(&intake->active, item, link);
    intake->active_count--;
    item_free(item);
    intake_next(intake);
}

static void
item_fail(struct item *item, bool soon, const char *why)
{
    static struct log_kind kind = {.name = "assignment"};
    struct intake *intake = item->intake;
    bool first = attempts_failed(&intake->attempts, item->assignment, soon,
                                 uv_now(intake->node->loop));

    log_limited(&kind, soon || !first ? LOG_DEBUG_ : LOG_WARN_,
                "assignment of %s%s: not taken: %s", item->assignment->iss,
                item->assignment->sub, why);
    item_end(item);
}

static void
item_done(struct item *item, struct content *content)
{
    struct node *node = item->intake->node;

    content->told |= (uint16_t)item->coordinators;
    content->dirty = content->told;
    content_assign(node->contents, content,
                   (uint16_t)(content->assigned | item->coordinators));
    links_kick(node->links);
    prefetch_kick(node->prefetch);
    item_end(item);
}

static char *
assignment_text(struct item *item, uint16_t coordinators)
{
    const char *urls[ASSIGNMENT_COORDINATORS];
    size_t count = links_urls(item->intake->node->links, coordinators, urls);

    return assignment_dump(item->assignment, urls, count);
}

/* A content that is here already */

/* Takes the assignment; who is told of it is written down with it. */
static void
item_set_assignment(struct item *item, struct assignment *a)
{
    struct node *node = item->intake->node;
    struct content *content = item->known;
    const char *urls[ASSIGNMENT_COORDINATORS];
    size_t count = links_urls(
        node->links, (uint16_t)(content->told | item->coordinators), urls);

    content_set_assignment(node->contents, content, a, urls, count);
    assignment_unref(a);
}

/* Its first site speaks for it: new nodes, or another coordinator. */
static void
update(struct item *item)
{
    struct content *content = item->known;
    const struct assignment *old = content->open->assignment;
    struct assignment *fresh;

    if (!assignment_equal(old, item->assignment) ||
        (item->coordinators & ~content->told) != 0) {
        if (assignment_inherit(item->assignment, old, &fresh) != 0) {
            item_fail(item, true, strerror(ENOMEM));
            return;
        }
        item_set_assignment(item, fresh);
    }
    item_done(item, content);
}

/* Nothing is new, except perhaps which coordinator says so. */
static void
acknowledge(struct item *item)
{
    if ((item->coordinators & ~item->known->told) != 0)
        item_set_assignment(item,
                            assignment_ref(item->known->open->assignment));
    item_done(item, item->known);
}

/* Another site has signed the same bytes: the first one keeps the word. */
static void
add_source(struct item *item)
{
    const struct assignment *a = item->assignment;
    struct assignment *fresh;

    if (assignment_add(item->known->open->assignment, a->iss, a->sub, &fresh) !=
        0) {
        item_fail(item, true, strerror(ENOMEM));
        return;
    }
    log_info("%s: %s%s offers it, too", item->known->hex, a->iss, a->sub);
    item_set_assignment(item, fresh);
    item_done(item, item->known);
}

static void ask_site(struct item *item);

static void
on_open(struct content_waiter *waiter, int error)
{
    struct item *item = (struct item *)(void *)((char *)waiter -
                                                offsetof(struct item, opening));
    const struct assignment *a = item->assignment, *old;

    if (error != 0) {
        item_fail(item, true, "its folder in the storage cannot be opened");
        return;
    }
    old = item->known->open->assignment;
    if (a->size != item->known->size)
        item_fail(item, false, "its size is another one");
    else if (assignment_is_from(old, a->iss, a->sub))
        update(item);
    else if (assignment_knows(old, a->iss, a->sub) ||
             old->other_count == ASSIGNMENT_OTHERS)
        acknowledge(item);
    else
        ask_site(item);
}

/* A new one */

static void
run_store(struct job *base)
{
    struct item *item = JOB_OF(base, struct item, job);
    struct store_new content = {
        .size = item->assignment->size,
        .table = item->table,
        .manifest = item->token,
        .manifest_len = item->token_len,
        .assignment = item->text,
        .assignment_len = strlen(item->text),
    };

    memcpy(content.root, item->assignment->root, OL_HASH_BYTES);
    item->job_error = store_add(item->intake->node->store, &content);
}

static void
done_store(struct job *base)
{
    struct item *item = JOB_OF(base, struct item, job);
    struct node *node = item->intake->node;
    struct content *content;
    int rc = item->job_error;

    if (item->intake->stopped) { /* the next start finds it */
        item_free(item);
        return;
    }
    if (rc == 0)
        rc = contents_insert(node->contents, item->assignment,
                             (uint16_t)item->coordinators, &content);
    if (rc != 0) {
        item_fail(item, false, strerror(-rc));
        return;
    }
    log_info("%s: taken: %s%s, %llu bytes", content->hex, item->assignment->iss,
             item->assignment->sub, (unsigned long long)content->size);
    content_set_heat(node->contents, content, (uint16_t)item->coordinators,
                     item->assignment->heat);
    item_done(item, content);
}

static void
store_content(struct item *item)
{
    item->step = STEP_STORE;
    item->text = assignment_text(item, (uint16_t)item->coordinators);
    if (item->text == NULL || strlen(item->text) > STORE_ASSIGNMENT_MAX) {
        item_fail(item, false, "too large");
        return;
    }
    job_start(&item->intake->node->jobs, &item->job, run_store, done_store);
}

static void
on_table(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct item *item = arg;
    struct ol_error err;
    int rc = result->error;

    (void)fetch;
    item->fetch = NULL;
    if (rc == 0 && result->status == 200)
        rc = ol_table_check((const uint8_t *)result->body, result->body_len,
                            item->assignment->size, item->assignment->root,
                            &err);
    else
        rc = -EPROTO;
    if (rc != 0 || (item->table = malloc(result->body_len)) == NULL) {
        fetch_table(item);
        return;
    }
    memcpy(item->table, result->body, result->body_len);
    store_content(item);
}

/* From the site, then from nodes of the content. */
static int
table_url(struct item *item, char *url, size_t cap)
{
    const struct assignment *a = item->assignment;
    char root[OL_ROOT_HEX + 1];
    size_t i;

    ol_hex_encode(root, a->root, OL_HASH_BYTES);
    if (item->asked == 0) {
        snprintf(url, cap, "%s/.well-known/offload/pieces/%s", a->iss, root);
        item->asked++;
        return 0;
    }
    while ((i = item->asked++ - 1) < a->count && i < TABLE_NODES) {
        if (memcmp(a->ids[i], ol_key_id_bytes(item->intake->node->key), 32) ==
            0)
            continue;
        snprintf(url, cap, "%s/c/%s/pieces", a->urls[i], root);
        return 0;
    }
    return -ENOENT;
}

static void
fetch_table(struct item *item)
{
    char url[OL_URL_MAX + 128];
    struct fetch_request request = {
        .url = url,
        .max_body =
            (size_t)ol_piece_count(item->assignment->size) * OL_HASH_BYTES,
        .total_ms = 60000,
        .on_done = on_table,
        .arg = item};

    item->step = STEP_TABLE;
    while (table_url(item, url, sizeof(url)) == 0)
        if (fetch_start(item->intake->node->strangers, &request,
                        &item->fetch) == 0)
            return;
    item_fail(item, false, "neither the site nor a node gave its piece table");
}

static int
take_manifest(struct item *item, struct latest_result *result)
{
    const struct ol_manifest *m = &result->manifest;

    if (memcmp(m->root, item->assignment->root, OL_HASH_BYTES) != 0 ||
        m->size != item->assignment->size)
        return -ESTALE;
    item->token = malloc(result->token_len);
    if (item->token == NULL)
        return -ENOMEM;
    memcpy(item->token, result->token, result->token_len);
    item->token_len = result->token_len;
    item->manifest = *m;
    result->manifest = (struct ol_manifest){0};
    return 0;
}

static void
on_manifest(void *arg, struct latest_result *result)
{
    struct item *item = arg;
    int rc = result->error;

    item->latest = NULL;
    if (rc != 0) {
        item_fail(item, rc == -EAGAIN, result->text.text);
        return;
    }
    rc = take_manifest(item, result);
    if (rc == -ESTALE) {
        item_fail(item, false, "the site has another version of it now");
    } else if (rc != 0) {
        item_fail(item, false, strerror(-rc));
    } else if (item->known != NULL) {
        if (item->known->gone)
            item_fail(item, true, "it has been dropped");
        else
            add_source(item);
    } else if (item->manifest.table != NULL) {
        size_t len =
            (size_t)ol_piece_count(item->manifest.size) * OL_HASH_BYTES;

        item->table = malloc(len);
        if (item->table == NULL) {
            item_fail(item, false, strerror(ENOMEM));
            return;
        }
        memcpy(item->table, item->manifest.table, len);
        store_content(item);
    } else {
        fetch_table(item);
    }
}

static void
ask_site(struct item *item)
{
    struct node *node = item->intake->node;

    item->step = STEP_MANIFEST;
    item->site = site_hold(node->sites, item->assignment->iss);
    if (item->site == NULL ||
        latest_start(node->strangers, item->site, item->assignment->sub,
                     on_manifest, item, &item->latest) != 0)
        item_fail(item, true, "too many requests under way");
}

static void
item_begin(struct item *item)
{
    struct node *node = item->intake->node;
    int rc;

    item->known = contents_find(node->contents, item->assignment->root);
    if (item->known != NULL) {
        item->step = STEP_OPEN;
        content_hold(node->contents, item->known);
        item->opening.done = on_open;
        if (item->known->open != NULL)
            on_open(&item->opening, 0);
        else
            content_open(node->contents, item->known, &item->opening);
        return;
    }
    if (contents_known(node->contents, item->assignment->root)) {
        item_fail(item, true, "it is just being removed");
        return;
    }
    rc = contents_make_room(node->contents, item->assignment->size);
    if (rc == -EFBIG)
        item_fail(item, false, "larger than --size");
    else if (rc != 0)
        item_fail(item, false, "no room left");
    else
        ask_site(item);
}

/* All of them */

static struct item *
find(struct item_list *list, const uint8_t *root, const char *iss,
     const char *sub)
{
    struct item *item;

    TAILQ_FOREACH(item, list, link)
    {
        if (memcmp(item->assignment->root, root, OL_HASH_BYTES) == 0 &&
            (iss == NULL || assignment_is_from(item->assignment, iss, sub)))
            return item;
    }
    return NULL;
}

/* The first that waits for no other of the same root. */
static struct item *
next_queued(struct intake *intake)
{
    struct item *item;

    TAILQ_FOREACH(item, &intake->queued, link)
    {
        if (find(&intake->active, item->assignment->root, NULL, NULL) == NULL)
            return item;
    }
    return NULL;
}

static void
intake_next(struct intake *intake)
{
    struct item *item;

    while (!intake->stopped && intake->active_count < INTAKE_ACTIVE &&
           (item = next_queued(intake)) != NULL) {
        TAILQ_REMOVE(&intake->queued, item, link);
        intake->queued_count--;
        TAILQ_INSERT_TAIL(&intake->active, item, link);
        intake->active_count++;
        item_begin(item);
    }
}

/* Takes the reference, unless it fails. */
static int
enqueue(struct intake *intake, unsigned coordinator, struct assignment *a)
{
    struct item *item = find(&intake->active, a->root, a->iss, a->sub);

    if (item == NULL)
        item = find(&intake->queued, a->root, a->iss, a->sub);
    if (item != NULL) {
        item->coordinators |= 1u << coordinator;
        assignment_unref(a);
        return 0;
    }
    if (intake->queued_count >= INTAKE_MAX ||
        attempts_wait(&intake->attempts, a, uv_now(intake->node->loop)))
        return -EAGAIN;
    item = calloc(1, sizeof(*item));
    if (item == NULL)
        return -ENOMEM;
    item->intake = intake;
    item->assignment = a;
    item->coordinators = 1u << coordinator;
    TAILQ_INSERT_TAIL(&intake->queued, item, link);
    intake->queued_count++;
    intake_next(intake);
    return 0;
}

int
intake_offer(struct intake *intake, unsigned coordinator, json_t *entry,
             struct ol_error *err)
{
    struct content *known;
    struct assignment *a;
    int rc = assignment_from_json(entry, &a, err);

    if (rc != 0)
        return rc;
    if (!options_serve(&intake->node->options, a->iss)) {
        rc = ol_error_set(err, EACCES, "%s is not a --site of this node",
                          a->iss);
        assignment_unref(a);
        return rc;
    }
    known = contents_find(intake->node->contents, a->root);
    if (known != NULL)
        content_set_heat(intake->node->contents, known,
                         (uint16_t)(1u << coordinator), a->heat);
    rc = enqueue(intake, coordinator, a);
    if (rc != 0)
        assignment_unref(a);
    return rc;
}

int
intake_create(struct node *node, struct intake **ret)
{
    struct intake *intake = calloc(1, sizeof(*intake));

    if (intake == NULL)
        return -ENOMEM;
    intake->node = node;
    TAILQ_INIT(&intake->queued);
    TAILQ_INIT(&intake->active);
    *ret = intake;
    return 0;
}

void
intake_stop(struct intake *intake)
{
    struct item *item, *next;

    intake->stopped = true;
    while ((item = TAILQ_FIRST(&intake->queued)) != NULL) {
        TAILQ_REMOVE(&intake->queued, item, link);
        item_free(item);
    }
    for (item = TAILQ_FIRST(&intake->active); item != NULL; item = next) {
        next = TAILQ_NEXT(item, link);
        TAILQ_REMOVE(&intake->active, item, link);
        if (item->step != STEP_STORE)
            item_free(item);
    }
}

void
intake_free(struct intake *intake)
{
    free(intake);
}
