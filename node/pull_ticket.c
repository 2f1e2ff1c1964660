/*
 * The ticket with which other nodes are asked for pieces: it lies in the
 * site's manifest, which is fetched again shortly before it runs out, once for
 * all pulls of a content (pull.h).
 *
 * Owns: when that is, and what a changed manifest means.  Must not know pieces.
 */
#include "node/pull_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/log.h"
#include "offload/ticket.h"

#define TICKET_SPARE_S 30 /* with less life than this it is renewed */
#define REFRESH_MS 10000  /* between two tries to renew it */
#define RENEW_MS 60000    /* between two that anyone may cause */

void
pull_refresh_free(struct refresh *r)
{
    TAILQ_REMOVE(&r->puller->refreshes, r, link);
    if (r->content->open != NULL && r->content->open->refresh == r)
        r->content->open->refresh = NULL;
    latest_cancel(r->latest);
    assignment_unref(r->next);
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

void
pull_resume(struct refresh *r)
{
    struct content *content = r->content;
    struct contents *contents = r->puller->node->contents;
    struct pull *p;

    content_hold(contents, content);
    pull_refresh_free(r);
    while (content->open->refresh == NULL &&
           (p = pull_waiting(content)) != NULL) {
        if (p->assignment == content->open->assignment)
            pull_next_source(p);
        else
            pull_fetch(p);
    }
    content_release(contents, content);
}

int
pull_refresh(struct puller *puller, struct content *content,
             struct assignment *next,
             void (*done)(void *arg, struct latest_result *result),
             struct refresh **ret)
{
    struct node *node = puller->node;
    struct refresh *r = calloc(1, sizeof(*r));
    struct site *site;
    int rc;

    if (r == NULL)
        return -ENOMEM;
    site = site_hold(node->sites, next->iss);
    rc = site == NULL ? -EBUSY
                      : latest_start(node->strangers, site, next->sub, done, r,
                                     &r->latest);
    site_release(site);
    if (rc != 0) {
        free(r);
        return rc;
    }
    if (content->open->refresh != NULL)
        pull_refresh_free(content->open->refresh);
    r->puller = puller;
    r->content = content;
    content_hold(node->contents, content);
    TAILQ_INSERT_TAIL(&puller->refreshes, r, link);
    content->open->refresh = r;
    *ret = r;
    return 0;
}

static void
refreshed(struct refresh *r, struct latest_result *result)
{
    struct content *content = r->content;

    if (result->error != 0) {
        static struct log_kind kind = {.name = "manifest refresh"};

        log_limited(&kind, LOG_INFO_, "%s: no fresh manifest: %s", content->hex,
                    result->text.text);
    } else if (result->manifest.iat >= content->open->manifest.iat) {
        content_set_manifest(r->puller->node->contents, content,
                             &result->manifest, result->token,
                             result->token_len);
    }
}

static void
on_refreshed(void *arg, struct latest_result *result)
{
    struct refresh *r = arg;
    struct content *content = r->content;

    r->latest = NULL;
    content->open->refresh = NULL;
    content->open->refresh_after = uv_now(r->puller->node->loop) + REFRESH_MS;
    if (!content->gone) {
        if (result->error == 0 &&
            (memcmp(result->manifest.root, content->root, OL_HASH_BYTES) != 0 ||
             result->manifest.size != content->size))
            content_lose_site(r->puller, content,
                              "the site has another version now");
        else
            refreshed(r, result);
    }
    pull_resume(r);
}

bool
pull_needs_ticket(struct pull *p)
{
    struct opened *open = p->content->open;
    uint64_t now = uv_now(p->puller->node->loop);
    const char *query = strchr(open->manifest.path, '?');
    uint8_t sig[OL_SIG_BYTES];
    int64_t e;

    if (query != NULL &&
        ol_ticket_parse(query + 1, strlen(query + 1), &e, sig) == 0 &&
        e > time(NULL) + TICKET_SPARE_S)
        return false;
    return open->refresh != NULL || now >= open->refresh_after;
}

int
pull_get_ticket(struct pull *p)
{
    struct refresh *r;

    if (p->content->open->refresh != NULL)
        return 0;
    return pull_refresh(p->puller, p->content, p->content->open->assignment,
                        on_refreshed, &r);
}

void
pull_renew(struct puller *puller, struct content *content)
{
    struct opened *open = content->open;
    uint64_t now = uv_now(puller->node->loop);
    struct refresh *r;

    if (open->refresh != NULL || now < open->renew_after ||
        now < open->refresh_after)
        return;
    open->renew_after = now + RENEW_MS;
    pull_refresh(puller, content, open->assignment, on_refreshed, &r);
}
