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

static int
read_all(struct assignment *a, struct ol_error *err)
{
    int rc = ol_json_string(a->json, "iss", OL_ORIGIN_MAX, &a->iss, err);

    if (rc == 0)
        rc = check_origin("iss", a->iss, err);
    if (rc == 0)
        rc = ol_json_string(a->json, "sub", OL_SUB_MAX, &a->sub, err);
    if (rc == 0)
        rc = check_subject(a->sub, err);
    if (rc == 0)
        rc = ol_json_hex(a->json, "root", a->root, sizeof(a->root), err);
    if (rc == 0)
        rc = ol_json_uint(a->json, "size", OL_CONTENT_MAX, &a->size, err);
    if (rc == 0 && a->size == 0)
        rc = ol_error_set(err, EBADMSG, "size: 0");
    if (rc == 0)
        rc = ol_json_bytes(a->json, "salt", a->salt, sizeof(a->salt), err);
    if (rc == 0)
        rc = read_nodes(a, err);
    if (rc == 0)
        rc = read_coordinators(a, err);
    return rc == -ENOENT ? -EBADMSG : rc;
}

int
assignment_from_json(json_t *entry, struct assignment **ret,
                     struct ol_error *err)
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
    if (rc != 0) {
        assignment_unref(a);
        return rc;
    }
    *ret = a;
    return 0;
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
    rc = assignment_from_json(json, ret, err);
    json_decref(json);
    return rc;
}
