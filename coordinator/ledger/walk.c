/*
 * A walk through the ledger (walk.h).
 *
 * Owns: the order of calls to the store.  Must not know who reads the lines.
 */
#include "coordinator/ledger/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ledger_walk {
    struct store *store;
    struct ledger_visitor visitor;
    int64_t from, to;
    bool all;
    struct ledger_cursor at; /* at.node: the one being read */
    unsigned days;           /* of the call under way */
    char nodes[STORE_LEDGER_NODES][OL_KEY_CHARS + 1];
    size_t node_count, node_next;
    bool last; /* no nodes after these */
    struct store_ledger_sums sums;
    unsigned calls;
    size_t lines;
};

static int walk_step(struct ledger_walk *walk);

static void
page_end(struct ledger_walk *walk, int rc, bool more)
{
    walk->visitor.done(walk->visitor.arg, rc, more ? &walk->at : NULL,
                       &walk->sums);
}

/* Whether nothing follows, as far as is known without a call. */
static bool
walk_is_over(const struct ledger_walk *walk)
{
    if (walk->at.node[0] != '\0' && walk->at.day <= walk->to)
        return false;
    return !walk->all || (walk->last && walk->node_next == walk->node_count);
}

/* The next call, or the end of the page. */
static void
walk_on(struct ledger_walk *walk)
{
    int rc;

    if (walk_is_over(walk)) {
        page_end(walk, 0, false);
        return;
    }
    if (walk->lines + STORE_LEDGER_LINES > LEDGER_LINES ||
        walk->calls >= LEDGER_CALLS) {
        page_end(walk, 0, true);
        return;
    }
    rc = walk_step(walk);
    if (rc != 0)
        page_end(walk, rc, false);
}

static void
on_lines(void *arg, int rc, const struct store_ledger_sums *sums,
         const struct store_ledger_line *lines, size_t count)
{
    struct ledger_walk *walk = arg;

    if (rc != 0 && rc != -ENOENT) {
        page_end(walk, rc, false);
        return;
    }
    walk->sums = *sums;
    for (size_t i = 0; i < count; i++)
        walk->visitor.line(walk->visitor.arg, walk->at.node, &lines[i]);
    walk->lines += count;
    if (rc == -ENOENT) {
        walk->at.day = walk->to + 1;
    } else if (count == STORE_LEDGER_LINES) {
        walk->at.day = lines[count - 1].day;
        walk->at.place = lines[count - 1].place + 1;
    } else {
        walk->at.day += walk->days;
        walk->at.place = 1;
    }
    walk_on(walk);
}

static void
on_nodes(void *arg, int rc, const char *const *ids, size_t count)
{
    struct ledger_walk *walk = arg;

    if (rc != 0) {
        page_end(walk, rc, false);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(walk->nodes[i], ids[i], strnlen(ids[i], OL_KEY_CHARS));
        walk->nodes[i][strnlen(ids[i], OL_KEY_CHARS)] = '\0';
    }
    walk->node_count = count;
    walk->node_next = 0;
    walk->last = count < STORE_LEDGER_NODES;
    walk_on(walk);
}

/* Not if it is over. */
static int
walk_step(struct ledger_walk *walk)
{
    int64_t left;

    walk->calls++;
    if (walk->at.node[0] == '\0' || walk->at.day > walk->to) {
        if (walk->node_next == walk->node_count)
            return store_ledgers(walk->store, walk->at.node, on_nodes, walk);
        strcpy(walk->at.node, walk->nodes[walk->node_next++]);
        walk->at.day = walk->from;
        walk->at.place = 1;
    }
    left = walk->to - walk->at.day + 1;
    walk->days = left < STORE_LEDGER_DAYS ? (unsigned)left : STORE_LEDGER_DAYS;
    return store_ledger(walk->store, walk->at.node, walk->at.day, walk->days,
                        walk->at.place, on_lines, walk);
}

int
ledger_walk_page(struct ledger_walk *walk)
{
    walk->calls = 0;
    walk->lines = 0;
    return walk_is_over(walk) ? -EINVAL : walk_step(walk);
}

int
ledger_walk_create(struct store *store, const char *node,
                   const struct ledger_query *query,
                   const struct ledger_visitor *visitor,
                   struct ledger_walk **ret)
{
    struct ledger_walk *walk = calloc(1, sizeof(*walk));

    if (walk == NULL)
        return -ENOMEM;
    walk->store = store;
    walk->visitor = *visitor;
    walk->from = query->from;
    walk->to = query->to;
    walk->all = node == NULL;
    walk->at = query->after;
    if (!query->resumed) {
        walk->at.day = query->from;
        walk->at.place = 1;
    }
    if (walk->at.day < query->from)
        walk->at.day = query->from;
    if (node != NULL)
        memcpy(walk->at.node, node, strnlen(node, OL_KEY_CHARS));
    *ret = walk;
    return 0;
}

void
ledger_walk_free(struct ledger_walk *walk)
{
    free(walk);
}
