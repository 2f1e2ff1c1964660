/*
 * One reading of what the status page needs from Redis: all of its commands are
 * sent at once, or as soon as an answer says what to ask for.  Answers come in
 * the order of the commands.
 *
 * Must not know who reads it.
 */
#include "coordinator/status/reading.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/store/standing.h"

struct reading {
    struct store *store;
    reading_fn *done;
    void *arg;
    int64_t now_s;
    int rc;           /* the first failure */
    unsigned waiting; /* answers to come, and one while sending */
    size_t site, hot; /* whose answer is next */
    struct view_stored *stored;
};

/* A content that its sites have taken back meanwhile is left out. */
static void
hot_compact(struct view_stored *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->hot_count; i++)
        if (s->hot[i].origin[0] != '\0')
            s->hot[kept++] = s->hot[i];
    s->hot_count = kept;
}

static void
reading_end(struct reading *r)
{
    if (--r->waiting > 0)
        return;
    hot_compact(r->stored);
    r->stored->taken_s = r->now_s;
    if (r->rc != 0) {
        free(r->stored);
        r->stored = NULL;
    }
    r->done(r->arg, r->rc, r->stored);
    free(r);
}

/* After a command: whether its answer will come. */
static void
reading_sent(struct reading *r, int rc)
{
    if (rc == 0)
        r->waiting++;
    else if (r->rc == 0)
        r->rc = rc;
}

static void
reading_took(struct reading *r, int rc)
{
    if (rc != 0 && rc != -ENOENT && r->rc == 0)
        r->rc = rc;
    reading_end(r);
}

/* At most size - 1 bytes, not within a character. */
static void
text_cut(char *ret, size_t size, const char *text)
{
    size_t len = strnlen(text, size);

    if (len == size) {
        len--;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--;
    }
    memcpy(ret, text, len);
    ret[len] = '\0';
}

static void
on_overview(void *arg, int rc, const struct store_overview *overview)
{
    struct reading *r = arg;
    struct view_stored *s = r->stored;

    s->site_total = overview->sites;
    s->ban_total = overview->bans;
    s->contents = overview->contents;
    s->memory = overview->memory;
    s->memory_max = overview->memory_max;
    s->aof = overview->aof;
    text_cut(s->redis_version, sizeof(s->redis_version), overview->version);
    reading_took(r, rc);
}

static void
on_bans(void *arg, int rc, const struct store_ban *list, size_t count)
{
    struct reading *r = arg;
    struct view_stored *s = r->stored;
    struct view_ban *to;

    for (size_t i = 0; rc == 0 && i < count && i < VIEW_EXCLUDED; i++) {
        to = &s->bans[s->ban_count++];
        text_cut(to->id, sizeof(to->id), list[i].id);
        text_cut(to->reason, sizeof(to->reason), list[i].reason);
        text_cut(to->by, sizeof(to->by), list[i].by);
        to->since = list[i].since_s;
    }
    reading_took(r, rc);
}

static void
on_history(void *arg, int rc, const struct store_history *history)
{
    struct reading *r = arg;

    r->stored->history = *history;
    reading_took(r, rc);
}

/* A site that was forgotten meanwhile is left out. */
static void
on_site(void *arg, int rc, const struct store_site *site)
{
    struct reading *r = arg;
    struct view_site *to = &r->stored->sites[r->site];

    if (rc == 0) {
        r->site++;
        text_cut(to->origin, sizeof(to->origin), site->iss);
        to->joined = site->joined;
        to->synced = site->synced;
        to->contents = site->contents;
        r->stored->site_count = r->site;
    }
    reading_took(r, rc);
}

static void
on_sites(void *arg, int rc, const struct store_entry *list, size_t count)
{
    struct reading *r = arg;

    for (size_t i = 0; rc == 0 && i < count && i < VIEW_SITES; i++)
        reading_sent(r, store_site_get(r->store, list[i].id, on_site, r));
    reading_took(r, rc);
}

static void
on_content(void *arg, int rc, const struct store_content_state *state)
{
    struct reading *r = arg;
    struct view_content *to = &r->stored->hot[r->hot++];

    if (rc == 0) {
        text_cut(to->origin, sizeof(to->origin), state->iss);
        text_cut(to->path, sizeof(to->path), state->sub);
        to->size = state->size;
        to->holders = state->holders;
        to->incomplete = state->incomplete < state->holders ? state->incomplete
                                                            : state->holders;
    }
    reading_took(r, rc);
}

static void
on_hot(void *arg, int rc, const struct hot_content *list, size_t count,
       uint64_t total)
{
    struct reading *r = arg;
    struct view_stored *s = r->stored;

    s->hot_total = total;
    for (size_t i = 0; rc == 0 && i < count && r->rc == 0; i++) {
        text_cut(s->hot[i].root, sizeof(s->hot[i].root), list[i].root);
        s->hot[i].demand = list[i].demand;
        s->hot[i].wanted = list[i].wanted;
        s->hot_count = i + 1;
        reading_sent(r, store_content_state(r->store, list[i].root, r->now_s,
                                            on_content, r));
    }
    reading_took(r, rc);
}

int
reading_start(struct store *store, int64_t now_s, reading_fn *done, void *arg)
{
    struct reading *r = calloc(1, sizeof(*r));
    int rc;

    if (r == NULL)
        return -ENOMEM;
    r->store = store;
    r->done = done;
    r->arg = arg;
    r->now_s = now_s;
    r->waiting = 1;
    r->stored = calloc(1, sizeof(*r->stored));
    rc = r->stored == NULL ? -ENOMEM : store_overview(store, on_overview, r);
    if (rc != 0) {
        free(r->stored);
        free(r);
        return rc;
    }
    r->waiting++;
    reading_sent(r, store_history_read(store, now_s, on_history, r));
    reading_sent(r, store_hot_read(store, now_s, on_hot, r));
    reading_sent(r, store_bans(store, 0, on_bans, r));
    reading_sent(r, store_sites(store, 0, on_sites, r));
    reading_end(r);
    return 0;
}
