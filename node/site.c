/*
 * The sites whose contents this node keeps (site.h).
 *
 * Owns: key sets, when they are fetched, and the back-off towards an origin.
 * Must not know contents or pieces.
 */
#include "node/site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/log.h"

#define KEYS_FRESH_MS 3600000 /* then they are fetched again when used */
#define KEYS_AGAIN_MS 60000   /* unknown kid, or a refresh that failed */
#define KEYS_FIRST_MS 5000    /* no keys yet */
#define BLOCK_MIN_MS 1000
#define BLOCK_MAX_MS 60000

TAILQ_HEAD(site_list, site);

struct sites {
    uv_loop_t *loop;
    struct fetcher *fetcher;
    struct site_list list; /* most recently used first */
    uint32_t count;
};

static void
site_forget(struct site *site)
{
    TAILQ_REMOVE(&site->sites->list, site, link);
    site->sites->count--;
    if (site->fetch != NULL)
        fetch_cancel(site->fetch);
    ol_keyset_clear(&site->keys);
    free(site);
}

int
sites_create(uv_loop_t *loop, struct fetcher *fetcher, struct sites **ret)
{
    struct sites *sites = calloc(1, sizeof(*sites));

    if (sites == NULL)
        return -ENOMEM;
    sites->loop = loop;
    sites->fetcher = fetcher;
    TAILQ_INIT(&sites->list);
    *ret = sites;
    return 0;
}

void
sites_free(struct sites *sites)
{
    if (sites == NULL)
        return;
    while (!TAILQ_EMPTY(&sites->list))
        site_forget(TAILQ_FIRST(&sites->list));
    free(sites);
}

static struct site *
site_create(struct sites *sites, const char *iss)
{
    struct site *site, *last;

    if (sites->count >= SITES_MAX) {
        TAILQ_FOREACH_REVERSE(last, &sites->list, site_list, link)
        {
            if (last->users == 0)
                break;
        }
        if (last == NULL)
            return NULL;
        site_forget(last);
    }
    site = calloc(1, sizeof(*site));
    if (site == NULL)
        return NULL;
    snprintf(site->iss, sizeof(site->iss), "%s", iss);
    site->sites = sites;
    TAILQ_INIT(&site->waiters);
    TAILQ_INSERT_HEAD(&sites->list, site, link);
    sites->count++;
    return site;
}

struct site *
site_hold(struct sites *sites, const char *iss)
{
    struct site *site;

    TAILQ_FOREACH(site, &sites->list, link)
    {
        if (strcmp(site->iss, iss) == 0)
            break;
    }
    if (site == NULL) {
        site = site_create(sites, iss);
    } else {
        TAILQ_REMOVE(&sites->list, site, link);
        TAILQ_INSERT_HEAD(&sites->list, site, link);
    }
    if (site != NULL)
        site->users++;
    return site;
}

void
site_release(struct site *site)
{
    if (site != NULL)
        site->users--;
}

/* Keys */

static int
take_keys(struct site *site, const struct fetch_result *result)
{
    struct ol_keyset keys;
    struct ol_error err = {""};
    int error = result->error;

    if (error != 0)
        ol_error_set(&err, -error, "%s", result->text);
    else if (result->status != 200)
        error = ol_error_set(&err, EPROTO, "status %d", result->status);
    else
        error = ol_keyset_parse(result->body, result->body_len, &keys, &err);
    if (error != 0) {
        static struct log_kind kind = {.name = "site keys"};

        log_limited(&kind, LOG_WARN_, "%s/.well-known/offload/key: %s",
                    site->iss, err.text);
        return error;
    }
    ol_keyset_clear(&site->keys);
    site->keys = keys;
    site->keys_ms = uv_now(site->sites->loop);
    return 0;
}

static void
on_keys(struct fetch *fetch, const struct fetch_result *result, void *arg)
{
    struct site *site = arg;
    struct site_waiter *waiter;
    int error = take_keys(site, result);

    (void)fetch;
    site->fetch = NULL;
    site->users++; /* a waiter may let go of it */
    while ((waiter = TAILQ_FIRST(&site->waiters)) != NULL) {
        site_cancel(waiter);
        waiter->done(waiter, error);
    }
    site->users--;
}

static int
fetch_keys(struct site *site)
{
    char url[OL_ORIGIN_MAX + 64];
    struct fetch_request request = {
        .url = url, .total_ms = 10000, .on_done = on_keys, .arg = site};

    snprintf(url, sizeof(url), "%s/.well-known/offload/key", site->iss);
    site->keys_tried = true;
    site->keys_tried_ms = uv_now(site->sites->loop);
    return fetch_start(site->sites->fetcher, &request, &site->fetch);
}

int
site_want_keys(struct site *site, bool unknown_kid, struct site_waiter *waiter)
{
    uint64_t now = uv_now(site->sites->loop);
    bool have = site->keys.count > 0;
    uint64_t pause = have ? KEYS_AGAIN_MS : KEYS_FIRST_MS;
    bool may = !site->keys_tried || now - site->keys_tried_ms >= pause;
    bool stale = have && now - site->keys_ms > KEYS_FRESH_MS;

    if (site->fetch == NULL && may && (unknown_kid || !have || stale) &&
        fetch_keys(site) != 0)
        site->fetch = NULL;
    if (have && !unknown_kid)
        return 0;
    if (site->fetch == NULL)
        return -EAGAIN;
    waiter->site = site;
    TAILQ_INSERT_TAIL(&site->waiters, waiter, link);
    return -EINPROGRESS;
}

void
site_cancel(struct site_waiter *waiter)
{
    if (waiter->site == NULL)
        return;
    TAILQ_REMOVE(&waiter->site->waiters, waiter, link);
    waiter->site = NULL;
}

/* Whether to ask */

bool
site_may_ask(const struct site *site)
{
    return uv_now(site->sites->loop) >= site->blocked_ms;
}

void
site_answered(struct site *site)
{
    site->failures = 0;
    site->blocked_ms = 0;
}

static void
block(struct site *site, uint64_t pause)
{
    site->blocked_ms = uv_now(site->sites->loop) +
                       (pause < BLOCK_MAX_MS ? pause : BLOCK_MAX_MS);
}

void
site_failed(struct site *site)
{
    block(site, BLOCK_MIN_MS << (site->failures < 6 ? site->failures : 6));
    site->failures++;
}

/* It is there, and has said when: that is no failure. */
void
site_deferred(struct site *site, unsigned retry_s)
{
    block(site, (uint64_t)retry_s * 1000);
}
