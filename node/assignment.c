/*
 * One assignment of a coordinator (assignment.h).
 *
 * Owns: what a valid assignment is.  Must not know what is done with it.
 */
#include "node/assignment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload/encoding.h"
#include "offload/json.h"
#include "offload/manifest.h"
#include "offload/origin.h"

/* An origin in its canonical form. */
static int
check_origin(const char *name, const char *url, struct ol_error *err)
{
    struct ol_origin origin;
    int rc = ol_origin_parse_bare(url, strlen(url), &origin, err);

    if (rc != 0)
        return -EBADMSG;
    if (strcmp(origin.text, url) != 0)
        return ol_error_set(err, EBADMSG, "%s: not in canonical form", name);
    if (!ol_origin_port_ok(&origin))
        return ol_error_set(err, EBADMSG,
                            "%s: port %u is none of 80, 443, 1024-65535", name,
                            (unsigned)origin.port);
    return 0;
}

static int
check_subject(const char *sub, struct ol_error *err)
{
    char path[3 * OL_SUB_MAX + 1], again[OL_SUB_MAX + 1];
    size_t len;
    int n = ol_subject_encode(sub, strlen(sub), path, sizeof(path));

    if (n < 0 ||
        ol_subject_normalise(path, (size_t)n, again, sizeof(again), &len) !=
            0 ||
        strcmp(sub, again) != 0)
        return ol_error_set(err, EBADMSG, "sub: not a normal path");
    return 0;
}

static int
read_node(struct assignment *a, const json_t *node, struct ol_error *err)
{
    const char *url;
    int rc;

    if (!json_is_object(node))
        return ol_error_set(err, EBADMSG, "nodes: one is not an object");
    rc = ol_json_bytes(node, "id", a->ids[a->count], 32, err);
    if (rc == 0)
        rc = ol_json_string(node, "url", OL_URL_MAX, &url, err);
    if (rc == 0)
        rc = check_origin("nodes: url", url, err);
    if (rc != 0)
        return rc;
    a->urls[a->count++] = url;
    return 0;
}

