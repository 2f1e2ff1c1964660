/*
 * A plan: reads nodes and contents, places one content after the other as a
 * coordinator does, and prints who gets what.
 *
 * Must not know the store, nor anything that runs.
 */
#include "coordinator/contents/plan.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/contents/demand.h"
#include "coordinator/contents/placement.h"
#include "offload/content.h"
#include "offload/encoding.h"
#include "offload/json.h"
#include "offload/key.h"

#define PLAN_NODES 16384
#define PLAN_CONTENTS 1000000
#define PLAN_SITES 64 /* of one node */
#define NAME_MAX_CHARS 256
#define HOLDERS 3

struct plan_node {
    const char *id;
    uint8_t raw[OL_HASH_BYTES];
    uint64_t capacity, rate, load, free, promised;
    double weight;
    bool draining;
    json_t *sites; /* NULL: all */
    size_t contents;
};

struct plan {
    uint8_t salt[OL_SALT_BYTES];
    struct demand_offer offer;
    struct plan_node *nodes;
    struct placement_node *scored;
    size_t count;
    double weights;
    json_t *contents; /* what is printed */
};

/* Reading. */

/* What is no 32 bytes in base64url or hex is a name: its hash will do. */
static void
raw_of(const char *text, uint8_t ret[OL_HASH_BYTES])
{
    size_t len = strlen(text);

    if (ol_base64url_decode_exact(ret, OL_HASH_BYTES, text, len) != 0 &&
        ol_hex_decode(ret, OL_HASH_BYTES, text, len) != 0)
        ol_sha256(text, len, ret);
}

static int
uint_read(const json_t *obj, const char *name, uint64_t absent, uint64_t *ret,
          struct ol_error *err)
{
    int rc = ol_json_uint(obj, name, UINT64_MAX >> 11, ret, err);

    if (rc == -ENOENT)
        *ret = absent;
    return rc == -ENOENT ? 0 : rc;
}

/* A real number, or a whole one. */
static int
real_read(const json_t *obj, const char *name, double absent, double *ret,
          struct ol_error *err)
{
    const json_t *value = json_object_get(obj, name);

    *ret = value == NULL ? absent : json_number_value(value);
    if (value != NULL && (!json_is_number(value) || *ret < 0))
        return ol_error_set(err, EINVAL, "%s: not a number from 0 on", name);
    return 0;
}

static int
node_read(const json_t *obj, struct plan_node *ret, struct ol_error *err)
{
    uint64_t percent = 100;
    double trust = 1;
    int rc;

    rc = ol_json_string(obj, "id", NAME_MAX_CHARS, &ret->id, err);
    if (rc == 0)
        rc = ol_json_uint(obj, "capacity", UINT64_MAX >> 11, &ret->capacity,
                          err);
    if (rc == 0)
        rc = uint_read(obj, "rate", 0, &ret->rate, err);
    if (rc == 0)
        rc = uint_read(obj, "load", 0, &ret->load, err);
    if (rc == 0)
        rc = uint_read(obj, "free", ret->capacity, &ret->free, err);
    if (rc == 0)
        rc = uint_read(obj, "weight", 100, &percent, err);
    if (rc == 0)
        rc = real_read(obj, "trust", 1, &trust, err);
    if (rc == -ENOENT)
        return ol_error_set(err, EINVAL, "a node needs an id and a capacity");
    if (rc != 0)
        return rc;
    raw_of(ret->id, ret->raw);
    ret->draining = json_is_true(json_object_get(obj, "draining"));
    ret->weight = placement_weight(ret->capacity, ret->rate) * (double)percent /
                  100 * trust;
    rc = ol_json_array(obj, "sites", PLAN_SITES, &ret->sites, err);
    return rc == -ENOENT ? 0 : rc;
}

static int
nodes_read(struct plan *plan, const json_t *list, struct ol_error *err)
{
    struct plan_node *node;
    struct demand_offer *offer = &plan->offer;
    double spare;
    int rc;

    plan->count = json_array_size(list);
    plan->nodes = calloc(plan->count + 1, sizeof(*plan->nodes));
    plan->scored = calloc(plan->count + 1, sizeof(*plan->scored));
    if (plan->nodes == NULL || plan->scored == NULL)
        return ol_error_set(err, ENOMEM, "no memory");
    for (size_t i = 0; i < plan->count; i++) {
        struct ol_error why = {""};

        node = &plan->nodes[i];
        rc = node_read(json_array_get(list, i), node, &why);
        if (rc != 0)
            return ol_error_set(err, EINVAL, "nodes[%zu]: %s", i, why.text);
        if (node->draining)
            continue;
        spare = placement_spare(node->rate, node->load);
        offer->spare_bps += spare;
        offer->busy_bps += node->rate == 0 ? 0 : (double)node->rate - spare;
        offer->nodes++;
        plan->weights += node->weight;
    }
    if (offer->nodes > 0) {
        offer->spare_bps /= (double)offer->nodes;
        offer->busy_bps /= (double)offer->nodes;
    }
    return 0;
}

