/*
 * The work on a site's contents: reading who holds them, placing them,
 * assigning them to nodes; in slices that keep the loop responsive.
 *
 * Must not know HTTP, leases or what the site has been told.
 */
#include "coordinator/contents/table.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/options.h"
#include "offload/encoding.h"

#define PUMP_PAUSE_MS 10 /* when the store has no room */

static void
pump_in(struct contents *contents, uint64_t ms)
{
    if (!uv_is_active((uv_handle_t *)&contents->pump))
        uv_timer_start(&contents->pump, work_pump, ms, 0);
}

void
work_add(struct contents *contents, struct content *c, uint8_t work)
{
    if (c->work == 0)
        TAILQ_INSERT_TAIL(&contents->work, c, work_link);
    c->work |= work;
    pump_in(contents, 0);
}

/* Placement. */

static size_t
scratch_fill(struct contents *contents, const struct content *c)
{
    struct node *node;
    size_t count = 0;

    for (node = nodes_first(contents->app->nodes); node != NULL;
         node = nodes_next(node)) {
        if (!node->alive)
            continue;
        if (count == contents->scratch_size) {
            size_t size = count == 0 ? 64 : 2 * count;
            void *s =
                realloc(contents->scratch, size * sizeof(contents->scratch[0]));
            void *n;

            if (s == NULL)
                break;
            contents->scratch = s;
            n = realloc(contents->scratch_nodes,
                        size * sizeof(contents->scratch_nodes[0]));
            if (n == NULL)
                break;
            contents->scratch_nodes = n;
            contents->scratch_size = size;
        }
        contents->scratch_nodes[count] = node;
        contents->scratch[count++] = (struct placement_node){
            .id = node->raw,
            .weight = node->weight,
            .usable = node->load_free >= c->size || content_is_holder(c, node)};
    }
    return count;
}

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
    obj = json_pack("{s:s, s:s, s:s, s:I, s:s, s:o}", "iss", contents->iss,
                    "sub", c->sub, "root", c->hex, "size", (json_int_t)c->size,
                    "salt", salt, "nodes", nodes);
    text = obj == NULL ? NULL : json_dumps(obj, JSON_COMPACT);
    json_decref(obj);
    return text;
}

void
content_want(struct contents *contents, struct content *c, bool all)
{
    struct store_want want = {.site = contents->id, .root = c->hex};
    char *json = assignment_dump(contents, c);

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

/* Returns how many hashes it took. */
static size_t
content_place(struct contents *contents, struct content *c)
{
    size_t picked[PLACEMENT_HOLDERS_MAX], count, nodes;
    size_t old_count = c->placed_count;
    struct node *old[PLACEMENT_HOLDERS_MAX];
    bool same = c->assigned;

    nodes = scratch_fill(contents, c);
    count = placement_pick(
        store_salt(contents->app->store), c->root, contents->scratch, nodes,
        contents->app->options->holders, picked, &c->placed_min);
    same = same && count == c->placed_count;
    for (size_t i = 0; i < count; i++)
        same = same && content_is_placed(c, contents->scratch_nodes[picked[i]]);
    if (same)
        return nodes;
    memcpy(old, c->placed, sizeof(old));
    for (size_t i = 0; i < count; i++)
        c->placed[i] = contents->scratch_nodes[picked[i]];
    c->placed_count = count;
    for (size_t i = 0; i < old_count; i++)
        if (!content_is_placed(c, old[i]) && !content_is_holder(c, old[i]))
            content_unwant(contents, c, old[i]); /* it has not begun */
    content_want(contents, c, c->assigned);
    c->assigned = true;
    c->work &= (uint8_t)~WORK_WANT;
    return nodes;
}

/* Holders. */

struct read {
    struct contents *contents;
    uint8_t root[OL_HASH_BYTES];
};

/* As many as there should be, each with all of it, or just with a part. */
static bool
is_held(const struct contents *contents, const struct content *c, bool whole)
{
    size_t held = 0;

    for (size_t i = 0; i < c->holder_count; i++)
        if (c->holders[i].node->alive && (c->holders[i].complete || !whole))
            held += content_is_placed(c, c->holders[i].node);
    return held == c->placed_count && held >= contents->app->options->holders;
}

/* Once those that are to hold it do, the others need not. */
static void
displaced_release(struct contents *contents, const struct content *c)
{
    if (!c->assigned || !is_held(contents, c, true))
        return;
    for (size_t i = 0; i < c->holder_count; i++)
        if (!content_is_placed(c, c->holders[i].node))
            content_unwant(contents, c, c->holders[i].node);
}

static void
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
    free(c->holders);
    c->holders = holders;
    c->holder_count = kept;
    candidates_update(contents, c);
    displaced_release(contents, c);
}

