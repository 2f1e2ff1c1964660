/*
 * Who is to hold a content, and who does: placing it, wanting it of nodes, and
 * releasing the others once it is where it should be.
 *
 * Must not know HTTP, leases, demand's rules or what the site has been told.
 */
#include "coordinator/contents/catalog.h"
#include "coordinator/contents/table.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/options.h"
#include "offload/encoding.h"

/* What its nodes have promised. */

static bool
is_complete(const struct content *c, const struct node *node)
{
    for (size_t i = 0; i < c->holder_count; i++)
        if (c->holders[i].node == node)
            return c->holders[i].complete;
    return false;
}

static uint64_t
promised_by(const struct content *c, const struct node *node)
{
    for (size_t i = 0; i < c->placed_count; i++)
        if (c->placed[i] == node)
            return c->promised >> i & 1 ? c->size : 0;
    return 0;
}

void
content_refer(struct content *c)
{
    c->promised = 0;
    for (size_t i = 0; i < c->placed_count; i++) {
        c->placed[i]->users++;
        if (is_complete(c, c->placed[i]))
            continue;
        c->promised |= 1u << i;
        c->placed[i]->promised += c->size;
    }
    for (size_t i = 0; i < c->holder_count; i++)
        c->holders[i].node->users++;
}

void
content_unrefer(struct content *c)
{
    for (size_t i = 0; i < c->placed_count; i++) {
        c->placed[i]->users--;
        if (c->promised >> i & 1)
            c->placed[i]->promised -= c->size;
    }
    for (size_t i = 0; i < c->holder_count; i++)
        c->holders[i].node->users--;
    c->promised = 0;
}

/* Placement. */

static int
scratch_grow(struct contents *contents)
{
    size_t size = contents->scratch_size == 0 ? 64 : 2 * contents->scratch_size;
    void *grown = realloc(contents->scratch, size * sizeof(*contents->scratch));

    if (grown == NULL)
        return -1;
    contents->scratch = grown;
    grown = realloc(contents->scratch_nodes,
                    size * sizeof(*contents->scratch_nodes));
    if (grown == NULL)
        return -1;
    contents->scratch_nodes = grown;
    contents->scratch_size = size;
    return 0;
}

/* The nodes that take it; *ret_full: how many of these have no room. */
static size_t
scratch_fill(struct contents *contents, const struct content *c,
             size_t *ret_full)
{
    struct node *node = nodes_first(contents->app->nodes);
    size_t count = 0;

    *ret_full = 0;
    for (; node != NULL; node = nodes_next(node)) {
        if (!node_takes(node, contents->id))
            continue;
        if (count == contents->scratch_size && scratch_grow(contents) != 0)
            break;
        contents->scratch_nodes[count] = node;
        contents->scratch[count] = (struct placement_node){
            .id = node->raw,
            .weight = node->weight,
            .room = placement_room(node->load_free,
                                   node->promised - promised_by(c, node)),
            .takes = true,
            .keeps = content_is_holder(c, node)};
        *ret_full += !placement_fits(&contents->scratch[count], c->size);
        count++;
    }
    return count;
}

/* At first: as many as serve it, so that a process that takes the site over
 * releases none before it has seen the demand. */
static unsigned
content_wanted(struct contents *contents, struct content *c)
{
    const struct demand_offer offer = crowd_offer(contents);
    unsigned alive = 0;

    for (size_t i = 0; i < c->holder_count; i++)
        alive += node_takes(c->holders[i].node, contents->id);
    demand_found(&c->demand, alive, &offer);
    return demand_wanted(&c->demand, c->size, &offer, app_ticks_ms());
}

/* Those that are to hold it no more: at once if they have not begun, else once
 * the others do. */
static void
displaced_release(struct contents *contents, const struct content *c)
{
    if (!c->assigned || !content_is_held(contents, c, true))
        return;
    for (size_t i = 0; i < c->holder_count; i++)
        if (!content_is_placed(c, c->holders[i].node))
            content_unwant(contents, c, c->holders[i].node);
}

