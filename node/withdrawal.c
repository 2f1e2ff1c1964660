/*
 * What its sites have withdrawn is not kept (withdrawal.h).
 *
 * Owns: which content is asked for when, and what the answers of its sites
 * mean together.  Must not know pieces, nor why it was released.
 */
#include "node/withdrawal.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "node/latest.h"
#include "node/node.h"

#define TICK_MS 500
#define LOOK_MAX 512 /* contents looked at in one tick */
#define REFUSALS 2   /* of all its sites, one after the other */
#define REFUSED_MS 5000
/*
 * Another version: who has begun with the old one, by a manifest that has not
 * expired, may go on with it.
 */
#define REPLACED_MS 60000
#define GIVEN_MS 600000
#define REQUESTED_MS 60000 /* the same, if it is asked for */
#define FAILED_MIN_MS 5000 /* a site could not be asked; doubles */
#define FAILED_MAX_MS 600000

struct slot {
    struct withdrawals *withdrawals;
    struct content *content; /* held; NULL: free */
    struct content_waiter opening;
    struct assignment *assignment; /* whose sites are asked */
    size_t asked;
    bool replaced; /* one of them has other bytes there now */
    bool unsure;   /* one of them could not be asked */
    struct latest *latest;
};

struct withdrawals {
    struct node *node;
    uv_timer_t tick;
    struct slot slots[WITHDRAWAL_SLOTS];
};

static void
slot_release(struct slot *slot)
{
    struct content *content = slot->content;

    assignment_unref(slot->assignment);
    slot->assignment = NULL;
    slot->content = NULL;
    content_release(slot->withdrawals->node->contents, content);
}

static void
look_again_in(struct slot *slot, uint64_t ms)
{
    slot->content->look_after = uv_now(slot->withdrawals->node->loop) + ms;
}

/* What the sites have said */

static void
given(struct slot *slot)
{
    struct content *content = slot->content;

    content->refusals = content->failures = 0;
    look_again_in(slot, GIVEN_MS);
    content_set_expired(slot->withdrawals->node->contents, content, false);
    slot_release(slot);
}

static void
failed(struct slot *slot)
{
    struct content *content = slot->content;
    uint64_t pause = (uint64_t)FAILED_MIN_MS
                     << (content->failures < 7 ? content->failures : 7);

    content->failures++;
    look_again_in(slot, pause < FAILED_MAX_MS ? pause : FAILED_MAX_MS);
    slot_release(slot);
}

static void
refused(struct slot *slot)
{
    struct content *content = slot->content;

    content->failures = 0;
    if (++content->refusals < REFUSALS)
        look_again_in(slot, slot->replaced ? REPLACED_MS : REFUSED_MS);
    else
        contents_drop(slot->withdrawals->node->contents, content,
                      slot->replaced ? "its site has another version now"
                                     : "its site does not give it any more");
    slot_release(slot);
}

/* Asking */

static void ask_next(struct slot *slot);

/* The first site's manifest is what the content lives by. */
static void
renew(struct slot *slot, struct latest_result *result)
{
    struct content *content = slot->content;
    const struct ol_manifest *m = &result->manifest;

    if (assignment_is_from(content->open->assignment, m->iss, m->sub) &&
        m->iat >= content->open->manifest.iat)
        content_set_manifest(slot->withdrawals->node->contents, content,
                             &result->manifest, result->token,
                             result->token_len);
}

static void
on_latest(void *arg, struct latest_result *result)
{
    struct slot *slot = arg;
    struct content *content = slot->content;
    const struct ol_manifest *m = &result->manifest;
    int rc = result->error;

    slot->latest = NULL;
    if (content->gone || !content->questioned) {
        slot_release(slot); /* it was assigned again meanwhile */
    } else if (rc == 0 && m->size == content->size &&
               memcmp(m->root, content->root, OL_HASH_BYTES) == 0) {
        renew(slot, result);
        given(slot);
    } else {
        slot->replaced = slot->replaced || rc == 0;
        slot->unsure = slot->unsure || (rc != 0 && rc != -ENOENT);
        ask_next(slot);
    }
}

static int
ask(struct slot *slot, const char *iss, const char *sub)
{
    struct node *node = slot->withdrawals->node;
    struct site *site = site_hold(node->sites, iss);
    int rc = -EAGAIN;

    if (site != NULL && site_may_ask(site))
        rc = latest_start(node->strangers, site, sub, on_latest, slot,
                          &slot->latest);
    site_release(site);
    return rc;
}

