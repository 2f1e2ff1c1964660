/*
 * One node as JSON: what the store says of it, after this process's judgement.
 *
 * Must not know how that is come to.
 */
#include "coordinator/nodes/node_show.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "coordinator/call.h"
#include "coordinator/nodes/nodes.h"
#include "coordinator/nodes/standing.h"
#include "offload/encoding.h"

struct show {
    struct call call;
    char id[OL_KEY_CHARS + 1];
};

static json_t *
load_json(const struct store_node *from)
{
    return json_pack("{s:I, s:I, s:I}", "rate", (json_int_t)from->load_rate,
                     "connections", (json_int_t)from->load_connections, "free",
                     (json_int_t)from->load_free);
}

static json_t *
audits_json(const struct store_node *from)
{
    return json_pack("{s:I, s:I, s:I}", "passed",
                     (json_int_t)from->standing.passed, "wrong",
                     (json_int_t)from->standing.wrong, "fastest",
                     (json_int_t)from->standing.peak);
}

static json_t *
node_json(const struct node *node, const struct store_node *from)
{
    const char *reason = standing_reason(node);

    if (*reason == '\0')
        reason = from->unlisted;
    return json_pack(
        "{s:s, s:I, s:s, s:s, s:b, s:b, s:b, s:b, s:s, s:f, s:f, s:i, s:I, "
        "s:I, s:I, s:o?, s:o, s:o}",
        "id", node->id, "n", (json_int_t)node->number, "url", node->url, "zone",
        node->zone, "alive", node->alive, "listed", node_is_listed(node),
        "draining", node->draining, "excluded", node->excluded, "reason",
        reason, "weight", round(1000 * node->weight) / 1000, "trust",
        node->trust, "percent", (int)node->standing.percent, "capacity",
        (json_int_t)node->capacity, "rate", (json_int_t)node->rate, "since",
        (json_int_t)from->born_s, "sites", json_loads(from->sites, 0, NULL),
        "audits", audits_json(from), "load", load_json(from));
}

static void
on_loaded(void *arg, int rc, const struct store_node *from)
{
    struct show *show = arg;
    struct nodes *nodes = show->call.app->nodes;
    struct node *node = rc == 0 ? nodes_intern(nodes, show->id) : NULL;

    if (node != NULL)
        nodes_loaded(nodes, node, from);
    if (node != NULL && node->zone != NULL && node->url != NULL)
        call_json(&show->call, 200, node_json(node, from));
    else if (rc == -ENOENT)
        call_error(&show->call, 404, "this node is unknown");
    else
        call_busy(&show->call, "the store is away");
    call_end(&show->call);
}

void
node_show(struct app *app, struct http_request *request, const char *id)
{
    uint8_t raw[OL_KEY_BYTES];
    struct show *show;

    if (ol_base64url_decode_exact(raw, sizeof(raw), id, strlen(id)) != 0) {
        reply_error(request, 400, "a node's id has 43 characters of base64url");
        return;
    }
    show = call_begin(app, request, sizeof(*show));
    if (show == NULL)
        return;
    memcpy(show->id, id, OL_KEY_CHARS);
    if (store_node_load(app->store, show->id, on_loaded, show) == 0)
        return;
    call_busy(&show->call, "the store is away");
    call_end(&show->call);
}
