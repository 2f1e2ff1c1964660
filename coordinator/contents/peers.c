/*
 * GET /v1/content/{root}/peers: the store's holders, as far as they may be
 * named, the best for the client first.
 *
 * Must not know who is chosen to hold it.
 */
#include "coordinator/contents/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "coordinator/call.h"
#include "coordinator/contents/placement.h"
#include "coordinator/nodes/geo.h"
#include "coordinator/nodes/nodes.h"
#include "offload/content.h"
#include "offload/encoding.h"

struct peers {
    struct call call;
    char root[OL_ROOT_HEX + 1];
    size_t wanted;
    struct ol_addr client;
    char zone_text[GEO_ZONE];
    const char *zone; /* the client's, or NULL */
};

static json_t *
peer_json(const struct node *node, const struct store_holder *holder)
{
    json_t *obj =
        json_pack("{s:s, s:s, s:s, s:b}", "id", node->id, "url", node->url,
                  "zone", node->zone, "complete", holder->complete);

    if (obj != NULL && !holder->complete)
        json_object_set_new(obj, "have",
                            json_integer((json_int_t)holder->have));
    return obj;
}

/* Order: who has all of it; near, then local, then others; by what a node can
 * spare. */

struct ranked {
    const struct node *node;
    const struct store_holder *holder;
    unsigned tier; /* 0 .. 2, of incomplete ones 3 .. 5 */
    double spare;
};

static bool
is_near(const struct node *node, const struct ol_addr *client)
{
    json_t *list, *entry;
    struct ol_cidr cidr;
    bool near = false;
    size_t i;

    if (strcmp(node->cidrs, "[]") == 0)
        return false;
    list = json_loads(node->cidrs, 0, NULL);
    json_array_foreach(list, i, entry)
    {
        near = near ||
               (json_is_string(entry) &&
                ol_cidr_parse(json_string_value(entry), &cidr, NULL) == 0 &&
                ol_cidr_contains(&cidr, client));
    }
    json_decref(list);
    return near;
}

static struct ranked
peer_rank(const struct peers *peers, const struct node *node,
          const struct store_holder *holder)
{
    struct ranked ranked = {.node = node,
                            .holder = holder,
                            .tier = holder->complete ? 2 : 5,
                            .spare = placement_spare_score(1, node->spare)};

    if (is_near(node, &peers->client))
        ranked.tier -= 2;
    else if (peers->zone != NULL && strcasecmp(peers->zone, node->zone) == 0)
        ranked.tier -= 1;
    return ranked;
}

static int
ranked_compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->tier != y->tier)
        return x->tier < y->tier ? -1 : 1;
    if (x->spare != y->spare)
        return x->spare > y->spare ? -1 : 1;
    return strcmp(x->node->id, y->node->id);
}

static json_t *
peers_list(const struct peers *peers, const struct store_holder *holders,
           size_t count)
{
    struct ranked ranked[STORE_HOLDERS];
    json_t *list = json_array();
    const struct node *node;
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        node = nodes_find(peers->call.app->nodes, holders[i].id);
        if (node != NULL && node_is_listed(node))
            ranked[kept++] = peer_rank(peers, node, &holders[i]);
    }
    qsort(ranked, kept, sizeof(ranked[0]), ranked_compare);
    for (size_t i = 0; i < kept && i < peers->wanted; i++)
        json_array_append_new(list,
                              peer_json(ranked[i].node, ranked[i].holder));
    return list;
}

static void
on_holders(void *arg, int rc, uint64_t size, const struct store_holder *holders,
           size_t count)
{
    struct peers *peers = arg;
    json_t *list;

    if (rc == 0) {
        list = peers_list(peers, holders, count);
        call_json(&peers->call, 200,
                  json_pack("{s:s, s:I, s:o}", "root", peers->root, "size",
                            (json_int_t)size, "peers", list));
    } else if (rc == -ENOENT) {
        call_error(&peers->call, 404, "no site that joined offers this root");
    } else {
        call_busy(&peers->call, "the store is away");
    }
    call_end(&peers->call);
}

/* "n=50" or nothing. */
static int
query_parse(const char *query, size_t *ret)
{
    unsigned long n;
    char *end;

    *ret = PEERS_DEFAULT;
    if (query == NULL || *query == '\0')
        return 0;
    if (strncmp(query, "n=", 2) != 0 || query[2] < '0' || query[2] > '9')
        return -EINVAL;
    n = strtoul(query + 2, &end, 10);
    if (*end != '\0')
        return -EINVAL;
    *ret = n < PEERS_MAX ? n : PEERS_MAX;
    return 0;
}

void
peers_request(struct app *app, struct http_request *request, const char *root,
              size_t root_len, const char *query)
{
    uint8_t raw[OL_HASH_BYTES];
    struct peers *peers;
    size_t wanted;

    if (ol_hex_decode(raw, sizeof(raw), root, root_len) != 0) {
        reply_error(request, 400, "root: not %d lower-case hex characters",
                    OL_ROOT_HEX);
        return;
    }
    if (query_parse(query, &wanted) != 0) {
        reply_error(request, 400, "query: not n=NUMBER");
        return;
    }
    peers = call_begin(app, request, sizeof(*peers));
    if (peers == NULL)
        return;
    memcpy(peers->root, root, OL_ROOT_HEX);
    peers->wanted = wanted;
    http_client(request, &peers->client);
    peers->zone = geo_zone(app->geo, &peers->client, peers->zone_text);
    if (store_holders(app->store, peers->root, app_now(), on_holders, peers) !=
        0) {
        call_busy(&peers->call, "the store is away");
        call_end(&peers->call);
    }
}
