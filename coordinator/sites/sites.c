/*
 * The sites that have joined: their leases, their documents, and one sync for
 * each of their instances while the lease is this process's.
 *
 * Must not know what a sync says.
 */
#include "coordinator/sites/sites.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/contents/catalog.h"
#include "coordinator/sites/site.h"
#include "net/log.h"
#include "offload/encoding.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000

#define WHEEL_SLOTS 256 /* of one tick each: more than SITES_LOOK_MS */

TAILQ_HEAD(site_list, site);

struct sites {
    struct app *app;
    void *tree; /* of tsearch, by id */
    struct site_list list, wheel[WHEEL_SLOTS];
    int64_t turned; /* ticks that the wheel has seen */
    size_t count, leased;
    unsigned asked;            /* leases, in this tick */
    unsigned fetches, retries; /* documents under way */
    uv_timer_t tick;
    size_t page;
    uint64_t moves; /* of nodes, that all sites were woken for */
};

void
site_id(const char *iss, char ret[SITE_ID_CHARS + 1])
{
    uint8_t hash[OL_HASH_BYTES];

    ol_sha256(iss, strlen(iss), hash);
    ol_hex_encode(ret, hash, sizeof(hash));
}

static int
site_compare(const void *a, const void *b)
{
    return strcmp(((const struct site *)a)->id, ((const struct site *)b)->id);
}

static struct site *
site_find(struct sites *sites, const char *id)
{
    struct site key, **found;

    if (strlen(id) != SITE_ID_CHARS)
        return NULL;
    memcpy(key.id, id, sizeof(key.id));
    found = tfind(&key, &sites->tree, site_compare);
    return found == NULL ? NULL : *found;
}

/* When it is looked at: a wheel of ticks, as sites have next to nothing to do.
 */

static void
site_schedule(struct site *site, int64_t due_ms)
{
    struct sites *sites = site->app->sites;
    int64_t tick = due_ms / SITES_TICK_MS + 1;

    if (tick <= sites->turned)
        tick = sites->turned + 1;
    TAILQ_REMOVE(&sites->wheel[site->slot], site, wheel_link);
    site->due_ms = due_ms;
    site->slot = (unsigned)(tick % WHEEL_SLOTS);
    TAILQ_INSERT_TAIL(&sites->wheel[site->slot], site, wheel_link);
}

void
site_wake(struct site *site)
{
    int64_t now = app_ticks_ms();

    if (site->due_ms > now)
        site_schedule(site, now);
}

static void
on_unsent(void *arg)
{
    site_wake(arg);
}

/* Pushing begins and ends with the lease. */

static void
syncs_stop(struct site *site)
{
    for (unsigned i = 0; i < SITE_INSTANCES; i++) {
        sync_free(site->syncs[i]);
        site->syncs[i] = NULL;
    }
    site_document_clear(&site->document);
}

/* A document is no longer under way. */
static void
document_done(struct site *site)
{
    site->app->sites->fetches--;
    site->app->sites->retries -= site->retrying;
    site->retrying = false;
}

static void
site_begin(struct site *site)
{
    const struct contents_events events = {on_unsent, site};

    if (contents_create(site->app, site->id, site->iss, &events,
                        &site->contents) != 0)
        return;
    site->leased = true;
    site->app->sites->leased++;
    site->begun_ms = app_ticks_ms();
    site->document_next_ms = 0;
    site->document_failures = 0;
    site->answered_ms = 0;
    log_info("site %s: this process pushes to it", site->iss);
}

static void
site_end(struct site *site)
{
    if (!site->leased)
        return;
    site->leased = false;
    site->app->sites->leased--;
    if (site->fetch != NULL)
        document_done(site);
    site_fetch_cancel(site->fetch);
    site->fetch = NULL;
    syncs_stop(site);
    contents_free(site->contents);
    site->contents = NULL;
}

static void
site_remove(struct sites *sites, struct site *site)
{
    site_end(site);
    tdelete(site, &sites->tree, site_compare);
    TAILQ_REMOVE(&sites->wheel[site->slot], site, wheel_link);
    TAILQ_REMOVE(&sites->list, site, link);
    sites->count--;
    free(site);
}

/* The lease. */

struct lease_call {
    struct sites *sites;
    char id[SITE_ID_CHARS + 1];
};

static struct lease_call *
lease_call(struct sites *sites, const struct site *site)
{
    struct lease_call *call = malloc(sizeof(*call));

    if (call != NULL) {
        call->sites = sites;
        memcpy(call->id, site->id, sizeof(call->id));
    }
    return call;
}

