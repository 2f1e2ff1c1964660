/*
 * The table of all contents by root (keyed, so that sites cannot choose who
 * shares a chain), and what is known of the nodes as a whole.
 *
 * Must not know how contents are placed.
 */
#include "coordinator/contents/catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/contents/table.h"
#include "offload/encoding.h"

#define SIZE_MIN 1024 /* doubles, as far as CATALOG_MAX */

struct catalog {
    struct app *app;
    struct content **buckets;
    size_t size, count; /* size: a power of two */
    uint64_t seed;
    TAILQ_HEAD(moved_list, node) moved; /* each once, by its last move */
    uint64_t moves;
    struct content_list watched;
    uint64_t turn; /* of the loop, by its clock */
    size_t spent;  /* in that */
    struct catalog_spare spare;
    int64_t spare_ms;
};

static size_t
bucket_of(const struct catalog *catalog, const uint8_t *root)
{
    uint64_t h = catalog->seed, word;

    for (unsigned i = 0; i < OL_HASH_BYTES; i += sizeof(word)) {
        memcpy(&word, root + i, sizeof(word));
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    return (size_t)h & (catalog->size - 1);
}

static int
catalog_grow(struct catalog *catalog)
{
    size_t size = catalog->size, at;
    struct content **old = catalog->buckets, *c, *next;
    struct content **grown = calloc(2 * size, sizeof(*grown));

    if (grown == NULL)
        return -ENOMEM;
    catalog->buckets = grown;
    catalog->size = 2 * size;
    for (size_t i = 0; i < size; i++) {
        for (c = old[i]; c != NULL; c = next) {
            next = c->chain;
            at = bucket_of(catalog, c->root);
            c->chain = grown[at];
            grown[at] = c;
        }
    }
    free(old);
    return 0;
}

int
catalog_add(struct catalog *catalog, struct content *c)
{
    size_t at;

    if (catalog->count >= catalog->size && catalog_grow(catalog) != 0)
        return -ENOMEM;
    at = bucket_of(catalog, c->root);
    c->chain = catalog->buckets[at];
    catalog->buckets[at] = c;
    catalog->count++;
    return 0;
}

void
catalog_remove(struct catalog *catalog, struct content *c)
{
    struct content **at = &catalog->buckets[bucket_of(catalog, c->root)];

    while (*at != c)
        at = &(*at)->chain;
    *at = c->chain;
    catalog->count--;
}

bool
catalog_has_room(const struct catalog *catalog, size_t count)
{
    return catalog->count < CATALOG_MAX &&
           count < (CATALOG_MAX - catalog->count + 3) / 4;
}

size_t
catalog_count(const struct catalog *catalog)
{
    return catalog->count;
}

struct content *
catalog_find(const struct catalog *catalog, const struct contents *site,
             const uint8_t *root)
{
    struct content *c = catalog->buckets[bucket_of(catalog, root)];

    while (c != NULL &&
           (c->site != site || memcmp(c->root, root, OL_HASH_BYTES) != 0))
        c = c->chain;
    return c;
}

void
catalog_held(struct catalog *catalog, const char *root)
{
    uint8_t raw[OL_HASH_BYTES];
    struct content *c;

    if (ol_hex_decode(raw, sizeof(raw), root, strlen(root)) != 0)
        return;
    c = catalog->buckets[bucket_of(catalog, raw)];
    for (; c != NULL; c = c->chain)
        if (memcmp(c->root, raw, OL_HASH_BYTES) == 0)
            work_add(c->site, c, WORK_READ);
}

/* The work of one turn. */

size_t
catalog_left(struct catalog *catalog)
{
    uint64_t turn = uv_now(catalog->app->loop);

    if (turn != catalog->turn)
        catalog->spent = 0;
    catalog->turn = turn;
    return catalog->spent < CATALOG_TURN ? CATALOG_TURN - catalog->spent : 0;
}

void
catalog_spend(struct catalog *catalog, size_t hashes)
{
    catalog->spent += hashes;
}

/* Watched ones. */

void
catalog_watch(struct catalog *catalog, struct content *c)
{
    TAILQ_INSERT_TAIL(&catalog->watched, c, crowd_link);
}

void
catalog_unwatch(struct catalog *catalog, struct content *c)
{
    TAILQ_REMOVE(&catalog->watched, c, crowd_link);
}

struct content *
catalog_watched(struct catalog *catalog)
{
    struct content *c = TAILQ_FIRST(&catalog->watched);

    if (c != NULL) {
        TAILQ_REMOVE(&catalog->watched, c, crowd_link);
        TAILQ_INSERT_TAIL(&catalog->watched, c, crowd_link);
    }
    return c;
}

/* Nodes. */

const struct catalog_spare *
catalog_spare(struct catalog *catalog, int64_t now_ms)
{
    struct node *node = nodes_first(catalog->app->nodes);
    struct catalog_spare sum = {0};
    double spare;

    if (catalog->spare_ms != 0 && now_ms - catalog->spare_ms < CATALOG_SPARE_MS)
        return &catalog->spare;
    for (; node != NULL; node = nodes_next(node)) {
        if (!node_is_listed(node) || node->draining)
            continue;
        spare = placement_spare(node->rate, node->load_rate);
        sum.spare_bps += spare;
        sum.busy_bps += node->rate == 0 ? 0 : (double)node->rate - spare;
        sum.nodes++;
    }
    if (sum.nodes > 0) {
        sum.spare_bps /= (double)sum.nodes;
        sum.busy_bps /= (double)sum.nodes;
    }
    catalog->spare_ms = now_ms;
    catalog->spare = sum;
    return &catalog->spare;
}

void
catalog_moved(struct catalog *catalog, struct node *node)
{
    if (node->moved != 0)
        TAILQ_REMOVE(&catalog->moved, node, moved_link);
    node->moved = ++catalog->moves;
    TAILQ_INSERT_TAIL(&catalog->moved, node, moved_link);
}

void
catalog_forget(struct catalog *catalog, struct node *node)
{
    if (node->moved != 0)
        TAILQ_REMOVE(&catalog->moved, node, moved_link);
    node->moved = 0;
}

uint64_t
catalog_moves(const struct catalog *catalog)
{
    return catalog->moves;
}

struct node *
catalog_moved_after(const struct catalog *catalog, uint64_t move)
{
    struct node *node = TAILQ_LAST(&catalog->moved, moved_list), *found = NULL;

    while (node != NULL && node->moved > move) {
        found = node;
        node = TAILQ_PREV(node, moved_list, moved_link);
    }
    return found;
}

/* Creation. */

int
catalog_create(struct app *app, struct catalog **ret)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));

    if (catalog == NULL)
        return -ENOMEM;
    catalog->buckets = calloc(SIZE_MIN, sizeof(struct content *));
    if (catalog->buckets == NULL) {
        free(catalog);
        return -ENOMEM;
    }
    catalog->app = app;
    catalog->size = SIZE_MIN;
    catalog->seed = (uint64_t)app_random(0) << 32 | app_random(0);
    TAILQ_INIT(&catalog->moved);
    TAILQ_INIT(&catalog->watched);
    *ret = catalog;
    return 0;
}

void
catalog_free(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    free(catalog->buckets);
    free(catalog);
}
