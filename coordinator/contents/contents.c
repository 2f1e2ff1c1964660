/*
 * The contents of one site: a tree by root and a list; how they come and go,
 * and what happens to them when nodes do.
 *
 * Must not know HTTP, leases or how a sync is sent.
 */
#include "coordinator/contents/table.h"
#include "coordinator/options.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "net/log.h"
#include "offload/encoding.h"

static int
content_compare(const void *a, const void *b)
{
    return memcmp(((const struct content *)a)->root,
                  ((const struct content *)b)->root, OL_HASH_BYTES);
}

struct content *
content_find(struct contents *contents, const uint8_t *root)
{
    struct content key, **found;

    memcpy(key.root, root, sizeof(key.root));
    found = tfind(&key, &contents->tree, content_compare);
    return found == NULL ? NULL : *found;
}

static struct content *
content_find_hex(struct contents *contents, const char *hex)
{
    uint8_t root[OL_HASH_BYTES];

    if (ol_hex_decode(root, sizeof(root), hex, strlen(hex)) != 0)
        return NULL;
    return content_find(contents, root);
}

bool
content_is_holder(const struct content *c, const struct node *node)
{
    for (size_t i = 0; i < c->holder_count; i++)
        if (c->holders[i].node == node)
            return true;
    return false;
}

bool
content_is_placed(const struct content *c, const struct node *node)
{
    for (size_t i = 0; i < c->placed_count; i++)
        if (c->placed[i] == node)
            return true;
    return false;
}

/* Contents come and go. */