/* Placing. */

static bool
node_serves(const struct plan_node *node, const char *site)
{
    size_t i;
    json_t *entry;

    if (node->sites == NULL)
        return true;
    json_array_foreach(node->sites, i, entry)
    {
        if (json_is_string(entry) &&
            strcmp(json_string_value(entry), site) == 0)
            return true;
    }
    return false;
}

static int
content_place(struct plan *plan, const char *name, const char *site,
              uint64_t size, const struct demand *asked)
{
    struct demand demand = *asked;
    unsigned wanted = demand_wanted(&demand, size, &plan->offer, 0);
    size_t picked[PLACEMENT_HOLDERS_MAX], count;
    json_t *nodes = json_array();
    uint8_t root[OL_HASH_BYTES];
    double min;

    raw_of(name, root);
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_node *node = &plan->nodes[i];

        plan->scored[i] = (struct placement_node){
            .id = node->raw,
            .weight = node->weight,
            .room = placement_room(node->free, node->promised),
            .takes = !node->draining && node_serves(node, site)};
    }
    count = placement_pick(plan->salt, root, size, plan->scored, plan->count,
                           wanted, picked, &min);
    for (size_t i = 0; i < count; i++) {
        struct plan_node *node = &plan->nodes[picked[i]];

        node->promised += size;
        node->contents++;
        json_array_append_new(nodes, json_string(node->id));
    }
    return json_array_append_new(
        plan->contents, json_pack("{s:s, s:s, s:I, s:f, s:i, s:i, s:o}", "root",
                                  name, "site", site, "size", (json_int_t)size,
                                  "demand", demand_rate(&demand, size, 0),
                                  "heat", (int)demand_heat(&demand, 0),
                                  "wanted", (int)wanted, "nodes", nodes));
}

/* A rate that has lasted for an hour, and requests that have just come. */
static int
demand_read(const json_t *obj, uint64_t size, struct demand *ret,
            struct ol_error *err)
{
    uint64_t requests;
    double rate;
    int rc = real_read(obj, "demand", 0, &rate, err);

    if (rc == 0)
        rc = uint_read(obj, "requests", 0, &requests, err);
    if (rc != 0)
        return rc;
    *ret = (struct demand){.rate = rate, .hour = rate * 3600};
    demand_add(ret, requests, size, 0);
    return 0;
}

static int
contents_place(struct plan *plan, const json_t *list, struct ol_error *err)
{
    const char *name, *site;
    struct demand demand;
    struct ol_error why;
    uint64_t size;
    size_t i;
    json_t *obj;
    int rc;

    json_array_foreach(list, i, obj)
    {
        why.text[0] = '\0';
        site = "";
        rc = ol_json_string(obj, "root", NAME_MAX_CHARS, &name, &why);
        if (rc == 0)
            rc = ol_json_uint(obj, "size", OL_CONTENT_MAX, &size, &why);
        if (rc == -ENOENT)
            rc = ol_error_set(&why, EINVAL, "a content needs root and size");
        if (rc == 0)
            rc = demand_read(obj, size, &demand, &why);
        if (rc == 0 && json_object_get(obj, "site") != NULL)
            rc = ol_json_string(obj, "site", NAME_MAX_CHARS, &site, &why);
        if (rc == 0)
            rc = content_place(plan, name, site, size, &demand);
        if (rc != 0)
            return ol_error_set(err, EINVAL, "contents[%zu]: %s", i, why.text);
    }
    return 0;
}

static int
plan_make(struct plan *plan, const json_t *json, struct ol_error *err)
{
    json_t *nodes, *contents;
    int rc;

    rc = ol_json_bytes(json, "salt", plan->salt, sizeof(plan->salt), err);
    if (rc != 0 && rc != -ENOENT)
        return rc;
    if (ol_json_array(json, "nodes", PLAN_NODES, &nodes, err) != 0 ||
        ol_json_array(json, "contents", PLAN_CONTENTS, &contents, err) != 0)
        return ol_error_set(err, EINVAL,
                            "an object with nodes (at most %d) and contents "
                            "(at most %d) is wanted",
                            PLAN_NODES, PLAN_CONTENTS);
    rc = nodes_read(plan, nodes, err);
    return rc == 0 ? contents_place(plan, contents, err) : rc;
}

/* Printing. */

