/*
 * Calls of store.h about contents and who holds them.
 *
 * Must not know how holders are chosen.
 */
#include "coordinator/store/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload/content.h"

void
store_content_put(struct store *store, const char *root,
                  const struct store_content *content, int64_t now_s)
{
    link_send(store, NULL, NULL,
              "FCALL ol_content_put 2 c:{%s}:meta c:{%s}:s %s %s %b %llu %lld "
              "%lld %d",
              root, root, content->site, content->iss, content->sub,
              strlen(content->sub), (unsigned long long)content->size,
              (long long)now_s, (long long)now_s + STORE_CONTENT_LAPSE_S,
              STORE_CONTENT_LIFE_S);
}

void
store_content_gone(struct store *store, const char *root, const char *site,
                   const char *iss, int64_t now_s)
{
    link_send(store, NULL, NULL,
              "FCALL ol_content_gone 4 c:{%s}:meta c:{%s}:s c:{%s}:h c:{%s}:b "
              "%s %s %lld",
              root, root, root, root, site, iss, (long long)now_s);
}

/* Calls whose reply decides whether something is announced. */

struct told_call {
    char id[OL_ROOT_HEX + 1]; /* of a node or a content */
};

static struct told_call *
told_call(const char *id)
{
    struct told_call *call = calloc(1, sizeof(*call));

    if (call != NULL)
        memcpy(call->id, id, strnlen(id, OL_ROOT_HEX));
    return call;
}

static void
on_wanted(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct told_call *call = arg;

    if (rc == 0 && link_uint(reply) == 1)
        store_announce(store, STORE_ASSIGNED, call->id);
    free(call);
}

void
store_want(struct store *store, const struct store_want *want, int64_t now_ms)
{
    struct told_call *call = told_call(want->node);

    if (call != NULL &&
        link_send(store, on_wanted, call,
                  "FCALL ol_content_want 4 c:{%s}:w:%s a:{%s} ad:{%s} r:{%s} "
                  "%s %s %s %d %lld %d",
                  want->root, want->node, want->node, want->node, want->node,
                  want->root, want->site, want->json, (int)want->tell,
                  (long long)now_ms, STORE_CONTENT_LIFE_S) != 0)
        free(call);
}

static void
on_held(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct told_call *call = arg;

    if (rc == 0 && link_uint(reply) == 2)
        store_announce(store, STORE_HELD, call->id);
    free(call);
}

/* The reply tells how many holders are gone. */
static void
on_dropped(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct told_call *call = arg;

    if (rc == 0 && link_uint(reply) == 1)
        store_announce(store, STORE_HELD, call->id);
    free(call);
}

void
store_unwant(struct store *store, const struct store_want *want, int64_t now_s)
{
    struct told_call *call = told_call(want->root);

    if (call != NULL &&
        link_send(store, on_dropped, call,
                  "FCALL ol_content_unwant 6 c:{%s}:w:%s c:{%s}:h c:{%s}:b "
                  "r:{%s} a:{%s} ad:{%s} %s %s %s %lld",
                  want->root, want->node, want->root, want->root, want->node,
                  want->node, want->node, want->root, want->site, want->node,
                  (long long)now_s) != 0)
        free(call);
}

void
store_hold(struct store *store, const char *root, const char *id,
           const char *bitmap, int64_t now_s)
{
    struct told_call *call = told_call(root);

    if (call != NULL &&
        link_send(store, on_held, call,
                  "FCALL ol_content_hold 5 c:{%s}:w:%s c:{%s}:h c:{%s}:b "
                  "r:{%s} c:{%s}:meta %s %s %lld %d %b",
                  root, id, root, root, id, root, root, id, (long long)now_s,
                  STORE_HOLDING_LIFE_S, bitmap, strlen(bitmap)) != 0)
        free(call);
}

void
store_drop(struct store *store, const char *root, const char *id)
{
    struct told_call *call = told_call(root);

    link_send(store, NULL, NULL, "HDEL c:{%s}:b %s", root, id);
    if (call != NULL &&
        link_send(store, on_dropped, call, "ZREM c:{%s}:h %s", root, id) != 0)
        free(call);
}

struct holders_call {
    store_holders_fn *done;
    void *arg;
};

static void
on_holders(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct holders_call *call = arg;
    const redisReply *ids = link_item(reply, 1), *partial = link_item(reply, 2);
    struct store_holder list[STORE_HOLDERS];
    size_t count = link_count(ids);
    const char *bitmap;

    (void)store;
    if (rc == 0 && link_string(link_item(reply, 0))[0] == '\0')
        rc = -ENOENT;
    if (count > STORE_HOLDERS)
        count = STORE_HOLDERS;
    for (size_t i = 0; i < count; i++) {
        bitmap = link_string(link_item(partial, i));
        list[i].id = link_string(link_item(ids, i));
        list[i].complete = *bitmap == '\0';
        list[i].have = strtoull(bitmap, NULL, 10);
    }
    call->done(call->arg, rc, link_uint(link_item(reply, 0)), list, count);
    free(call);
}

int
store_holders(struct store *store, const char *root, int64_t now_s,
              store_holders_fn *done, void *arg)
{
    struct holders_call *call = malloc(sizeof(*call));
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->done = done;
    call->arg = arg;
    rc = link_send(store, on_holders, call,
                   "FCALL ol_content_holders 3 c:{%s}:meta c:{%s}:h c:{%s}:b "
                   "%lld %d",
                   root, root, root, (long long)now_s, STORE_HOLDERS);
    if (rc != 0)
        free(call);
    return rc;
}