static int
listed_add(struct contents *contents, struct content *c)
{
    size_t size = contents->listed_size;
    struct content **grown;

    if (contents->count == size) {
        size = size == 0 ? 16 : 2 * size;
        grown = realloc(contents->listed, size * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        contents->listed = grown;
        contents->listed_size = size;
    }
    c->at = contents->count;
    contents->listed[contents->count++] = c;
    return 0;
}

static void
listed_remove(struct contents *contents, const struct content *c)
{
    struct content *last = contents->listed[--contents->count];

    last->at = c->at;
    contents->listed[c->at] = last;
}

static void
content_free(struct contents *contents, struct content *c)
{
    unsent_clear(contents, c, UINT8_MAX);
    if (c->work != 0)
        TAILQ_REMOVE(&contents->work, c, work_link);
    for (unsigned i = 0; i < SITE_INSTANCES; i++)
        if (contents->full[i] == c)
            contents->full[i] = TAILQ_NEXT(c, link);
    if (contents->renew == c)
        contents->renew = TAILQ_NEXT(c, link);
    tdelete(c, &contents->tree, content_compare);
    TAILQ_REMOVE(&contents->all, c, link);
    listed_remove(contents, c);
    torrents_clear(&c->torrents);
    free(c->sub);
    free(c->holders);
    free(c);
}

void
content_release(struct contents *contents, struct content *c)
{
    for (size_t i = 0; i < c->placed_count; i++)
        content_unwant(contents, c, c->placed[i]);
    for (size_t i = 0; i < c->holder_count; i++)
        if (!content_is_placed(c, c->holders[i].node))
            content_unwant(contents, c, c->holders[i].node);
    store_content_gone(contents->app->store, c->hex, contents->id,
                       contents->iss, app_now());
    torrents_gone(&c->torrents, contents->app->store, contents->id);
    content_free(contents, c);
}

static struct content *
content_add(struct contents *contents, const struct sync_entry *entry)
{
    static struct log_kind full = {.name = "contents"};
    struct content *c;

    if (contents->count >= CONTENTS_MAX) {
        log_limited(&full, LOG_WARN_,
                    "%s offers more than %d contents, the rest is not placed",
                    contents->iss, CONTENTS_MAX);
        return NULL;
    }
    c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    memcpy(c->root, entry->root, sizeof(c->root));
    ol_hex_encode(c->hex, c->root, sizeof(c->root));
    c->size = entry->size;
    c->sub = strdup(entry->sub);
    if (c->sub == NULL ||
        tsearch(c, &contents->tree, content_compare) == NULL) {
        free(c->sub);
        free(c);
        return NULL;
    }
    if (listed_add(contents, c) != 0) {
        tdelete(c, &contents->tree, content_compare);
        free(c->sub);
        free(c);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&contents->all, c, link);
    work_add(contents, c, WORK_META | WORK_READ);
    return c;
}

/* The same bytes may stand at several paths: any that still does will do. */
static void
content_name(struct contents *contents, struct content *c, const char *sub)
{
    int64_t now = app_ticks_ms();
    char *copy;

    if (strcmp(c->sub, sub) == 0) {
        c->sub_ms = now;
        return;
    }
    if (now - c->sub_ms < CONTENTS_SUB_MS || (copy = strdup(sub)) == NULL)
        return;
    free(c->sub);
    c->sub = copy;
    c->sub_ms = now;
    work_add(contents, c, WORK_META);
    if (c->assigned)
        content_want(contents, c, true);
}

void
contents_offer(struct contents *contents, unsigned instance,
               const struct sync_entry *entry)
{
    struct content *c = content_find(contents, entry->root);
    uint8_t bit = (uint8_t)(1u << instance);

    if (entry->gone) {
        if (c == NULL)
            return;
        c->offered &= (uint8_t)~bit;
        unsent_clear(contents, c, bit);
        if (c->offered == 0)
            work_add(contents, c, WORK_GONE);
        return;
    }
    if (c == NULL)
        c = content_add(contents, entry);
    if (c == NULL)
        return;
    content_name(contents, c, entry->sub);
    if (torrents_add(&c->torrents, entry))
        work_add(contents, c, WORK_META);
    if ((c->offered & bit) == 0) {
        c->offered |= bit;
        if (c->candidate_count > 0)
            unsent_set(contents, c, bit);
    }
}

void
contents_forget_offers(struct contents *contents, unsigned instance)
{
    uint8_t bit = (uint8_t)(1u << instance);
    struct content *c;

    TAILQ_FOREACH(c, &contents->all, link)
    {
        c->offered &= (uint8_t)~bit;
        unsent_clear(contents, c, bit);
    }
}

/* Each is renewed in turn; what none offers for two turns goes. */
static void
on_renewal(uv_timer_t *timer)
{
    struct contents *contents = timer->data;
    size_t left = contents->count / CONTENTS_RENEW_ROUNDS + 1;
    struct content *c;

    while (left-- > 0) {
        if (contents->renew == NULL)
            contents->renew = TAILQ_FIRST(&contents->all);
        c = contents->renew;
        if (c == NULL)
            return;
        contents->renew = TAILQ_NEXT(c, link);
        if (c->offered != 0) {
            c->idle = false;
            c->renew = true;
            work_add(contents, c, WORK_META | WORK_READ);
        } else if (c->idle) {
            work_add(contents, c, WORK_GONE);
        } else {
            c->idle = true;
        }
    }
}

/* Events. */

void
contents_held(struct contents *contents, const char *root)
{
    struct content *c = content_find_hex(contents, root);

    if (c != NULL)
        work_add(contents, c, WORK_READ);
}

/* Whether it should be placed anew, since this node came or went. */
static bool
is_displaced(const struct contents *contents, const struct content *c,
             const struct node *node)
{
    const struct placement_node scored = {.id = node->raw,
                                          .weight = node->weight};

    if (content_is_placed(c, node))
        return !node->alive;
    return node->alive && (c->placed_count < contents->app->options->holders ||
                           placement_score(store_salt(contents->app->store),
                                           c->root, &scored) > c->placed_min);
}

void
contents_node_changed(struct contents *contents, struct node *node)
{
    struct content *c;

    TAILQ_FOREACH(c, &contents->all, link)
    {
        if (content_is_holder(c, node))
            candidates_update(contents, c);
        if (c->assigned && is_displaced(contents, c, node))
            work_add(contents, c, WORK_PLACE);
    }
}

void
contents_node_forget(struct contents *contents, struct node *node)
{
    struct content *c;
    size_t kept;

    TAILQ_FOREACH(c, &contents->all, link)
    {
        kept = 0;
        for (size_t i = 0; i < c->placed_count; i++)
            if (c->placed[i] != node)
                c->placed[kept++] = c->placed[i];
        c->placed_count = kept;
        kept = 0;
        for (size_t i = 0; i < c->holder_count; i++)
            if (c->holders[i].node != node)
                c->holders[kept++] = c->holders[i];
        if (kept != c->holder_count) {
            c->holder_count = kept;
            candidates_update(contents, c);
        }
    }
}

void
contents_refresh(struct contents *contents, bool fresh)
{
    struct content *c;

    TAILQ_FOREACH(c, &contents->all, link)
    {
        if (fresh)
            c->assigned = false;
        work_add(contents, c, WORK_META | WORK_READ);
    }
}

size_t
contents_count(const struct contents *contents)
{
    return contents->count;
}

bool
contents_settled(const struct contents *contents)
{
    return contents->reads == 0 && TAILQ_EMPTY(&contents->work);
}

/* From a random one on, a few: most have holders, or none has. */
bool
contents_sample(const struct contents *contents, uint32_t random,
                struct contents_holding *ret)
{
    const struct content *c;
    const struct holder *h;

    for (size_t i = 0; i < contents->count && i < CONTENTS_SAMPLED; i++) {
        c = contents->listed[(random + i) % contents->count];
        for (size_t j = 0; j < c->holder_count; j++) {
            h = &c->holders[(random / 7 + j) % c->holder_count];
            if (!h->node->alive)
                continue;
            *ret = (struct contents_holding){c->hex, c->sub, c->size, h->node,
                                             h->complete};
            return true;
        }
    }
    return false;
}

/* Creation. */

int
contents_create(struct app *app, const char *id, const char *iss,
                struct contents **ret)
{
    struct contents *contents = calloc(1, sizeof(*contents));

    if (contents == NULL)
        return -ENOMEM;
    contents->iss = strdup(iss);
    contents->id = strdup(id);
    if (contents->iss == NULL || contents->id == NULL) {
        free(contents->iss);
        free(contents->id);
        free(contents);
        return -ENOMEM;
    }
    contents->app = app;
    TAILQ_INIT(&contents->all);
    TAILQ_INIT(&contents->work);
    TAILQ_INIT(&contents->unsent);
    uv_timer_init(app->loop, &contents->pump);
    uv_timer_init(app->loop, &contents->renewal);
    contents->pump.data = contents->renewal.data = contents;
    contents->handles = 2;
    uv_timer_start(&contents->renewal, on_renewal, CONTENTS_RENEW_MS,
                   CONTENTS_RENEW_MS);
    *ret = contents;
    return 0;
}

void
contents_destroy(struct contents *contents)
{
    if (contents->handles > 0 || contents->reads > 0)
        return;
    free(contents->listed);
    free(contents->scratch);
    free(contents->scratch_nodes);
    free(contents->iss);
    free(contents->id);
    free(contents);
}

static void
on_closed(uv_handle_t *handle)
{
    struct contents *contents = handle->data;

    contents->handles--;
    contents_destroy(contents);
}

void
contents_free(struct contents *contents)
{
    struct content *c;

    if (contents == NULL)
        return;
    while ((c = TAILQ_FIRST(&contents->all)) != NULL)
        content_free(contents, c);
    contents->dead = true;
    uv_close((uv_handle_t *)&contents->pump, on_closed);
    uv_close((uv_handle_t *)&contents->renewal, on_closed);
}