static int
read_nodes(struct assignment *a, struct ol_error *err)
{
    json_t *nodes, *node;
    size_t i;
    int rc = ol_json_array(a->json, "nodes", OL_OWNERS_MAX, &nodes, err);

    if (rc != 0)
        return rc;
    json_array_foreach(nodes, i, node)
    {
        rc = read_node(a, node, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int
read_coordinators(struct assignment *a, struct ol_error *err)
{
    json_t *list, *url;
    size_t i;
    int rc = ol_json_array(a->json, "coordinators", ASSIGNMENT_COORDINATORS,
                           &list, err);

    if (rc == -ENOENT)
        return 0;
    if (rc != 0)
        return rc;
    json_array_foreach(list, i, url)
    {
        if (!json_is_string(url))
            return ol_error_set(err, EBADMSG, "coordinators: not a string");
        a->coordinators[a->coordinator_count++] = json_string_value(url);
    }
    return 0;
}

/* An origin and a subject; who borrows them keeps the JSON. */
static int
read_source(const json_t *json, struct assignment_source *ret,
            struct ol_error *err)
{
    int rc = ol_json_string(json, "iss", OL_ORIGIN_MAX, &ret->iss, err);

    if (rc == 0)
        rc = check_origin("iss", ret->iss, err);
    if (rc == 0)
        rc = ol_json_string(json, "sub", OL_SUB_MAX, &ret->sub, err);
    return rc == 0 ? check_subject(ret->sub, err) : rc;
}

static int
read_others(struct assignment *a, struct ol_error *err)
{
    json_t *list, *entry;
    size_t i;
    int rc = ol_json_array(a->json, "others", ASSIGNMENT_OTHERS, &list, err);

    if (rc == -ENOENT)
        return 0;
    if (rc != 0)
        return rc;
    json_array_foreach(list, i, entry)
    {
        if (!json_is_object(entry))
            return ol_error_set(err, EBADMSG, "others: not an object");
        rc = read_source(entry, &a->others[a->other_count], err);
        if (rc != 0)
            return rc;
        a->other_count++;
    }
    return 0;
}

static int
read_all(struct assignment *a, struct ol_error *err)
{
    struct assignment_source first;
    int rc = read_source(a->json, &first, err);

    if (rc == 0) {
        a->iss = first.iss;
        a->sub = first.sub;
        rc = ol_json_hex(a->json, "root", a->root, sizeof(a->root), err);
    }
    if (rc == 0)
        rc = ol_json_uint(a->json, "size", OL_CONTENT_MAX, &a->size, err);
    if (rc == 0 && a->size == 0)
        rc = ol_error_set(err, EBADMSG, "size: 0");
    if (rc == 0)
        rc = ol_json_bytes(a->json, "salt", a->salt, sizeof(a->salt), err);
    if (rc == 0) {
        rc = ol_json_uint(a->json, "heat", ASSIGNMENT_HEAT_MAX, &a->heat, err);
        rc = rc == -ENOENT ? 0 : rc;
    }
    if (rc == 0)
        rc = read_nodes(a, err);
    if (rc == 0)
        rc = read_coordinators(a, err);
    return rc == -ENOENT ? -EBADMSG : rc;
}

/* stored: its own words, not a coordinator's. */
static int
make(json_t *entry, bool stored, struct assignment **ret, struct ol_error *err)
{
    struct assignment *a;
    int rc;

    if (!json_is_object(entry))
        return ol_error_set(err, EBADMSG, "assignment: not an object");
    a = calloc(1, sizeof(*a));
    if (a == NULL)
        return -ENOMEM;
    a->refs = 1;
    a->json = json_incref(entry);
    rc = read_all(a, err);
    if (rc == 0 && stored)
        rc = read_others(a, err);
    if (rc != 0) {
        assignment_unref(a);
        return rc;
    }
    *ret = a;
    return 0;
}

int
assignment_from_json(json_t *entry, struct assignment **ret,
                     struct ol_error *err)
{
    return make(entry, false, ret, err);
}

struct assignment *
assignment_ref(struct assignment *a)
{
    a->refs++;
    return a;
}

void
assignment_unref(struct assignment *a)
{
    if (a == NULL || --a->refs > 0)
        return;
    json_decref(a->json);
    free(a);
}

bool
assignment_equal(const struct assignment *a, const struct assignment *b)
{
    if (strcmp(a->iss, b->iss) != 0 || strcmp(a->sub, b->sub) != 0 ||
        memcmp(a->salt, b->salt, sizeof(a->salt)) != 0 || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (memcmp(a->ids[i], b->ids[i], 32) != 0 ||
            strcmp(a->urls[i], b->urls[i]) != 0)
            return false;
    return true;
}

/* Sources */

bool
assignment_is_from(const struct assignment *a, const char *iss, const char *sub)
{
    return strcmp(a->iss, iss) == 0 && strcmp(a->sub, sub) == 0;
}

bool
assignment_knows(const struct assignment *a, const char *iss, const char *sub)
{
    for (size_t i = 0; i < a->other_count; i++)
        if (strcmp(a->others[i].iss, iss) == 0 &&
            strcmp(a->others[i].sub, sub) == 0)
            return true;
    return assignment_is_from(a, iss, sub);
}

static int
set_others(json_t *json, const struct assignment_source *list, size_t count)
{
    json_t *others = json_array();
    int rc = others == NULL;

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = json_array_append_new(
            others,
            json_pack("{s:s, s:s}", "iss", list[i].iss, "sub", list[i].sub));
    if (rc == 0)
        rc = json_object_set(json, "others", others);
    json_decref(others);
    return rc == 0 ? 0 : -ENOMEM;
}

/* The same with these sources; the first one has the word. */
static int
with_sources(const struct assignment *a, const struct assignment_source *list,
             size_t count, struct assignment **ret)
{
    json_t *json = json_copy(a->json);
    int rc = json == NULL ? -ENOMEM : set_others(json, list + 1, count - 1);

    if (rc == 0 &&
        (json_object_set_new(json, "iss", json_string(list[0].iss)) != 0 ||
         json_object_set_new(json, "sub", json_string(list[0].sub)) != 0))
        rc = -ENOMEM;
    if (rc == 0)
        rc = make(json, true, ret, NULL);
    json_decref(json);
    return rc;
}

int
assignment_add(const struct assignment *a, const char *iss, const char *sub,
               struct assignment **ret)
{
    struct assignment_source list[ASSIGNMENT_OTHERS + 2] = {{a->iss, a->sub}};

    if (a->other_count == ASSIGNMENT_OTHERS)
        return -ENOSPC;
    memcpy(list + 1, a->others, a->other_count * sizeof(list[0]));
    list[a->other_count + 1] = (struct assignment_source){iss, sub};
    return with_sources(a, list, a->other_count + 2, ret);
}

int
assignment_next(const struct assignment *a, bool keep, struct assignment **ret)
{
    struct assignment_source list[ASSIGNMENT_OTHERS + 1];

    if (a->other_count == 0)
        return -ENOENT;
    memcpy(list, a->others, a->other_count * sizeof(list[0]));
    list[a->other_count] = (struct assignment_source){a->iss, a->sub};
    return with_sources(a, list, a->other_count + keep, ret);
}

int
assignment_inherit(const struct assignment *a, const struct assignment *old,
                   struct assignment **ret)
{
    struct assignment_source list[ASSIGNMENT_OTHERS + 1] = {{a->iss, a->sub}};

    memcpy(list + 1, old->others, old->other_count * sizeof(list[0]));
    return with_sources(a, list, old->other_count + 1, ret);
}

/* The stored form */

char *
assignment_dump(const struct assignment *a, const char *const *coordinators,
                size_t count)
{
    json_t *list = json_array(), *copy = json_copy(a->json);
    char *text = NULL;
    int rc = list == NULL || copy == NULL;

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = json_array_append_new(list, json_string(coordinators[i]));
    if (rc == 0)
        rc = json_object_set(copy, "coordinators", list);
    if (rc == 0)
        rc = set_others(copy, a->others, a->other_count);
    if (rc == 0)
        text = json_dumps(copy, JSON_COMPACT);
    json_decref(list);
    json_decref(copy);
    return text;
}

int
assignment_parse(const char *text, size_t len, struct assignment **ret,
                 struct ol_error *err)
{
    json_t *json = ol_json_parse(text, len, err);
    int rc;

    if (json == NULL)
        return -EBADMSG;
    rc = make(json, true, ret, err);
    json_decref(json);
    return rc;
}
