/*
 * The status page's numbers as JSON: bytes, bytes per second, seconds since
 * 1970.
 *
 * Must not know where they are from.
 */
#include "coordinator/status/document.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_int_t
number(uint64_t n)
{
    return n > INT64_MAX ? INT64_MAX : (json_int_t)n;
}

/* Text that is no UTF-8 cannot have come from a node or a site. */
static json_t *
text(const char *s)
{
    json_t *json = json_string(s);

    return json != NULL ? json : json_string("");
}

static json_t *
list_of(json_t *list, uint64_t total)
{
    return json_pack("{s:I, s:o}", "total", number(total), "list", list);
}

static json_t *
sites_json(const struct view_stored *s)
{
    json_t *list = json_array(), *json;

    for (size_t i = 0; i < s->site_count; i++)
        json_array_append_new(list,
                              json_pack("{s:o, s:I, s:I, s:I}", "origin",
                                        text(s->sites[i].origin), "contents",
                                        number(s->sites[i].contents), "joined",
                                        number(s->sites[i].joined), "synced",
                                        number(s->sites[i].synced)));
    json = list_of(list, s->site_total);
    json_object_set_new(json, "contents", json_integer(number(s->contents)));
    return json;
}

static json_t *
contents_json(const struct view_stored *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->hot_count; i++) {
        const struct view_content *c = &s->hot[i];

        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:o, s:I, s:f, s:i, s:I, s:I}", "root",
                      text(c->root), "origin", text(c->origin), "path",
                      text(c->path), "size", number(c->size), "demand",
                      c->demand, "wanted", (int)c->wanted, "holders",
                      number(c->holders), "incomplete", number(c->incomplete)));
    }
    return list_of(list, s->hot_total);
}

static json_t *
node_json(const struct view_node *n)
{
    return json_pack(
        "{s:o, s:o, s:o, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:I, "
        "s:I}",
        "id", text(n->id), "url", text(n->url), "zone", text(n->zone), "state",
        view_states[n->state], "reason", text(n->reason), "rate",
        number(n->rate), "rate_max", number(n->rate_max), "connections",
        number(n->connections), "free", number(n->free), "capacity",
        number(n->capacity), "weight", (int)n->weight, "trust", (int)n->trust,
        "audits_passed", number(n->audits_passed), "audits_wrong",
        number(n->audits_wrong));
}

static json_t *
nodes_json(const struct view *v)
{
    json_t *list = json_array(), *json;

    for (size_t i = 0; i < v->node_count; i++)
        json_array_append_new(list, node_json(&v->nodes[i]));
    json = list_of(list, v->node_total);
    json_object_set_new(json, "alive", json_integer(number(v->node_alive)));
    return json;
}

static json_t *
excluded_json(const struct view *v)
{
    json_t *list = json_array();

    for (size_t i = 0; i < v->excluded_count; i++) {
        const struct view_excluded *node = &v->excluded[i];

        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:o, s:o, s:I}", "id", text(node->id), "url",
                      text(node->url), "reason", text(node->reason), "by",
                      text(node->by), "since", number(node->since)));
    }
    return list_of(list, v->excluded_total);
}

static json_t *
points_json(const struct history_point *points, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list,
                              json_pack("[I, I]", number(points[i].claimed),
                                        number(points[i].credited)));
    return list;
}

static json_t *
history_json(const struct store_history *h)
{
    return json_pack("{s:o, s:o, s:o}", "minutes",
                     points_json(h->minutes, HISTORY_MINUTES), "slots",
                     points_json(h->slots, HISTORY_SLOTS), "days",
                     points_json(h->days, HISTORY_DAYS));
}

static json_t *
redis_json(const struct view *v)
{
    return json_pack("{s:b, s:o, s:b, s:I, s:I}", "up", v->redis_up, "version",
                     text(v->stored->redis_version), "aof", v->stored->aof,
                     "memory", number(v->stored->memory), "memory_max",
                     number(v->stored->memory_max));
}

char *
document_render(const struct view *v, size_t *ret_len)
{
    char *ret;
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:b, s:I, s:o, s:o, s:o, "
        "s:o, s:o, s:o}",
        "version", v->version, "id", v->id, "key", v->key, "store", v->store,
        "workers", (int)v->workers, "started", (json_int_t)v->started_s, "time",
        (json_int_t)v->now_s, "taken", (json_int_t)v->stored->taken_s, "stale",
        v->stale, "rate", number(v->rate), "redis", redis_json(v), "nodes",
        nodes_json(v), "excluded", excluded_json(v), "sites",
        sites_json(v->stored), "contents", contents_json(v->stored), "history",
        history_json(&v->stored->history));

    ret = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (ret != NULL)
        *ret_len = strlen(ret);
    return ret;
}
