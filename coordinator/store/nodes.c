/*
 * Calls of store.h about nodes: registration, life, assignments.
 *
 * Must not know what a node is used for.
 */
#include "coordinator/store/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offload/content.h"
#include "offload/encoding.h"

#define NODES_KEPT_MS 1800000 /* dead ones in the index */

/* u:{U}: hex SHA-256 of a URL. */
struct url_key {
    char hex[OL_HEX_LEN(OL_HASH_BYTES) + 1];
};

static struct url_key
url_key(const char *url)
{
    uint8_t hash[OL_HASH_BYTES];
    struct url_key key = {""};

    ol_sha256(url, strlen(url), hash);
    ol_hex_encode(key.hex, hash, sizeof(hash));
    return key;
}

/* Functions that answer {status, value}. */

struct value_call {
    store_value_fn *done;
    void *arg;
};

static int
status_code(const redisReply *status)
{
    static const int codes[] = {0,       -ESTALE, -EEXIST, -ENOENT,
                                -ENOSPC, -EPERM,  -EDQUOT};

    if (status == NULL || status->type != REDIS_REPLY_INTEGER ||
        status->integer > 0 || status->integer < -6)
        return -EIO;
    return codes[-status->integer];
}

static void
on_status_value(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct value_call *call = arg;

    (void)store;
    if (rc == 0)
        rc = status_code(link_item(reply, 0));
    call->done(call->arg, rc, link_uint(link_item(reply, 1)));
    free(call);
}

static struct value_call *
value_call(store_value_fn *done, void *arg)
{
    struct value_call *call = malloc(sizeof(*call));

    if (call != NULL) {
        call->done = done;
        call->arg = arg;
    }
    return call;
}

struct check_call {
    store_check_fn *done;
    void *arg;
};

static void
on_check(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct check_call *call = arg;

    (void)store;
    if (rc == 0)
        rc = status_code(link_item(reply, 0));
    call->done(call->arg, rc, link_uint(link_item(reply, 1)),
               link_uint(link_item(reply, 2)) == 1,
               link_string(link_item(reply, 3)));
    free(call);
}

int
store_node_check(struct store *store, const char *id, const char *url,
                 uint64_t seq, store_check_fn *done, void *arg)
{
    struct check_call *call = malloc(sizeof(*call));
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->done = done;
    call->arg = arg;
    rc = link_send(store, on_check, call,
                   "FCALL ol_node_check 3 key:{%s} u:{%s} ban:{%s} %s %llu", id,
                   url_key(url).hex, id, id, (unsigned long long)seq);
    if (rc != 0)
        free(call);
    return rc;
}

