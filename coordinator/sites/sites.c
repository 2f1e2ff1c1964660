/*
 * The sites that have joined: their leases, their documents, and one sync for
 * each of their instances while the lease is this process's.
 *
 * Must not know what a sync says.
 */
#include "coordinator/sites/sites.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/sites/site.h"
#include "net/log.h"
#include "offload/encoding.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000

struct sites {
    struct app *app;
    TAILQ_HEAD(site_list, site) list;
    size_t count;
    uv_timer_t tick;
    size_t page;
    bool paging;
};

void
site_id(const char *iss, char ret[SITE_ID_CHARS + 1])
{
    uint8_t hash[OL_HASH_BYTES];

    ol_sha256(iss, strlen(iss), hash);
    ol_hex_encode(ret, hash, sizeof(hash));
}

static struct site *
site_find(struct sites *sites, const char *id)
{
    struct site *site;

    TAILQ_FOREACH(site, &sites->list, link)
    {
        if (strcmp(site->id, id) == 0)
            return site;
    }
    return NULL;
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

static void
site_begin(struct site *site)
{
    if (contents_create(site->app, site->id, site->iss, &site->contents) != 0)
        return;
    site->leased = true;
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
            site->lease_until_ms = site->lease_asked_ms + SITES_LEASE_MS;
            if (!site->leased)
                site_begin(site);
        } else if (rc == 0 && site->leased) {
            log_info("site %s: another process pushes to it", site->iss);
            site_end(site);
        }
    }
    free(call);
}

static void
lease_ask(struct sites *sites, struct site *site, int64_t now)
{
    struct lease_call *call = lease_call(sites, site);

    site->lease_next_ms = now + SITES_RENEW_MS / 2 + app_random(SITES_RENEW_MS);
    if (call == NULL)
        return;
    site->lease_asked_ms = now;
    if (store_lease(site->app->store, site->id, SITES_LEASE_MS, on_lease,
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
site_give_up(struct site *site)
{
    struct sites *sites = site->app->sites;
    struct lease_call *call;

    log_info("site %s: left to other processes, since this one cannot read its "
             "keys and document",
             site->iss);
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

static void
document_take(struct site *site, struct site_document *document)
{
    if (same_urls(&site->document, document)) {
        site_document_clear(&site->document);
        site->document = *document;
        return;
    }
    syncs_stop(site);
    site->document = *document;
    for (unsigned i = 0; i < document->sync_count; i++) {
        if (sync_create(site, i, &site->syncs[i]) != 0)
            site_refetch(site);
    }
}

static void
on_document(void *arg, int rc, struct site_document *document, const char *why)
{
    static struct log_kind refused = {.name = "site documents"};
    struct site *site = arg;
    int64_t now = app_ticks_ms(), wait = BACKOFF_MIN_MS;

    site->fetch = NULL;
    if (rc == 0) {
        site->document_failures = 0;
        site->document_next_ms = now + SITES_DOCUMENT_MS;
        document_take(site, document);
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
        site_give_up(site);
        return;
    }
    if (wait > BACKOFF_MAX_MS)
        wait = BACKOFF_MAX_MS;
    site->document_next_ms = now + wait / 2 + app_random((unsigned)wait);
}

static void
document_fetch(struct site *site, int64_t now)
{
    site->document_ms = now;
    if (site_fetch_start(site->app, site->iss, on_document, site,
                         &site->fetch) != 0)
        site->document_next_ms = now + BACKOFF_MIN_MS + app_random(1000);
}

void
site_refetch(struct site *site)
{
    int64_t next = site->document_ms + SITES_REFETCH_MS;

    if (next < site->document_next_ms)
        site->document_next_ms = next;
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

static void
on_tick(uv_timer_t *timer)
{
    struct sites *sites = timer->data;
    int64_t now = app_ticks_ms();
    struct site *site, *next;

    if (!store_is_up(sites->app->store))
        return;
    for (site = TAILQ_FIRST(&sites->list); site != NULL; site = next) {
        next = TAILQ_NEXT(site, link);
        if (site->gone_ms != 0 && now - site->gone_ms > SITES_GONE_MS)
            site_remove(sites, site);
        else
            site_tick(sites, site, now);
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
    TAILQ_INSERT_TAIL(&sites->list, site, link);
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
    struct site *site;

    TAILQ_FOREACH(site, &sites->list, link)
    {
        if (site->leased)
            contents_held(site->contents, root);
    }
}

void
sites_node_changed(struct sites *sites, struct node *node)
{
    struct site *site;

    TAILQ_FOREACH(site, &sites->list, link)
    {
        if (site->leased)
            contents_node_changed(site->contents, node);
    }
}

void
sites_node_forget(struct sites *sites, struct node *node)
{
    struct site *site;

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
    size_t count = 0;

    TAILQ_FOREACH(site, &sites->list, link)
    count += site->leased;
    if (count == 0)
        return false;
    count = random % count;
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
    sites->app = app;
    TAILQ_INIT(&sites->list);
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
    uv_close((uv_handle_t *)&sites->tick, on_closed);
}