static void
on_lease(void *arg, int rc, uint64_t value)
{
    struct lease_call *call = arg;
    struct site *site;

    if (rc != -ECANCELED && (site = site_find(call->sites, call->id)) != NULL) {
        site->asking = false;
        if (rc == 0 && value == 1) {
            site->lease_until_ms = site->lease_asked_ms + site->lease_life_ms;
            if (!site->leased)
                site_begin(site);
        } else if (rc == 0 && site->leased) {
            log_info("site %s: another process pushes to it", site->iss);
            site_end(site);
        }
        site_wake(site);
    }
    free(call);
}

static void
lease_ask(struct sites *sites, struct site *site, int64_t now)
{
    size_t life = SITES_LEASE_MS + sites->leased * SITES_LEASE_EACH_MS;
    struct lease_call *call;

    if (++sites->asked > SITES_LEASES)
        return; /* in the next tick */
    if (life > SITES_LEASE_MAX_MS)
        life = SITES_LEASE_MAX_MS;
    site->lease_life_ms = (unsigned)life;
    site->lease_next_ms =
        now + (int64_t)(life / 6 + app_random((unsigned)life / 3));
    call = lease_call(sites, site);
    if (call == NULL)
        return;
    site->lease_asked_ms = now;
    if (store_lease(site->app->store, site->id, site->lease_life_ms, on_lease,
                    call) != 0)
        free(call);
    else
        site->asking = true;
}

/* Leaving a site to others. */

static void
on_forget(void *arg, int rc, uint64_t value)
{
    struct lease_call *call = arg;
    struct site *site;

    if (rc == 0 && value == 1 &&
        (site = site_find(call->sites, call->id)) != NULL &&
        site->gone_ms == 0) {
        log_info("site %s: forgotten", site->iss);
        site->gone_ms = app_ticks_ms();
    }
    free(call);
}

static void
site_give_up(struct site *site, const char *why)
{
    struct sites *sites = site->app->sites;
    struct lease_call *call;

    log_info("site %s: left to other processes, since %s", site->iss, why);
    site_end(site);
    store_lease_drop(site->app->store, site->id);
    site->lease_next_ms =
        app_ticks_ms() + SITES_OUT_MS + app_random(SITES_OUT_MS / 2);
    call = lease_call(sites, site);
    if (call != NULL &&
        store_site_forget(site->app->store, site->id, app_now() - SITES_KEPT_S,
                          on_forget, call) != 0)
        free(call);
}

/* The document. */

static bool
same_urls(const struct site_document *a, const struct site_document *b)
{
    if (a->sync_count != b->sync_count)
        return false;
    for (size_t i = 0; i < a->sync_count; i++)
        if (strcmp(a->sync[i], b->sync[i]) != 0)
            return false;
    return true;
}

static bool
same_keys(const struct ol_keyset *a, const struct ol_keyset *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(ol_key_id(a->keys[i]), ol_key_id(b->keys[i])) != 0)
            return false;
    return true;
}

/* What was refused so far may be good by other keys: all is tried at once. */
static void
document_take(struct site *site, struct site_document *document)
{
    if (same_urls(&site->document, document) &&
        same_keys(&site->document.keys, &document->keys)) {
        site_document_clear(&site->document);
        site->document = *document;
        return;
    }
    syncs_stop(site);
    site->document = *document;
    site->begun_ms = app_ticks_ms();
    for (unsigned i = 0; i < document->sync_count; i++) {
        if (sync_create(site, i, &site->syncs[i]) != 0)
            site_refetch(site);
    }
}

/* The sync URLs are asked for again when they fail; that they can be read is
 * not enough. */
static bool
site_is_silent(const struct site *site, int64_t now)
{
    int64_t since =
        site->answered_ms > site->begun_ms ? site->answered_ms : site->begun_ms;

    return now - since > SITES_SILENT_MS;
}

static void
on_document(void *arg, int rc, struct site_document *document, const char *why)
{
    static struct log_kind refused = {.name = "site documents"};
    struct site *site = arg;
    int64_t now = app_ticks_ms(), wait = BACKOFF_MIN_MS;

    document_done(site);
    site->fetch = NULL;
    site_wake(site);
    if (rc == 0) {
        site->document_failures = 0;
        site->document_next_ms = now + SITES_DOCUMENT_MS;
        document_take(site, document);
        if (site_is_silent(site, now))
            site_give_up(site, "none of its sync URLs answers");
        return;
    }
    log_limited(&refused, LOG_WARN_, "site %s: %s", site->iss, why);
    if (rc == -EBADMSG)
        syncs_stop(site); /* it does not want this coordinator any more */
    wait <<= site->document_failures < 6 ? site->document_failures : 6;
    if (rc != -EAGAIN) /* not for want of room here */
        site->document_failures++;
    if (site->document_failures >= SITES_FAILURES &&
        (site->answered_ms == 0 || now - site->answered_ms > SITES_SILENT_MS)) {
        site_give_up(site, "this one cannot read its keys and document");
        return;
    }
    if (wait > BACKOFF_MAX_MS)
        wait = BACKOFF_MAX_MS;
    site->document_next_ms = now + wait / 2 + app_random((unsigned)wait);
}