/* Site after site, until one gives it. */
static void
ask_next(struct slot *slot)
{
    const struct assignment *a = slot->assignment;

    while (slot->asked <= a->other_count) {
        size_t i = slot->asked++;

        if (ask(slot, i == 0 ? a->iss : a->others[i - 1].iss,
                i == 0 ? a->sub : a->others[i - 1].sub) == 0)
            return;
        slot->unsure = true;
    }
    if (slot->unsure)
        failed(slot);
    else
        refused(slot);
}

static void
on_open(struct content_waiter *waiter, int error)
{
    struct slot *slot = (struct slot *)(void *)((char *)waiter -
                                                offsetof(struct slot, opening));

    if (error != 0) {
        failed(slot);
        return;
    }
    slot->assignment = assignment_ref(slot->content->open->assignment);
    slot->asked = 0;
    slot->replaced = slot->unsure = false;
    ask_next(slot);
}

static bool
is_looked_at(const struct withdrawals *withdrawals,
             const struct content *content)
{
    for (size_t i = 0; i < WITHDRAWAL_SLOTS; i++)
        if (withdrawals->slots[i].content == content)
            return true;
    return false;
}

/* The next content in turn that is due, or NULL. */
static struct content *
next_content(const struct withdrawals *withdrawals, unsigned *looked)
{
    struct node *node = withdrawals->node;
    struct content_list *list = contents_questioned(node->contents);
    uint64_t now = uv_now(node->loop);
    struct content *content;

    while ((*looked)++ < LOOK_MAX && (content = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, content, question_link);
        TAILQ_INSERT_TAIL(list, content, question_link);
        if (content->look_after <= now && !is_looked_at(withdrawals, content))
            return content;
    }
    return NULL;
}

static void
on_tick(uv_timer_t *timer)
{
    struct withdrawals *withdrawals = timer->data;
    struct contents *contents = withdrawals->node->contents;
    unsigned looked = 0;

    for (size_t i = 0; i < WITHDRAWAL_SLOTS; i++) {
        struct slot *slot = &withdrawals->slots[i];
        struct content *content;

        if (slot->content != NULL)
            continue;
        content = next_content(withdrawals, &looked);
        if (content == NULL)
            return;
        slot->content = content;
        content_hold(contents, content);
        slot->opening.done = on_open;
        if (content->open != NULL)
            on_open(&slot->opening, 0);
        else
            content_open(contents, content, &slot->opening);
    }
}

void
withdrawal_requested(struct withdrawals *withdrawals, struct content *content)
{
    uint64_t now = uv_now(withdrawals->node->loop);
    bool due = content->look_after <= now;

    if (content->assigned != 0) {
        if (due && !content->gone && content->open->manifest.exp < time(NULL))
            content_set_expired(withdrawals->node->contents, content, true);
    } else if (content->refusals == 0 && content->failures == 0 &&
               content->look_after <= now + GIVEN_MS - REQUESTED_MS) {
        content->look_after = now; /* it was given a while ago */
    }
}

/* All of them */

int
withdrawals_create(struct node *node, struct withdrawals **ret)
{
    struct withdrawals *withdrawals = calloc(1, sizeof(*withdrawals));

    if (withdrawals == NULL)
        return -ENOMEM;
    withdrawals->node = node;
    for (size_t i = 0; i < WITHDRAWAL_SLOTS; i++)
        withdrawals->slots[i].withdrawals = withdrawals;
    uv_timer_init(node->loop, &withdrawals->tick);
    withdrawals->tick.data = withdrawals;
    uv_timer_start(&withdrawals->tick, on_tick, TICK_MS, TICK_MS);
    *ret = withdrawals;
    return 0;
}

void
withdrawals_stop(struct withdrawals *withdrawals)
{
    for (size_t i = 0; i < WITHDRAWAL_SLOTS; i++) {
        struct slot *slot = &withdrawals->slots[i];

        if (slot->content == NULL)
            continue;
        content_open_cancel(slot->content, &slot->opening);
        latest_cancel(slot->latest);
        slot->latest = NULL;
        slot_release(slot);
    }
    uv_close((uv_handle_t *)&withdrawals->tick, NULL);
}

void
withdrawals_free(struct withdrawals *withdrawals)
{
    free(withdrawals);
}
