/*
 * From a site that no longer gives a content to another one that signed the
 * same bytes (pull.h).
 *
 * Owns: when the first site of a content is replaced, and by whom: by the next
 * one whose manifest still names these bytes.  A content of which there is no
 * such site is dropped if the first one has changed, else nothing changes.
 * Must not know pieces.
 */
#include "node/pull_parts.h"

#include <errno.h>
#include <string.h>

#include "net/log.h"
#include "node/links.h"

#define SWITCH_MS 30000 /* between two switches that nothing forces */

static void on_manifest(void *arg, struct latest_result *result);

/* The site that comes after the first of `from`.  -errno: nobody is asked. */
static int
ask_next(struct puller *puller, struct content *content,
         const struct assignment *from, bool keep, struct refresh **ret)
{
    const struct assignment *now = content->open->assignment;
    struct assignment *next;
    struct refresh *r;
    int rc = assignment_next(from, keep, &next);

    if (rc != 0)
        return rc;
    rc = assignment_is_from(next, now->iss, now->sub)
             ? -ENOENT
             : pull_refresh(puller, content, next, on_manifest, &r);
    if (rc != 0) {
        assignment_unref(next);
        return rc;
    }
    r->next = next;
    *ret = r;
    return 0;
}

static void
take(struct refresh *r, struct latest_result *result)
{
    struct node *node = r->puller->node;
    struct content *content = r->content;
    const char *urls[ASSIGNMENT_COORDINATORS];
    size_t count = links_urls(node->links, content->told, urls);

    log_info("%s: from %s%s now: %s", content->hex, r->next->iss, r->next->sub,
             r->why);
    content_set_assignment(node->contents, content, r->next, urls, count);
    content_set_manifest(node->contents, content, &result->manifest,
                         result->token, result->token_len);
    content->open->switch_after = uv_now(node->loop) + SWITCH_MS;
}

static void
on_manifest(void *arg, struct latest_result *result)
{
    struct refresh *r = arg, *again;
    struct content *content = r->content;
    const struct ol_manifest *m = &result->manifest;

    r->latest = NULL;
    content->open->refresh = NULL;
    if (!content->gone && result->error == 0 && m->size == content->size &&
        memcmp(m->root, content->root, OL_HASH_BYTES) == 0) {
        take(r, result);
    } else if (!content->gone) {
        if (ask_next(r->puller, content, r->next, false, &again) == 0) {
            again->lost = r->lost;
            again->why = r->why;
        } else if (r->lost) {
            contents_drop(r->puller->node->contents, content, r->why);
        }
    }
    pull_resume(r);
}

bool
pull_switch(struct pull *p, bool lost, const char *why)
{
    struct opened *open = p->content->open;
    struct refresh *r = open->refresh;
    uint64_t now = uv_now(p->puller->node->loop);

    if (!assignment_is_from(open->assignment, p->assignment->iss,
                            p->assignment->sub)) {
        pull_fetch(p); /* another pull was first */
        return true;
    }
    if (r == NULL || r->next == NULL) {
        if (!lost && now < open->switch_after)
            return false;
        open->switch_after = now + SWITCH_MS;
        if (ask_next(p->puller, p->content, open->assignment, !lost, &r) != 0)
            return false;
        r->why = why;
    }
    r->lost = r->lost || lost;
    p->step = STEP_REFRESH;
    return true;
}

void
content_lose_site(struct puller *puller, struct content *content,
                  const char *why)
{
    struct refresh *r;

    if (ask_next(puller, content, content->open->assignment, false, &r) != 0) {
        contents_drop(puller->node->contents, content, why);
        return;
    }
    r->lost = true;
    r->why = why;
}
