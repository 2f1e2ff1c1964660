/*
 * The nodes that this process knows, in a tree by id and a list by change.
 *
 * Must not know requests, nor what is placed on the nodes.
 */
#include "coordinator/nodes/nodes.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/nodes/admission.h"
#include "coordinator/nodes/geo.h"
#include "coordinator/nodes/spare.h"
#include "coordinator/nodes/standing.h"
#include "coordinator/options.h"
#include "net/log.h"
#include "offload/encoding.h"

TAILQ_HEAD(node_list, node);

struct nodes {
    struct app *app;
    struct nodes_events events;
    void *tree; /* of tsearch, by raw id */
    struct node_list list;
    size_t count;
    uint64_t version;
    uv_timer_t tick;
    unsigned ticks;
    size_t page; /* where the reading of the index stands */
    bool following;
    bool indexed, known;    /* indexed: all of it was read once */
    size_t loads;           /* under way */
    size_t alive, expected; /* expected: alive, before the store was lost */
    int64_t expected_ms;    /* until then */
    int64_t ticked_ms;
};

static int
node_compare(const void *a, const void *b)
{
    return memcmp(((const struct node *)a)->raw, ((const struct node *)b)->raw,
                  OL_KEY_BYTES);
}

static void
node_free(struct node *node)
{
    standing_clear(node);
    ol_key_free(node->key);
    free(node->url);
    free(node->zone);
    free(node->cidrs);
    free(node);
}

static void
node_forget(struct nodes *nodes, struct node *node)
{
    nodes->events.on_forget(nodes->events.arg, node);
    tdelete(node, &nodes->tree, node_compare);
    TAILQ_REMOVE(&nodes->list, node, link);
    nodes->count--;
    nodes->alive -= node->alive;
    node_free(node);
}

/* Sites are to be told of it. */
static void
node_news(struct nodes *nodes, struct node *node)
{
    node->version = ++nodes->version;
    TAILQ_REMOVE(&nodes->list, node, link);
    TAILQ_INSERT_TAIL(&nodes->list, node, link);
}

static void
node_changed(struct nodes *nodes, struct node *node)
{
    node_news(nodes, node);
    nodes->events.on_changed(nodes->events.arg, node);
}

/* Its load or its rate is another one; moves no content. */
static void
node_load(struct nodes *nodes, struct node *node, const struct store_node *load)
{
    int64_t now = app_ticks_ms();
    uint32_t spare = spare_told(node->rate, load->load_rate, node->spare);

    node->load_rate = load->load_rate;
    node->load_connections = load->load_connections;
    node->load_free = load->load_free;
    if (spare == node->spare ||
        (node->spare_ms != 0 && now - node->spare_ms < NODES_SPARE_MS))
        return;
    node->spare = spare;
    node->spare_ms = now;
    if (node->alive)
        node_news(nodes, node);
}

static void
node_live(struct nodes *nodes, struct node *node, int64_t until_ms)
{
    static struct log_kind alive = {.name = "nodes that came"};

    if (until_ms > node->alive_until_ms)
        node->alive_until_ms = until_ms;
    if (!node->alive && node->number != 0 &&
        node->alive_until_ms > app_ticks_ms()) {
        node->alive = true;
        nodes->alive++;
        log_limited(&alive, LOG_INFO_, "node %s is alive at %s", node->id,
                    node->url);
        node_changed(nodes, node);
    }
}

struct node *
nodes_find(struct nodes *nodes, const char *id)
{
    struct node key, **found;

    if (ol_base64url_decode_exact(key.raw, sizeof(key.raw), id, strlen(id)) !=
        0)
        return NULL;
    found = tfind(&key, &nodes->tree, node_compare);
    return found == NULL ? NULL : *found;
}

static int
site_compare(const void *key, const void *entry)
{
    return strcmp(key, entry);
}

bool
node_takes(const struct node *node, const char *site_id)
{
    if (!node_is_listed(node) || node->draining)
        return false;
    return node->site_count == 0 ||
           bsearch(site_id, node->sites, node->site_count, sizeof(*node->sites),
                   site_compare) != NULL;
}

static struct node *
node_add(struct nodes *nodes, const char *id)
{
    static struct log_kind full = {.name = "nodes"};
    struct node *node;

    if (nodes->count >= NODES_MAX) {
        log_limited(&full, LOG_WARN_, "%d nodes are known, no more are taken",
                    NODES_MAX);
        return NULL;
    }
    node = calloc(1, sizeof(*node));
    if (node == NULL)
        return NULL;
    if (ol_base64url_decode_exact(node->raw, sizeof(node->raw), id,
                                  strlen(id)) != 0 ||
        tsearch(node, &nodes->tree, node_compare) == NULL) {
        free(node);
        return NULL;
    }
    memcpy(node->id, id, OL_KEY_CHARS);
    node->alive_until_ms = app_ticks_ms(); /* kept a while, if never heard */
    TAILQ_INSERT_HEAD(&nodes->list, node, link); /* version 0: no change */
    nodes->count++;
    return node;
}

