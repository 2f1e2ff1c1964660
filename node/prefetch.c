/*
 * Fetching in the background of what was assigned (prefetch.h).
 *
 * Owns: whose turn it is and which piece comes next.  Must not know how a
 * piece is fetched.
 */
#include "node/prefetch.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "node/node.h"
#include "node/pull.h"
#include "node/pull_plan.h"

#define TICK_MS 1000
#define LOOK_MAX 512 /* pieces looked at before others have their turn */
#define BUSY_MS 250  /* until a site may have another piece */
#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 60000

struct slot {
    struct prefetch *prefetch;
    struct content *content; /* held; NULL: free */
    struct content_waiter opening;
    struct want want;
};

struct prefetch {
    struct node *node;
    uv_timer_t kick, tick;
    struct slot slots[PREFETCH_SLOTS];
    bool stopped;
};

static void
slot_release(struct slot *slot)
{
    struct content *content = slot->content;

    slot->content = NULL;
    content_release(slot->prefetch->node->contents, content);
    prefetch_kick(slot->prefetch);
}

/* Nothing more to ask for in this round. */
static void
end_round(struct prefetch *prefetch, struct content *content)
{
    uint64_t pause = PAUSE_MIN_MS
                     << (content->rounds < 6 ? content->rounds : 6);

    content->next_own = content->next_any = 0;
    content->rounds++;
    content->next_round = uv_now(prefetch->node->loop) +
                          (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
}

static bool
is_own(struct prefetch *prefetch, const struct content *content, uint32_t index)
{
    const struct assignment *a = content->open->assignment;
    struct pull_facts facts = {
        .salt = a->salt,
        .root = content->root,
        .index = index,
        .ids = (const uint8_t(*)[32])a->ids,
        .count = a->count,
        .self = ol_key_id_bytes(prefetch->node->key),
    };

    return pull_owns(&facts);
}

static bool
is_wanting(const struct content *content, uint32_t index)
{
    return !ol_bitmap_get(&content->have, index) &&
           !pull_exists(content, index);
}

/* Finds the next piece; false: none yet (call again), or none at all. */
static bool
next_piece(struct prefetch *prefetch, struct content *content, uint32_t *ret)
{
    uint32_t count = content->have.count;

    for (unsigned i = 0; i < LOOK_MAX && content->next_own < count; i++) {
        *ret = content->next_own++;
        if (is_wanting(content, *ret) && is_own(prefetch, content, *ret))
            return true;
    }
    if (content->next_own < count)
        return false;
    for (unsigned i = 0; i < LOOK_MAX && content->next_any < count; i++) {
        *ret = content->next_any++;
        if (is_wanting(content, *ret))
            return true;
    }
    if (content->next_any >= count)
        end_round(prefetch, content);
    return false;
}

static void
on_piece(struct want *want, int error)
{
    struct slot *slot =
        (struct slot *)(void *)((char *)want - offsetof(struct slot, want));

    if (error == 0)
        slot->content->rounds = 0;
    else if (error == -ENOSPC)
        slot->content->next_round =
            uv_now(slot->prefetch->node->loop) + PAUSE_MAX_MS;
    slot_release(slot);
}

static void
slot_fetch(struct slot *slot)
{
    struct prefetch *prefetch = slot->prefetch;
    uint32_t index;

    if (pull_site_busy(prefetch->node->puller, slot->content)) {
        slot->content->next_round = uv_now(prefetch->node->loop) + BUSY_MS;
        slot_release(slot);
        return;
    }
    if (!slot->content->lacking ||
        !next_piece(prefetch, slot->content, &index)) {
        slot_release(slot);
        return;
    }
    slot->want.kind = WANT_BACKGROUND;
    slot->want.done = on_piece;
    if (pull_want(prefetch->node->puller, slot->content, index, &slot->want) !=
        0)
        slot_release(slot);
}

static void
on_open(struct content_waiter *waiter, int error)
{
    struct slot *slot = (struct slot *)(void *)((char *)waiter -
                                                offsetof(struct slot, opening));

    if (error != 0)
        slot_release(slot);
    else
        slot_fetch(slot);
}

/* The next content in turn that is due and has room, or NULL. */
static struct content *
next_content(struct prefetch *prefetch)
{
    struct node *node = prefetch->node;
    struct content_list *list = contents_lacking(node->contents);
    uint64_t now = uv_now(node->loop);

    for (unsigned i = 0; i < LOOK_MAX; i++) {
        struct content *content = TAILQ_FIRST(list);

        if (content == NULL)
            return NULL;
        TAILQ_REMOVE(list, content, lacking_link);
        TAILQ_INSERT_TAIL(list, content, lacking_link);
        if (content->next_round <= now)
            return pull_has_room(node->puller, ol_piece_size(content->size))
                       ? content
                       : NULL;
    }
    return NULL;
}

static void
on_kick(uv_timer_t *timer)
{
    struct prefetch *prefetch = timer->data;
    struct contents *contents = prefetch->node->contents;

    for (size_t i = 0; i < PREFETCH_SLOTS; i++) {
        struct slot *slot = &prefetch->slots[i];
        struct content *content;

        if (slot->content != NULL)
            continue;
        content = next_content(prefetch);
        if (content == NULL)
            return;
        slot->content = content;
        content_hold(contents, content);
        if (content->open != NULL) {
            slot_fetch(slot);
        } else {
            slot->opening.done = on_open;
            content_open(contents, content, &slot->opening);
        }
    }
}

void
prefetch_kick(struct prefetch *prefetch)
{
    if (!prefetch->stopped)
        uv_timer_start(&prefetch->kick, on_kick, 0, 0);
}

int
prefetch_create(struct node *node, struct prefetch **ret)
{
    struct prefetch *prefetch = calloc(1, sizeof(*prefetch));

    if (prefetch == NULL)
        return -ENOMEM;
    prefetch->node = node;
    for (size_t i = 0; i < PREFETCH_SLOTS; i++)
        prefetch->slots[i].prefetch = prefetch;
    uv_timer_init(node->loop, &prefetch->kick);
    uv_timer_init(node->loop, &prefetch->tick);
    prefetch->kick.data = prefetch->tick.data = prefetch;
    uv_timer_start(&prefetch->tick, on_kick, TICK_MS, TICK_MS);
    *ret = prefetch;
    return 0;
}

void
prefetch_stop(struct prefetch *prefetch)
{
    prefetch->stopped = true;
    for (size_t i = 0; i < PREFETCH_SLOTS; i++) {
        struct slot *slot = &prefetch->slots[i];

        if (slot->content == NULL)
            continue;
        content_open_cancel(slot->content, &slot->opening);
        pull_unwant(&slot->want);
        slot_release(slot);
    }
    uv_close((uv_handle_t *)&prefetch->kick, NULL);
    uv_close((uv_handle_t *)&prefetch->tick, NULL);
}

void
prefetch_free(struct prefetch *prefetch)
{
    free(prefetch);
}