static void
document_fetch(struct site *site, int64_t now)
{
    struct sites *sites = site->app->sites;

    if (sites->fetches >= SITES_FETCHES ||
        (site->document_failures > 0 && sites->retries >= SITES_RETRIES)) {
        site->document_next_ms = now + app_random(BACKOFF_MIN_MS);
        return;
    }
    site->document_ms = now;
    if (site_fetch_start(site->app, site->iss, on_document, site,
                         &site->fetch) != 0) {
        site->document_next_ms = now + BACKOFF_MIN_MS + app_random(1000);
        return;
    }
    site->retrying = site->document_failures > 0;
    sites->fetches++;
    sites->retries += site->retrying;
}

void
site_refetch(struct site *site)
{
    int64_t next = site->document_ms + SITES_REFETCH_MS;

    if (next < site->document_next_ms)
        site->document_next_ms = next;
    site_wake(site);
}

static void
site_tick(struct sites *sites, struct site *site, int64_t now)
{
    if (!site->asking && site->lease_next_ms <= now)
        lease_ask(sites, site, now);
    if (!site->leased || site->lease_until_ms <= now)
        return;
    if (site->fetch == NULL && site->document_next_ms <= now)
        document_fetch(site, now);
    for (unsigned i = 0; i < SITE_INSTANCES; i++)
        if (site->syncs[i] != NULL)
            sync_tick(site->syncs[i], now);
}

static int64_t
site_due(const struct site *site, int64_t now)
{
    int64_t due = now + SITES_LOOK_MS, sync;

    if (!site->asking && site->lease_next_ms < due)
        due = site->lease_next_ms;
    if (!site->leased)
        return due;
    if (site->fetch == NULL && site->document_next_ms < due)
        due = site->document_next_ms;
    for (unsigned i = 0; i < SITE_INSTANCES; i++) {
        sync = site->syncs[i] == NULL ? due : sync_due(site->syncs[i]);
        if (sync < due)
            due = sync;
    }
    return due;
}

static void
slot_tick(struct sites *sites, struct site_list *slot, int64_t now)
{
    struct site *site = TAILQ_FIRST(slot), *next;

    for (; site != NULL; site = next) {
        next = TAILQ_NEXT(site, wheel_link);
        if (site->due_ms > now)
            continue; /* it is here for a later turn */
        if (site->gone_ms != 0 && now - site->gone_ms > SITES_GONE_MS) {
            site_remove(sites, site);
        } else {
            site_tick(sites, site, now);
            site_schedule(site, site_due(site, now));
        }
    }
}

/* Once a tick, however many nodes came or went. */
static void
nodes_moved(struct sites *sites)
{
    struct site *site;

    if (sites->moves == catalog_moves(sites->app->catalog))
        return;
    sites->moves = catalog_moves(sites->app->catalog);
    TAILQ_FOREACH(site, &sites->list, link)
    {
        if (!site->leased)
            continue;
        contents_nodes_moved(site->contents);
        site_wake(site); /* it is to be told */
    }
}

static void
on_tick(uv_timer_t *timer)
{
    struct sites *sites = timer->data;
    int64_t now = app_ticks_ms(), until = now / SITES_TICK_MS;

    if (!store_is_up(sites->app->store))
        return;
    sites->asked = 0;
    nodes_moved(sites);
    if (until - sites->turned > WHEEL_SLOTS)
        sites->turned = until - WHEEL_SLOTS;
    while (sites->turned < until) {
        sites->turned++;
        slot_tick(sites, &sites->wheel[sites->turned % WHEEL_SLOTS], now);
    }
}

/* Which sites there are. */

static void
site_add(struct sites *sites, const char *id, const char *iss)
{
    struct site *site;

    if (site_find(sites, id) != NULL || sites->count >= STORE_SITES_MAX ||
        strlen(iss) >= sizeof(site->iss))
        return;
    site = calloc(1, sizeof(*site));
    if (site == NULL)
        return;
    site->app = sites->app;
    memcpy(site->id, id, strnlen(id, SITE_ID_CHARS));
    strcpy(site->iss, iss);
    if (tsearch(site, &sites->tree, site_compare) == NULL) {
        free(site);
        return;
    }
    TAILQ_INSERT_TAIL(&sites->list, site, link);
    TAILQ_INSERT_TAIL(&sites->wheel[0], site, wheel_link);
    site_schedule(site, app_ticks_ms());
    sites->count++;
}

