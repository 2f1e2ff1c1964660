/*
 * The contents of one site: how they come and go, which files offer them, and
 * their renewal in the store.
 *
 * Must not know HTTP, leases or how a sync is sent.
 */
#include "coordinator/contents/catalog.h"
#include "coordinator/contents/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/log.h"
#include "offload/encoding.h"

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
    crowd_forget(contents, c);
    content_unrefer(c);
    if (c->work != 0)
        TAILQ_REMOVE(&contents->work, c, work_link);
    for (unsigned i = 0; i < SITE_INSTANCES; i++)
        if (contents->full[i] == c)
            contents->full[i] = TAILQ_NEXT(c, link);
    if (contents->renew == c)
        contents->renew = TAILQ_NEXT(c, link);
    if (contents->sweep == c)
        contents->sweep = TAILQ_NEXT(c, link);
    catalog_remove(contents->app->catalog, c);
    TAILQ_REMOVE(&contents->all, c, link);
    listed_remove(contents, c);
    torrents_clear(&c->torrents);
    free(c->sub);
    free(c->offers);
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

    if (contents->count >= CONTENTS_MAX ||
        !catalog_has_room(contents->app->catalog, contents->count)) {
        log_limited(&full, LOG_WARN_,
                    "%s offers more than %zu contents, the rest is not placed",
                    contents->iss, contents->count);
        return NULL;
    }
    c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    memcpy(c->root, entry->root, sizeof(c->root));
    ol_hex_encode(c->hex, c->root, sizeof(c->root));
    c->size = entry->size;
    c->site = contents;
    c->sub = strdup(entry->sub);
    if (c->sub == NULL || catalog_add(contents->app->catalog, c) != 0) {
        free(c->sub);
        free(c);
        return NULL;
    }
    if (listed_add(contents, c) != 0) {
        catalog_remove(contents->app->catalog, c);
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

/* Files.  Several of one instance may have the same bytes. */

static uint64_t
name_hash(const char *sub)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *sub != '\0'; sub++)
        h = (h ^ (uint8_t)*sub) * UINT64_C(0x100000001b3);
    return h;
}

static struct offer *
offer_find(struct content *c, unsigned instance, uint64_t name)
{
    for (unsigned i = 0; i < c->offer_count; i++)
        if (c->offers[i].instance == instance && c->offers[i].name == name)
            return &c->offers[i];
    return NULL;
}

/* Keeps those of other instances, and of this one all but `name`; 0: none. */
static void
offers_drop(struct content *c, unsigned instance, uint64_t name)
{
    uint8_t kept = 0, bit = (uint8_t)(1u << instance);
    bool others = false;

    for (unsigned i = 0; i < c->offer_count; i++) {
        if (c->offers[i].instance == instance &&
            (name == 0 || c->offers[i].name == name))
            continue;
        others = others || c->offers[i].instance == instance;
        c->offers[kept++] = c->offers[i];
    }
    c->offer_count = kept;
    if (!others)
        c->offered &= (uint8_t)~bit;
}

static struct offer *
offer_add(struct content *c, unsigned instance, uint64_t name)
{
    struct offer *grown;

    if (c->offer_count == CONTENTS_OFFERS_MAX)
        return NULL;
    grown = realloc(c->offers, (c->offer_count + 1u) * sizeof(*grown));
    if (grown == NULL)
        return NULL;
    c->offers = grown;
    grown += c->offer_count++;
    *grown = (struct offer){.name = name, .instance = (uint8_t)instance};
    return grown;
}

static void
offer_count(struct content *c, unsigned instance,
            const struct sync_entry *entry, bool recent)
{
    uint64_t name = name_hash(entry->sub);
    struct offer *offer = offer_find(c, instance, name);
    bool known = offer != NULL;

    if (!known)
        offer = offer_add(c, instance, name);
    if (offer == NULL)
        return;
    if (known || recent)
        demand_add(&c->demand, demand_grown(offer->demand, entry->demand),
                   c->size, app_ticks_ms());
    offer->demand = entry->demand;
}

static void
content_offered(struct contents *contents, struct content *c, unsigned instance)
{
    uint8_t bit = (uint8_t)(1u << instance);

    if ((c->offered & bit) != 0)
        return;
    c->offered |= bit;
    if (c->candidate_count > 0)
        unsent_set(contents, c, bit);
}

void
contents_offer(struct contents *contents, unsigned instance,
               const struct sync_entry *entry, bool recent)
{
    struct content *c =
        catalog_find(contents->app->catalog, contents, entry->root);

    if (entry->gone) {
        if (c == NULL)
            return;
        offers_drop(c, instance,
                    entry->sub[0] == '\0' ? 0 : name_hash(entry->sub));
        if ((c->offered & 1u << instance) == 0)
            unsent_clear(contents, c, (uint8_t)(1u << instance));
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
    content_offered(contents, c, instance);
    offer_count(c, instance, entry, recent);
    crowd_update(contents, c);
}

void
contents_forget_offers(struct contents *contents, unsigned instance)
{
    struct content *c;

    TAILQ_FOREACH(c, &contents->all, link)
    {
        offers_drop(c, instance, 0);
        unsent_clear(contents, c, (uint8_t)(1u << instance));
    }
}

/* Each is renewed in turn; what none offers for two turns goes. */
static void
on_renewal(uv_timer_t *timer)
{
    struct contents *contents = timer->data;
    size_t rounds =
        catalog_count(contents->app->catalog) / CONTENTS_RENEW_FEW + 1;
    size_t left;
    struct content *c;

    if (rounds > CONTENTS_RENEW_ROUNDS)
        rounds = CONTENTS_RENEW_ROUNDS;
    contents->renew_due += contents->count;
    left = contents->renew_due / rounds;
    contents->renew_due %= rounds;
    hottest_tell(contents);
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
            crowd_update(contents, c);
        } else if (c->idle) {
            work_add(contents, c, WORK_GONE);
        } else {
            c->idle = true;
        }
    }
}

/* Events. */

void
contents_nodes_moved(struct contents *contents)
{
    work_wake(contents);
}

void
contents_node_forget(struct contents *contents, struct node *node)
{
    struct content *c;
    bool displaced;
    size_t kept;

    TAILQ_FOREACH(c, &contents->all, link)
    {
        kept = 0;
        content_unrefer(c);
        for (size_t i = 0; i < c->placed_count; i++)
            if (node != NULL && c->placed[i] != node)
                c->placed[kept++] = c->placed[i];
        c->placed_count = kept;
        kept = 0;
        for (size_t i = 0; i < c->holder_count; i++)
            if (node != NULL && c->holders[i].node != node)
                c->holders[kept++] = c->holders[i];
        displaced = kept != c->holder_count;
        c->holder_count = kept;
        content_refer(c);
        if (displaced)
            candidates_update(contents, c);
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
                const struct contents_events *events, struct contents **ret)
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
    contents->events = *events;
    TAILQ_INIT(&contents->all);
    TAILQ_INIT(&contents->work);
    TAILQ_INIT(&contents->unsent);
    TAILQ_INIT(&contents->watched);
    uv_timer_init(app->loop, &contents->pump);
    uv_timer_init(app->loop, &contents->renewal);
    uv_timer_init(app->loop, &contents->watch);
    contents->pump.data = contents->renewal.data = contents;
    contents->watch.data = contents;
    contents->handles = 3;
    contents->swept = catalog_moves(app->catalog);
    uv_timer_start(&contents->renewal, on_renewal,
                   app_random(CONTENTS_RENEW_MS), CONTENTS_RENEW_MS);
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
    uv_close((uv_handle_t *)&contents->watch, on_closed);
}
