/*
 * GET /v1/content/{root}/peers: the store's holders, as far as they are alive.
 *
 * Must not know placement.
 */
#include "coordinator/contents/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/call.h"
#include "coordinator/nodes/nodes.h"
#include "offload/content.h"
#include "offload/encoding.h"

struct peers {
    struct call call;
    char root[OL_ROOT_HEX + 1];
    size_t wanted;
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

static void
peers_add(const struct peers *peers, json_t *list, bool complete,
          const struct store_holder *holders, size_t count)
{
    const struct node *node;

    for (size_t i = 0; i < count && json_array_size(list) < peers->wanted;
         i++) {
        if (holders[i].complete != complete)
            continue;
        node = nodes_find(peers->call.app->nodes, holders[i].id);
        if (node != NULL && node_is_listed(node))
            json_array_append_new(list, peer_json(node, &holders[i]));
    }
}

static void
on_holders(void *arg, int rc, uint64_t size, const struct store_holder *holders,
           size_t count)
{
    struct peers *peers = arg;
    json_t *list;

    if (rc == 0) {
        list = json_array();
        peers_add(peers, list, true, holders, count);
        peers_add(peers, list, false, holders, count);
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
    if (store_holders(app->store, peers->root, app_now(), on_holders, peers) !=
        0) {
        call_busy(&peers->call, "the store is away");
        call_end(&peers->call);
    }
}
