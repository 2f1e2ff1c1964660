/*
 * The work on a site's contents, as a queue that is done in slices which keep
 * the loop responsive: reading who holds them, placing them, telling nodes.
 *
 * Must not know HTTP, leases or what the site has been told.
 */
#include "coordinator/contents/catalog.h"
#include "coordinator/contents/table.h"

#include <stdlib.h>
#include <string.h>

#define PUMP_PAUSE_MS 10 /* when the store has no room */
#define PUMP_KNOWN_MS 50 /* while nodes are not known */
#define PUMP_TURN_MS 3   /* after a turn's work: nodes are to be heard, too */

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

void
work_wake(struct contents *contents)
{
    pump_in(contents, 0);
}

/* Reading. */

struct read {
    struct contents *contents;
    uint8_t root[OL_HASH_BYTES];
};

/* Places it if it never was, or if the renewal finds too few holders: one may
 * have lost it, or another may have room now. */
static void
work_after_read(struct contents *contents, struct content *c)
{
    if (!c->assigned || (c->renew && !content_is_held(contents, c, false)))
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
        c = catalog_find(contents->app->catalog, contents, read->root);
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

/* Returns the hashes it took; -EAGAIN: the store has no room. */
static int
content_work(struct contents *contents, struct content *c)
{
    int hashes = 1;

    if (c->work & WORK_META)
        content_put(contents, c);
    if ((c->work & WORK_READ) && holders_read(contents, c) != 0)
        return -EAGAIN;
    if (c->work & WORK_PLACE)
        hashes += (int)content_place(contents, c);
    if (c->work & (WORK_WANT | WORK_TELL))
        content_want(contents, c, c->work & WORK_TELL);
    TAILQ_REMOVE(&contents->work, c, work_link);
    c->work = 0;
    return hashes;
}

/* What of the queue may be done now; false: the rest has to wait. */
static bool
work_next(struct contents *contents, struct content *c)
{
    struct catalog *catalog = contents->app->catalog;
    int hashes;

    if (catalog_left(catalog) == 0) {
        pump_in(contents, PUMP_TURN_MS);
        return false;
    }
    if (!store_is_up(contents->app->store))
        return false; /* contents_refresh goes on */
    if (!store_has_room(contents->app->store)) {
        pump_in(contents, PUMP_PAUSE_MS);
        return false;
    }
    if ((c->work & WORK_GONE) && c->offered == 0) {
        content_release(contents, c);
        return true;
    }
    hashes = content_work(contents, c);
    if (hashes < 0) {
        pump_in(contents, PUMP_PAUSE_MS);
        return false;
    }
    catalog_spend(catalog, (size_t)hashes);
    return true;
}

/* The pump: nodes that moved, then one content at a time, until what all sites
 * may do in one turn of the loop is done. */
void
work_pump(uv_timer_t *timer)
{
    struct contents *contents = timer->data;
    struct content *c;
    size_t hashes;

    if (!nodes_are_known(contents->app->nodes)) {
        pump_in(contents, PUMP_KNOWN_MS);
        return;
    }
    if (catalog_left(contents->app->catalog) == 0) {
        pump_in(contents, PUMP_TURN_MS);
        return;
    }
    hashes = sweep_step(contents);
    catalog_spend(contents->app->catalog, hashes);
    if (hashes > 0)
        pump_in(contents, PUMP_TURN_MS);
    while ((c = TAILQ_FIRST(&contents->work)) != NULL)
        if (!work_next(contents, c))
            return;
}