static void
contents_print(const struct plan *plan)
{
    json_t *content, *node, *nodes;
    size_t i, j;

    printf("%-24s %14s %9s %4s %6s  %s\n", "CONTENT", "SIZE", "REQUESTS/S",
           "HEAT", "WANTED", "NODES");
    json_array_foreach(plan->contents, i, content)
    {
        printf("%-24.24s %14lld %10.3f %4d %6d ",
               json_string_value(json_object_get(content, "root")),
               (long long)json_integer_value(json_object_get(content, "size")),
               json_real_value(json_object_get(content, "demand")),
               (int)json_integer_value(json_object_get(content, "heat")),
               (int)json_integer_value(json_object_get(content, "wanted")));
        nodes = json_object_get(content, "nodes");
        json_array_foreach(nodes, j, node)
        {
            printf(" %.10s", json_string_value(node));
        }
        putchar('\n');
    }
}

static double
node_share(const struct plan *plan, const struct plan_node *node)
{
    return node->draining || plan->weights <= 0
               ? 0
               : 100 * node->weight / plan->weights;
}

static void
plan_print(const struct plan *plan)
{
    contents_print(plan);
    printf("\n%-24s %8s %7s %9s %16s %16s\n", "NODE", "WEIGHT", "SHARE",
           "CONTENTS", "BYTES", "ROOM LEFT");
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_node *node = &plan->nodes[i];

        printf("%-24.24s %8.2f %6.1f%% %9zu %16llu %16llu%s\n", node->id,
               node->weight, node_share(plan, node), node->contents,
               (unsigned long long)node->promised,
               (unsigned long long)placement_room(node->free, node->promised),
               node->draining ? "  draining" : "");
    }
}

static void
plan_dump(const struct plan *plan)
{
    json_t *nodes = json_array(), *obj;

    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_node *node = &plan->nodes[i];
        uint64_t room = placement_room(node->free, node->promised);

        json_array_append_new(
            nodes,
            json_pack("{s:s, s:f, s:f, s:I, s:I, s:I}", "id", node->id,
                      "weight", node->weight, "share", node_share(plan, node),
                      "contents", (json_int_t)node->contents, "bytes",
                      (json_int_t)node->promised, "room", (json_int_t)room));
    }
    obj = json_pack("{s:O, s:o}", "contents", plan->contents, "nodes", nodes);
    json_dumpf(obj, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(obj);
}

/* The command. */

static json_t *
input_read(const char *path, struct ol_error *err)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    json_error_t why;
    json_t *json;

    if (file == NULL) {
        ol_error_set(err, errno, "%s: %s", path, strerror(errno));
        return NULL;
    }
    json = json_loadf(file, JSON_REJECT_DUPLICATES, &why);
    if (json == NULL)
        ol_error_set(err, EINVAL, "%s: line %d: %s", path, why.line, why.text);
    if (file != stdin)
        fclose(file);
    return json;
}

static int
holders_read(const char *text, unsigned *ret)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || n < 1 ||
        n > PLACEMENT_HOLDERS_MAX)
        return -EINVAL;
    *ret = (unsigned)n;
    return 0;
}

static int
usage(void)
{
    fprintf(stderr,
            "Usage: offload-coordinator plan [--json] [--holders N] "
            "[--holders-max N] [FILE]\n"
            "N: 1 to %d.  FILE, or standard input, is described in "
            "offload-coordinator(8).\n",
            PLACEMENT_HOLDERS_MAX);
    return 2;
}

int
plan_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"holders", required_argument, NULL, 'n'},
        {"holders-max", required_argument, NULL, 'm'},
        {NULL, 0, NULL, 0}};
    struct plan plan = {
        .offer = {.least = HOLDERS, .most = PLACEMENT_HOLDERS_MAX}};
    struct ol_error err = {""};
    bool as_json = false;
    json_t *json;
    int c, rc;

    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'j')
            as_json = true;
        else if (c == '?' ||
                 holders_read(optarg, c == 'n' ? &plan.offer.least
                                               : &plan.offer.most) != 0)
            return usage();
    }
    if (argc - optind > 1)
        return usage();
    if (plan.offer.most < plan.offer.least)
        plan.offer.most = plan.offer.least;
    json = input_read(optind < argc ? argv[optind] : "-", &err);
    plan.contents = json_array();
    rc = json == NULL ? -EINVAL : plan_make(&plan, json, &err);
    if (rc != 0)
        fprintf(stderr, "offload-coordinator plan: %s\n", err.text);
    else if (as_json)
        plan_dump(&plan);
    else
        plan_print(&plan);
    json_decref(plan.contents);
    json_decref(json);
    free(plan.nodes);
    free(plan.scored);
    return rc == 0 ? 0 : 1;
}