/* Places it if it never was, or if the renewal finds too few holders: one may
 * have lost it, or another may have room now. */
static void
work_after_read(struct contents *contents, struct content *c)
{
    if (!c->assigned || (c->renew && !is_held(contents, c, false)))
        work_add(contents, c, WORK_PLACE);
    if (c->renew)
        work_add(contents, c, WORK_WANT);
    c->renew = false;
}

static void
on_holders(void *arg, int rc, uint64_t size, const struct store_holder *list,
           size_t count)
{
    struct read *read = arg;
    struct contents *contents = read->contents;
    struct content *c;

    (void)size;
    contents->reads--;
    if (contents->dead) {
        contents_destroy(contents);
    } else {
        c = content_find(contents, read->root);
        if (c != NULL && rc == 0)
            holders_set(contents, c, list, count);
        if (c != NULL)
            work_after_read(contents, c);
        pump_in(contents, 0);
    }
    free(read);
}

static int
holders_read(struct contents *contents, const struct content *c)
{
    struct read *read;
    int rc;

    if (contents->reads >= CONTENTS_READS_MAX)
        return -EAGAIN;
    read = malloc(sizeof(*read));
    if (read == NULL)
        return -EAGAIN;
    read->contents = contents;
    memcpy(read->root, c->root, sizeof(read->root));
    rc = store_holders(contents->app->store, c->hex, app_now(), on_holders,
                       read);
    if (rc != 0)
        free(read);
    else
        contents->reads++;
    return rc;
}

static void
content_put(const struct contents *contents, const struct content *c)
{
    const struct store_content record = {.site = contents->id,
                                         .iss = contents->iss,
                                         .sub = c->sub,
                                         .size = c->size};

    store_content_put(contents->app->store, c->hex, &record, app_now());
    torrents_put(&c->torrents, contents->app->store, contents->id, c->hex,
                 c->size);
}

/* The pump: one content at a time, until the slice is used up. */
void
work_pump(uv_timer_t *timer)
{
    struct contents *contents = timer->data;
    size_t hashes = 0;
    struct content *c;

    while ((c = TAILQ_FIRST(&contents->work)) != NULL) {
        if (hashes >= CONTENTS_SLICE_HASHES) {
            pump_in(contents, 1);
            return;
        }
        if (!store_is_up(contents->app->store))
            return; /* contents_refresh goes on */
        if (!store_has_room(contents->app->store)) {
            pump_in(contents, PUMP_PAUSE_MS);
            return;
        }
        if ((c->work & WORK_GONE) && c->offered == 0) {
            content_release(contents, c);
            continue;
        }
        if (c->work & WORK_META)
            content_put(contents, c);
        if ((c->work & WORK_READ) && holders_read(contents, c) != 0) {
            pump_in(contents, PUMP_PAUSE_MS);
            return;
        }
        if (c->work & WORK_PLACE)
            hashes += content_place(contents, c);
        if (c->work & WORK_WANT)
            content_want(contents, c, false);
        hashes++;
        TAILQ_REMOVE(&contents->work, c, work_link);
        c->work = 0;
    }
}