int
store_node_register(struct store *store, const struct store_node *node,
                    int64_t now_s, store_value_fn *done, void *arg)
{
    struct value_call *call = value_call(done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc = link_send(
        store, on_status_value, call,
        "FCALL ol_node_register 6 key:{%s} u:{%s} node-number ban:{%s} "
        "node:{%s} invite:{%s} %s %llu %lld %llu %b key %s url %s zone %b "
        "cidrs %b capacity %llu rate %llu weight %llu sites %b",
        node->id, url_key(node->url).hex, node->id, node->id, node->invite,
        node->id, (unsigned long long)node->seq, (long long)now_s,
        (unsigned long long)node->invite_uses, node->invite,
        strlen(node->invite), node->key, node->url, node->zone,
        strlen(node->zone), node->cidrs, strlen(node->cidrs),
        (unsigned long long)node->capacity, (unsigned long long)node->rate,
        (unsigned long long)node->weight, node->sites, strlen(node->sites));
    if (rc != 0)
        free(call);
    return rc;
}

int
store_node_beat(struct store *store, const struct store_node *node,
                store_value_fn *done, void *arg)
{
    struct value_call *call = value_call(done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc = link_send(store, on_status_value, call,
                   "FCALL ol_node_beat 2 key:{%s} node:{%s} %llu %d rate %llu "
                   "connections %llu free %llu drain %d",
                   node->id, node->id, (unsigned long long)node->seq,
                   STORE_NODE_LIFE_MS, (unsigned long long)node->load_rate,
                   (unsigned long long)node->load_connections,
                   (unsigned long long)node->load_free, node->load_drain);
    if (rc != 0)
        free(call);
    return rc;
}

void
store_node_alive(struct store *store, const char *id, int64_t now_ms)
{
    link_send(store, NULL, NULL, "ZADD nodes %lld %s",
              (long long)now_ms + STORE_NODE_LIFE_MS, id);
    link_send(store, NULL, NULL, "ZREMRANGEBYSCORE nodes -inf %lld",
              (long long)now_ms - NODES_KEPT_MS);
}

/* What is known of one node. */

struct load_call {
    store_node_fn *done;
    void *arg;
    char id[OL_KEY_CHARS + 1];
};

static void
on_load(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct load_call *call = arg;
    const redisReply *key = link_item(reply, 0), *load = link_item(reply, 1),
                     *rep = link_item(reply, 4);
    struct store_node node = {
        .id = call->id,
        .number = link_uint(link_item(key, 0)),
        .key = link_string(link_item(key, 1)),
        .url = link_string(link_item(key, 2)),
        .zone = link_string(link_item(key, 3)),
        .cidrs = link_string(link_item(key, 4)),
        .capacity = link_uint(link_item(key, 5)),
        .rate = link_uint(link_item(key, 6)),
        .weight = link_uint(link_item(key, 7)),
        .sites = link_string(link_item(key, 8)),
        .born_s = link_uint(link_item(key, 9)),
        .invite = link_string(link_item(key, 10)),
        .drained = link_uint(link_item(key, 11)) == 1,
        .load_rate = link_uint(link_item(load, 0)),
        .load_connections = link_uint(link_item(load, 1)),
        .load_free = link_uint(link_item(load, 2)),
        .load_drain = link_uint(link_item(load, 3)) == 1,
        .unlisted = link_string(link_item(load, 4)),
        .life_ms = link_uint(link_item(reply, 2)),
        .standing = {.ban = link_string(link_item(reply, 3)),
                     .passed = link_uint(link_item(rep, 0)),
                     .wrong = link_uint(link_item(rep, 1)),
                     .wrong_s = link_uint(link_item(rep, 2)),
                     .low = link_uint(link_item(rep, 3)),
                     .low_s = link_uint(link_item(rep, 4)),
                     .peak = link_uint(link_item(rep, 5)),
                     .due = link_uint(link_item(rep, 6)) == 1},
    };

    (void)store;
    if (rc == 0 && node.number == 0)
        rc = -ENOENT;
    call->done(call->arg, rc, &node);
    free(call);
}

int
store_node_load(struct store *store, const char *id, store_node_fn *done,
                void *arg)
{
    struct load_call *call = calloc(1, sizeof(*call));
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->done = done;
    call->arg = arg;
    memcpy(call->id, id, strnlen(id, OL_KEY_CHARS));
    rc = link_send(store, on_load, call,
                   "FCALL_RO ol_node_load 4 key:{%s} node:{%s} ban:{%s} "
                   "rep:{%s}",
                   id, id, id, id);
    if (rc != 0)
        free(call);
    return rc;
}

/* Pages of an index: replies are [member, score, ...]. */

struct page_call {
    store_page_fn *done;
    void *arg;
};

static void
on_page(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct page_call *call = arg;
    struct store_entry list[STORE_PAGE];
    size_t count = link_count(reply) / 2;

    (void)store;
    if (count > STORE_PAGE)
        count = STORE_PAGE;
    for (size_t i = 0; i < count; i++) {
        list[i].id = link_string(link_item(reply, 2 * i));
        list[i].score = link_double(link_item(reply, 2 * i + 1));
    }
    call->done(call->arg, rc, list, count);
    free(call);
}

static int
page_send(struct store *store, const char *index, long long from, size_t offset,
          store_page_fn *done, void *arg)
{
    struct page_call *call = malloc(sizeof(*call));
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->done = done;
    call->arg = arg;
    rc = link_send(store, on_page, call,
                   "ZRANGE %s (%lld +inf BYSCORE LIMIT %llu %d WITHSCORES",
                   index, from, (unsigned long long)offset, STORE_PAGE);
    if (rc != 0)
        free(call);
    return rc;
}

int
store_nodes(struct store *store, int64_t now_ms, size_t offset,
            store_page_fn *done, void *arg)
{
    return page_send(store, "nodes", now_ms, offset, done, arg);
}

int
store_sites(struct store *store, size_t offset, store_page_fn *done, void *arg)
{
    return page_send(store, "sites", -1, offset, done, arg);
}

/* Assignments and releases. */

void
store_settle(struct store *store, const char *id, const char *const *roots,
             size_t count)
{
    const char *argv[5 + STORE_ROOTS_MAX];
    char assigned[64], details[64];

    if (count == 0 || count > STORE_ROOTS_MAX)
        return;
    snprintf(assigned, sizeof(assigned), "a:{%s}", id);
    snprintf(details, sizeof(details), "ad:{%s}", id);
    argv[0] = "FCALL";
    argv[1] = "ol_node_settle";
    argv[2] = "2";
    argv[3] = assigned;
    argv[4] = details;
    for (size_t i = 0; i < count; i++)
        argv[5 + i] = roots[i];
    link_send_argv(store, NULL, NULL, (int)(5 + count), argv);
}

struct texts_call {
    store_texts_fn *done;
    void *arg;
};

static void
on_texts(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct texts_call *call = arg;
    const char *texts[STORE_RELEASE_PAGE], *text;
    size_t count = 0;

    (void)store;
    for (size_t i = 0; i < link_count(reply) && count < STORE_RELEASE_PAGE;
         i++) {
        text = link_string(link_item(reply, i));
        if (*text != '\0')
            texts[count++] = text;
    }
    call->done(call->arg, rc, texts, count);
    free(call);
}

static struct texts_call *
texts_call(store_texts_fn *done, void *arg)
{
    struct texts_call *call = malloc(sizeof(*call));

    if (call != NULL) {
        call->done = done;
        call->arg = arg;
    }
    return call;
}

int
store_assigned(struct store *store, const char *id, int64_t now_ms,
               int64_t later_ms, store_texts_fn *done, void *arg)
{
    struct texts_call *call = texts_call(done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc = link_send(store, on_texts, call,
                   "FCALL ol_node_assigned 2 a:{%s} ad:{%s} %lld %lld %d", id,
                   id, (long long)now_ms, (long long)(now_ms + later_ms),
                   STORE_ASSIGN_PAGE);
    if (rc != 0)
        free(call);
    return rc;
}

int
store_released(struct store *store, const char *id, store_texts_fn *done,
               void *arg)
{
    struct texts_call *call = texts_call(done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc = link_send(store, on_texts, call, "SPOP r:{%s} %d", id,
                   STORE_RELEASE_PAGE);
    if (rc != 0)
        free(call);
    return rc;
}
