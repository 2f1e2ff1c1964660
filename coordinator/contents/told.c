/*
 * What the instances of a site are told: the candidates of each content, what
 * of them is unsent, and full states.
 *
 * Must not know how a sync is sent, nor the store.
 */
#include "coordinator/contents/table.h"

#include <string.h>

#include "offload/netaddr.h"
#include "offload/origin.h"

void
unsent_set(struct contents *contents, struct content *c, uint8_t mask)
{
    uint8_t added = mask & (uint8_t)~c->unsent;

    if (added == 0)
        return;
    contents->events.on_unsent(contents->events.arg);
    if (c->unsent == 0)
        TAILQ_INSERT_TAIL(&contents->unsent, c, unsent_link);
    c->unsent |= added;
    for (unsigned i = 0; i < SITE_INSTANCES; i++)
        contents->unsent_count[i] += added >> i & 1;
}

void
unsent_clear(struct contents *contents, struct content *c, uint8_t mask)
{
    uint8_t removed = mask & c->unsent;

    if (removed == 0)
        return;
    c->unsent &= (uint8_t)~removed;
    if (c->unsent == 0)
        TAILQ_REMOVE(&contents->unsent, c, unsent_link);
    for (unsigned i = 0; i < SITE_INSTANCES; i++)
        contents->unsent_count[i] -= removed >> i & 1;
}

/* Candidates: the holders that may be named, best first. */

static uint64_t
text_hash(const void *text, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        h = (h ^ ((const uint8_t *)text)[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* The /24 or /48 of a node's address, or the name that it goes by. */
static uint64_t
node_network(const struct node *node)
{
    struct ol_addr addr, network;
    struct ol_origin origin;

    if (ol_origin_parse(node->url, strlen(node->url), &origin, NULL) != 0)
        return 0;
    if (ol_addr_parse(origin.host, &addr) != 0)
        return text_hash(origin.host, strlen(origin.host));
    ol_addr_network(&addr, &network);
    return text_hash(network.bytes, sizeof(network.bytes));
}

static struct placement_holder
holder_ranked(const struct contents *contents, const struct content *c,
              const struct holder *holder, bool choice)
{
    const uint8_t *salt = store_salt(contents->app->store);
    const struct node *node = holder->node;
    const struct placement_node scored = {.id = node->raw,
                                          .weight = node->weight};
    const struct placement_node alike = {.id = node->raw, .weight = 1};

    return (struct placement_holder){
        .number = node->number,
        .complete = holder->complete,
        .score = placement_spare_score(placement_score(salt, c->root, &scored),
                                       node->spare),
        .uniform = placement_score(salt, c->root, &alike),
        .network = choice ? node_network(node) : 0};
}

void
candidates_update(struct contents *contents, struct content *c)
{
    struct placement_holder ranked[CONTENTS_HOLDERS_MAX];
    uint32_t candidates[SYNC_CANDIDATES];
    size_t count = 0;

    for (size_t i = 0; i < c->holder_count; i++)
        if (node_is_listed(c->holders[i].node))
            ranked[count++] = holder_ranked(contents, c, &c->holders[i],
                                            c->holder_count > SYNC_CANDIDATES);
    count = placement_rank(ranked, count, SYNC_CANDIDATES);
    for (size_t i = 0; i < count; i++) {
        uint32_t flag = ranked[i].complete ? SYNC_HOLDS_ALL : SYNC_ASSIGNED;

        candidates[i] = flag << 24 | ranked[i].number;
    }
    if (count == c->candidate_count &&
        memcmp(candidates, c->candidates, count * sizeof(candidates[0])) == 0)
        return;
    memcpy(c->candidates, candidates, count * sizeof(candidates[0]));
    c->candidate_count = count;
    unsent_set(contents, c, c->offered);
}

static struct sync_content
content_told(const struct content *c)
{
    return (struct sync_content){.root = c->hex,
                                 .candidates = c->candidates,
                                 .count = c->candidate_count};
}

size_t
contents_unsent(const struct contents *contents, unsigned instance)
{
    return contents->unsent_count[instance];
}

size_t
contents_take(struct contents *contents, unsigned instance,
              struct sync_content *ret, size_t max)
{
    uint8_t bit = (uint8_t)(1u << instance);
    struct content *c, *next;
    size_t count = 0;

    for (c = TAILQ_FIRST(&contents->unsent);
         c != NULL && count < max && contents->unsent_count[instance] > 0;
         c = next) {
        next = TAILQ_NEXT(c, unsent_link);
        if ((c->unsent & bit) == 0)
            continue;
        unsent_clear(contents, c, bit);
        ret[count++] = content_told(c);
    }
    return count;
}

size_t
contents_full_start(struct contents *contents, unsigned instance)
{
    uint8_t bit = (uint8_t)(1u << instance);
    struct content *c;
    size_t count = 0;

    TAILQ_FOREACH(c, &contents->all, link)
    {
        unsent_clear(contents, c, bit);
        count += (c->offered & bit) != 0 && c->candidate_count > 0;
    }
    contents->full[instance] = TAILQ_FIRST(&contents->all);
    return count;
}

size_t
contents_full_take(struct contents *contents, unsigned instance,
                   struct sync_content *ret, size_t max)
{
    uint8_t bit = (uint8_t)(1u << instance);
    struct content *c = contents->full[instance];
    size_t count = 0;

    for (; c != NULL && count < max; c = TAILQ_NEXT(c, link)) {
        if ((c->offered & bit) == 0 || c->candidate_count == 0)
            continue;
        unsent_clear(contents, c, bit);
        ret[count++] = content_told(c);
    }
    contents->full[instance] = c;
    return count;
}

void
contents_full_end(struct contents *contents, unsigned instance)
{
    uint8_t bit = (uint8_t)(1u << instance);
    struct content *c;

    for (c = contents->full[instance]; c != NULL; c = TAILQ_NEXT(c, link))
        if ((c->offered & bit) != 0 && c->candidate_count > 0)
            unsent_set(contents, c, bit);
    contents->full[instance] = NULL;
}