struct node *
nodes_intern(struct nodes *nodes, const char *id)
{
    struct node *node = nodes_find(nodes, id);

    if (node != NULL)
        return node;
    node = node_add(nodes, id);
    if (node != NULL)
        nodes_load(nodes, id);
    return node;
}

static bool
text_set(char **text, const char *to)
{
    char *copy;

    if (*text != NULL && strcmp(*text, to) == 0)
        return false;
    copy = strdup(to);
    if (copy == NULL)
        return false;
    free(*text);
    *text = copy;
    return true;
}

void
nodes_update(struct nodes *nodes, struct node *node,
             const struct store_node *from)
{
    bool changed = node->number != from->number ||
                   node->capacity != from->capacity || node->rate != from->rate;

    if (node->key == NULL &&
        ol_key_from_x(from->key, strlen(from->key), &node->key, NULL) != 0)
        return;
    changed |= text_set(&node->url, from->url);
    changed |= text_set(&node->cidrs, from->cidrs);
    if (node->url == NULL || node->cidrs == NULL)
        return;
    node->number = (uint32_t)from->number;
    node->capacity = from->capacity;
    node->rate = from->rate;
    standing_take(node, from);
    changed |= standing_judge(nodes->app, node, app_now());
    if (changed && node->alive)
        node_changed(nodes, node);
}

static void
node_judge(struct nodes *nodes, struct node *node)
{
    if (standing_judge(nodes->app, node, app_now()) && node->alive)
        node_changed(nodes, node);
}

static void
nodes_judge(struct nodes *nodes)
{
    struct node *node, *next = TAILQ_FIRST(&nodes->list);
    size_t left = nodes->count; /* those that have changed go to the end */

    while ((node = next) != NULL && left-- > 0) {
        next = TAILQ_NEXT(node, link);
        if (node->number != 0)
            node_judge(nodes, node);
    }
}

void
nodes_drain(struct nodes *nodes, struct node *node, bool drain)
{
    static struct log_kind drains = {.name = "nodes that drain"};

    if (node->standing.draining == drain)
        return;
    node->standing.draining = drain;
    log_limited(&drains, LOG_INFO_, "node %s %s", node->id,
                drain ? "drains: it is going to stop" : "drains no longer");
    node_judge(nodes, node);
    store_announce(nodes->app->store, STORE_NODE, node->id);
}

void
nodes_beat(struct nodes *nodes, struct node *node,
           const struct store_node *load)
{
    bool was = node->alive;

    node_load(nodes, node, load);
    node->beat_ms = app_ticks_ms();
    node_live(nodes, node, node->beat_ms + STORE_NODE_LIFE_MS);
    store_node_alive(nodes->app->store, node->id, app_now_ms());
    if (!was)
        store_announce(nodes->app->store, STORE_NODE, node->id);
}

/* Loading from the store. */

void
nodes_loaded(struct nodes *nodes, struct node *node,
             const struct store_node *from)
{
    nodes_update(nodes, node, from);
    node_load(nodes, node, from);
    if (from->life_ms > 0)
        node_live(nodes, node, app_ticks_ms() + (int64_t)from->life_ms);
}

struct load {
    struct nodes *nodes;
    char id[OL_KEY_CHARS + 1];
};

static void
on_load(void *arg, int rc, const struct store_node *from)
{
    struct load *load = arg;
    struct node *node;

    if (rc != -ECANCELED)
        load->nodes->loads--;
    if (rc != -ECANCELED &&
        (node = nodes_find(load->nodes, load->id)) != NULL) {
        node->loading = false;
        if (rc == 0)
            nodes_loaded(load->nodes, node, from);
        if (node->load_again) {
            node->load_again = false;
            nodes_load(load->nodes, load->id);
        }
    }
    free(load);
}

void
nodes_load(struct nodes *nodes, const char *id)
{
    struct node *node = nodes_find(nodes, id);
    struct load *load;

    if (node == NULL)
        node = node_add(nodes, id);
    if (node == NULL)
        return;
    if (node->loading) { /* what is on its way may be older */
        node->load_again = true;
        return;
    }
    load = calloc(1, sizeof(*load));
    if (load == NULL)
        return;
    load->nodes = nodes;
    memcpy(load->id, node->id, sizeof(load->id));
    if (store_node_load(nodes->app->store, node->id, on_load, load) != 0) {
        free(load);
        return;
    }
    node->loading = true;
    nodes->loads++;
}

static void nodes_follow(struct nodes *nodes);

static void
on_page(void *arg, int rc, const struct store_entry *list, size_t count)
{
    struct nodes *nodes = arg;
    int64_t now = app_ticks_ms(), ahead = now - app_now_ms();
    struct node *node;

    if (rc == -ECANCELED)
        return;
    nodes->following = false;
    for (size_t i = 0; i < count; i++) {
        node = nodes_intern(nodes, list[i].id);
        if (node == NULL)
            continue;
        node_live(nodes, node, (int64_t)list[i].score + ahead);
        if (now - node->beat_ms > STORE_NODE_LIFE_MS / 2)
            nodes_load(nodes, list[i].id); /* another process's: its load */
    }
    nodes->page = count == STORE_PAGE ? nodes->page + count : 0;
    if (nodes->page != 0)
        nodes_follow(nodes);
    else if (rc == 0)
        nodes->indexed = true;
}

