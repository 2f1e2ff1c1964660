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

void
pull_ticket_free(struct refresh *r)
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
    content->open->refresh_after = uv_now(r->puller->node->loop) + REFRESH_MS;
    content_hold(contents, content);
    pull_ticket_free(r);
    while ((p = pull_waiting(content)) != NULL)
        pull_next_source(p);
    content_release(contents, content);
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
    struct node *node = p->puller->node;
    struct opened *open = p->content->open;
    struct refresh *r;
    int rc;

    if (open->refresh != NULL)
        return 0;
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