static void
on_site(void *arg, int rc, const struct store_site *from)
{
    struct sites *sites = arg;
    char id[SITE_ID_CHARS + 1];

    if (rc != 0)
        return;
    site_id(from->iss, id);
    site_add(sites, id, from->iss);
}

void
sites_load(struct sites *sites, const char *id)
{
    if (site_find(sites, id) == NULL)
        store_site_get(sites->app->store, id, on_site, sites);
}

static void sites_read(struct sites *sites);

static void
on_page(void *arg, int rc, const struct store_entry *list, size_t count)
{
    struct sites *sites = arg;

    if (rc != 0)
        return;
    for (size_t i = 0; i < count; i++)
        sites_load(sites, list[i].id);
    sites->page += count;
    if (count == STORE_PAGE)
        sites_read(sites);
}

static void
sites_read(struct sites *sites)
{
    store_sites(sites->app->store, sites->page, on_page, sites);
}

static void
on_put(void *arg, int rc, uint64_t value)
{
    (void)arg;
    (void)rc;
    (void)value;
}

void
sites_refresh(struct sites *sites, bool fresh)
{
    struct site *site;

    TAILQ_FOREACH(site, &sites->list, link)
    {
        site->asking = false;
        site->lease_next_ms = 0;
        site->gone_ms = 0;
        site_wake(site);
        if (fresh)
            store_site_put(sites->app->store, site->id, site->iss, app_now(),
                           on_put, NULL);
        if (site->leased)
            contents_refresh(site->contents, fresh);
        for (unsigned i = 0; i < SITE_INSTANCES; i++)
            if (site->syncs[i] != NULL)
                sync_refresh(site->syncs[i], fresh);
    }
    sites->page = 0;
    sites_read(sites);
}

/* Events, for the sites that this process pushes to. */

void
sites_held(struct sites *sites, const char *root)
{
    catalog_held(sites->app->catalog, root);
}

void
sites_node_changed(struct sites *sites, struct node *node)
{
    catalog_moved(sites->app->catalog, node);
}

void
sites_forget_nodes(struct sites *sites)
{
    struct site *site;

    TAILQ_FOREACH(site, &sites->list, link)
    {
        if (site->leased)
            contents_node_forget(site->contents, NULL);
    }
}

void
sites_node_forget(struct sites *sites, struct node *node)
{
    struct site *site;

    catalog_forget(sites->app->catalog, node);
    if (node->users == 0)
        return;
    TAILQ_FOREACH(site, &sites->list, link)
    {
        if (site->leased)
            contents_node_forget(site->contents, node);
    }
}

bool
sites_sample(const struct sites *sites, uint32_t random,
             struct sites_sample *ret)
{
    const struct site *site, *found = NULL;
    size_t count;

    if (sites->leased == 0)
        return false;
    count = random % sites->leased;
    TAILQ_FOREACH(site, &sites->list, link)
    {
        if (site->leased && count-- == 0) {
            found = site;
            break;
        }
    }
    *ret = (struct sites_sample){found->id, found->iss, found->contents,
                                 &found->document};
    return true;
}

bool
sites_have_room(const struct sites *sites)
{
    return sites->count < STORE_SITES_MAX;
}

/* Creation. */

int
sites_create(struct app *app, struct sites **ret)
{
    struct sites *sites = calloc(1, sizeof(*sites));

    if (sites == NULL)
        return -ENOMEM;
    if (catalog_create(app, &app->catalog) != 0) {
        free(sites);
        return -ENOMEM;
    }
    sites->app = app;
    sites->turned = app_ticks_ms() / SITES_TICK_MS;
    TAILQ_INIT(&sites->list);
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        TAILQ_INIT(&sites->wheel[i]);
    uv_timer_init(app->loop, &sites->tick);
    sites->tick.data = sites;
    uv_timer_start(&sites->tick, on_tick, SITES_TICK_MS, SITES_TICK_MS);
    *ret = sites;
    return 0;
}

static void
on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void
sites_free(struct sites *sites)
{
    struct site *site;

    if (sites == NULL)
        return;
    while ((site = TAILQ_FIRST(&sites->list)) != NULL) {
        if (site->leased)
            store_lease_drop(sites->app->store, site->id);
        site_remove(sites, site);
    }
    catalog_free(sites->app->catalog);
    sites->app->catalog = NULL;
    uv_close((uv_handle_t *)&sites->tick, on_closed);
}