static void
nodes_follow(struct nodes *nodes)
{
    if (!nodes->following && store_nodes(nodes->app->store, app_now_ms(),
                                         nodes->page, on_page, nodes) == 0)
        nodes->following = true;
}

void
nodes_reload(struct nodes *nodes)
{
    struct app *app = nodes->app;

    if (app->geo != NULL)
        geo_refresh(app->geo, app->options->geoip);
    if (admission_refresh(app->admission))
        nodes_judge(nodes);
}

/* While the store is away nobody can be heard: that is no silence. */
static void
nodes_wait(struct nodes *nodes, int64_t ms)
{
    struct node *node;

    TAILQ_FOREACH(node, &nodes->list, link)
    if (node->alive)
        node->alive_until_ms += ms;
}

static void
node_die(struct nodes *nodes, struct node *node)
{
    static struct log_kind gone = {.name = "nodes that went"};

    node->alive = false;
    nodes->alive--;
    log_limited(&gone, LOG_INFO_, "node %s at %s is not heard any more",
                node->id, node->url);
    node_changed(nodes, node);
}

static void
nodes_bury(struct nodes *nodes, int64_t now)
{
    struct node *node, *next;

    for (node = TAILQ_FIRST(&nodes->list); node != NULL; node = next) {
        next = TAILQ_NEXT(node, link);
        if (node->alive && node->alive_until_ms <= now) {
            node_die(nodes, node);
        } else if (!node->alive && node->held == NULL && !node->loading &&
                   node->alive_until_ms + NODES_FORGET_MS <= now) {
            node_forget(nodes, node);
        }
    }
}

static void
on_tick(uv_timer_t *timer)
{
    struct nodes *nodes = timer->data;
    int64_t now = app_ticks_ms();

    if (store_is_up(nodes->app->store))
        nodes_bury(nodes, now);
    else
        nodes_wait(nodes, now - nodes->ticked_ms);
    nodes->ticked_ms = now;
    if (nodes->ticks % (ADMISSION_REFRESH_MS / NODES_TICK_MS) == 0)
        nodes_reload(nodes);
    if (++nodes->ticks % (NODES_FOLLOW_MS / NODES_TICK_MS) == 0)
        nodes_follow(nodes);
}

void
nodes_refresh(struct nodes *nodes, bool fresh)
{
    struct node *node, *next;

    if (fresh) {
        nodes->indexed = nodes->known = false;
        nodes->expected = nodes->alive;
        nodes->expected_ms = app_ticks_ms() + NODES_RETURN_MS;
    }
    for (node = TAILQ_FIRST(&nodes->list); fresh && node != NULL; node = next) {
        next = TAILQ_NEXT(node, link);
        node_forget(nodes, node);
    }
    nodes->page = 0;
    nodes->following = false;
    nodes_follow(nodes);
}

bool
nodes_are_known(struct nodes *nodes)
{
    if (!nodes->known)
        nodes->known =
            nodes->indexed && nodes->loads == 0 &&
            (nodes->alive + nodes->expected / 10 >= nodes->expected ||
             app_ticks_ms() >= nodes->expected_ms);
    return nodes->known;
}

/* What changed. */

uint64_t
nodes_version(const struct nodes *nodes)
{
    return nodes->version;
}

struct node *
nodes_first(const struct nodes *nodes)
{
    return TAILQ_FIRST(&nodes->list);
}

struct node *
nodes_changed_after(const struct nodes *nodes, uint64_t version)
{
    struct node *node = TAILQ_LAST(&nodes->list, node_list), *found = NULL;

    while (node != NULL && node->version > version) {
        found = node;
        node = TAILQ_PREV(node, node_list, link);
    }
    return found;
}

/* Creation. */

int
nodes_create(struct app *app, const struct nodes_events *events,
             struct nodes **ret)
{
    struct nodes *nodes = calloc(1, sizeof(*nodes));

    if (nodes == NULL)
        return -ENOMEM;
    nodes->app = app;
    nodes->events = *events;
    nodes->ticked_ms = app_ticks_ms();
    TAILQ_INIT(&nodes->list);
    uv_timer_init(app->loop, &nodes->tick);
    nodes->tick.data = nodes;
    uv_timer_start(&nodes->tick, on_tick, NODES_TICK_MS, NODES_TICK_MS);
    *ret = nodes;
    return 0;
}

static void
on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void
nodes_free(struct nodes *nodes)
{
    struct node *node;

    if (nodes == NULL)
        return;
    while ((node = TAILQ_FIRST(&nodes->list)) != NULL) {
        tdelete(node, &nodes->tree, node_compare);
        TAILQ_REMOVE(&nodes->list, node, link);
        node_free(node);
    }
    uv_close((uv_handle_t *)&nodes->tick, on_closed);
}