static void
placed_set(struct contents *contents, struct content *c, const size_t *picked,
           size_t count)
{
    struct node *old[PLACEMENT_HOLDERS_MAX];
    size_t old_count = c->placed_count;

    memcpy(old, c->placed, sizeof(old));
    content_unrefer(c);
    for (size_t i = 0; i < count; i++)
        c->placed[i] = contents->scratch_nodes[picked[i]];
    c->placed_count = count;
    content_refer(c);
    for (size_t i = 0; i < old_count; i++)
        if (!content_is_placed(c, old[i]) && !content_is_holder(c, old[i]))
            content_unwant(contents, c, old[i]);
    content_want(contents, c, c->assigned);
    c->assigned = true;
    c->work &= (uint8_t)~WORK_WANT;
    displaced_release(contents, c);
}

size_t
content_place(struct contents *contents, struct content *c)
{
    size_t picked[PLACEMENT_HOLDERS_MAX], count, nodes, full;
    unsigned wanted = content_wanted(contents, c);
    bool same;

    nodes = scratch_fill(contents, c, &full);
    count = placement_pick(store_salt(contents->app->store), c->root, c->size,
                           contents->scratch, nodes, wanted, picked,
                           &c->placed_min);
    same = c->assigned && count == c->placed_count;
    for (size_t i = 0; i < count; i++)
        same = same && content_is_placed(c, contents->scratch_nodes[picked[i]]);
    if (!same)
        placed_set(contents, c, picked, count);
    crowd_placed(contents, c, count < wanted && full > 0);
    return nodes;
}

/* Assignments. */

static char *
assignment_dump(const struct contents *contents, const struct content *c)
{
    char salt[OL_BASE64URL_LEN(OL_SALT_BYTES) + 1];
    json_t *nodes = json_array(), *obj;
    char *text;

    for (size_t i = 0; i < c->placed_count; i++)
        json_array_append_new(nodes,
                              json_pack("{s:s, s:s}", "id", c->placed[i]->id,
                                        "url", c->placed[i]->url));
    ol_base64url_encode(salt, store_salt(contents->app->store), OL_SALT_BYTES);
    obj = json_pack("{s:s, s:s, s:s, s:I, s:s, s:i, s:o}", "iss", contents->iss,
                    "sub", c->sub, "root", c->hex, "size", (json_int_t)c->size,
                    "salt", salt, "heat", (int)c->heat, "nodes", nodes);
    text = obj == NULL ? NULL : json_dumps(obj, JSON_COMPACT);
    json_decref(obj);
    return text;
}

void
content_want(struct contents *contents, struct content *c, bool all)
{
    struct store_want want = {.site = contents->id, .root = c->hex};
    char *json;

    if (all || !c->assigned)
        c->heat = (uint8_t)demand_heat(&c->demand, app_ticks_ms());
    json = assignment_dump(contents, c);
    for (size_t i = 0; i < c->placed_count && json != NULL; i++) {
        want.node = c->placed[i]->id;
        want.json = json;
        want.tell = all || !content_is_holder(c, c->placed[i]);
        store_want(contents->app->store, &want, app_now_ms());
    }
    free(json);
}

void
content_unwant(struct contents *contents, const struct content *c,
               const struct node *node)
{
    const struct store_want want = {
        .site = contents->id, .root = c->hex, .node = node->id};

    store_unwant(contents->app->store, &want, app_now());
}

/* Holders. */

bool
content_is_held(const struct contents *contents, const struct content *c,
                bool whole)
{
    size_t held = 0;

    for (size_t i = 0; i < c->holder_count; i++)
        if (c->holders[i].node->alive && (c->holders[i].complete || !whole))
            held += content_is_placed(c, c->holders[i].node);
    return held == c->placed_count && held >= contents->app->options->holders;
}

void
holders_set(struct contents *contents, struct content *c,
            const struct store_holder *list, size_t count)
{
    struct holder *holders;
    size_t kept = 0;

    if (count > CONTENTS_HOLDERS_MAX)
        count = CONTENTS_HOLDERS_MAX;
    holders = calloc(count + 1, sizeof(*holders));
    if (holders == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        holders[kept].node = nodes_intern(contents->app->nodes, list[i].id);
        holders[kept].complete = list[i].complete;
        kept += holders[kept].node != NULL;
    }
    content_unrefer(c);
    free(c->holders);
    c->holders = holders;
    c->holder_count = kept;
    content_refer(c);
    candidates_update(contents, c);
    displaced_release(contents, c);
}
