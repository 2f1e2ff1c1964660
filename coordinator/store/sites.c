/*
 * Calls of store.h about sites: joining, the pusher's lease and sequence.
 *
 * Must not know what is pushed.
 */
#include "coordinator/store/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload/content.h"

struct site_call {
    store_value_fn *done;
    store_site_fn *found;
    void *arg;
    char id[OL_ROOT_HEX + 1];
};

static struct site_call *
site_call(const char *id, store_value_fn *done, void *arg)
{
    struct site_call *call = calloc(1, sizeof(*call));

    if (call != NULL) {
        call->done = done;
        call->arg = arg;
        memcpy(call->id, id, strnlen(id, OL_ROOT_HEX));
    }
    return call;
}

/* A function that answers a bare integer; 0 of site_seq: no such site. */
static void
on_value(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct site_call *call = arg;

    (void)store;
    call->done(call->arg, rc, link_uint(reply));
    free(call);
}

static void
on_seq(struct store *store, int rc, const redisReply *reply, void *arg)
{
    if (rc == 0 && link_uint(reply) == 0)
        rc = -ENOENT;
    on_value(store, rc, reply, arg);
}

int
store_site_seq(struct store *store, const char *id, uint64_t floor,
               store_value_fn *done, void *arg)
{
    struct site_call *call = site_call(id, done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc = link_send(store, on_seq, call, "FCALL ol_site_seq 1 site:{%s} %llu",
                   id, (unsigned long long)floor);
    if (rc != 0)
        free(call);
    return rc;
}

int
store_lease(struct store *store, const char *id, unsigned life_ms,
            store_value_fn *done, void *arg)
{
    struct site_call *call = site_call(id, done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc = link_send(store, on_value, call,
                   "FCALL ol_lease_take 1 lease:{%s} %s %u", id,
                   link_process(store), life_ms);
    if (rc != 0)
        free(call);
    return rc;
}

void
store_lease_drop(struct store *store, const char *id)
{
    link_send(store, NULL, NULL, "FCALL ol_lease_drop 1 lease:{%s} %s", id,
              link_process(store));
}

static void
on_put(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct site_call *call = arg;

    if (rc == 0)
        store_announce(store, STORE_SITE, call->id);
    on_value(store, rc, reply, arg);
}

int
store_site_put(struct store *store, const char *id, const char *iss,
               int64_t now_s, store_value_fn *done, void *arg)
{
    struct site_call *call = site_call(id, done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc = link_send(store, on_put, call,
                   "FCALL ol_site_put 2 site:{%s} sites %s "
                   "%s %lld",
                   id, id, iss, (long long)now_s);
    if (rc != 0)
        free(call);
    return rc;
}

static void
on_site(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct site_call *call = arg;
    const struct store_site site = {
        .iss = link_string(link_item(reply, 0)),
        .joined = link_uint(link_item(reply, 1)),
        .synced = link_uint(link_item(reply, 2)),
        .epoch = link_string(link_item(reply, 3)),
        .contents = link_uint(link_item(reply, 4)),
    };

    (void)store;
    if (rc == 0 && site.iss[0] == '\0')
        rc = -ENOENT;
    call->found(call->arg, rc, &site);
    free(call);
}

int
store_site_get(struct store *store, const char *id, store_site_fn *done,
               void *arg)
{
    struct site_call *call = site_call(id, NULL, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->found = done;
    rc = link_send(store, on_site, call,
                   "HMGET site:{%s} iss joined synced epoch contents", id);
    if (rc != 0)
        free(call);
    return rc;
}

int
store_site_forget(struct store *store, const char *id, int64_t before_s,
                  store_value_fn *done, void *arg)
{
    struct site_call *call = site_call(id, done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc = link_send(store, on_value, call,
                   "FCALL ol_site_forget 3 site:{%s} sites offered %s %lld", id,
                   id, (long long)before_s);
    if (rc != 0)
        free(call);
    return rc;
}

void
store_site_synced(struct store *store, const char *id,
                  const struct store_site *site)
{
    link_send(store, NULL, NULL,
              "FCALL ol_site_synced 2 site:{%s} offered %llu %s %llu", id,
              (unsigned long long)site->synced, site->epoch,
              (unsigned long long)site->contents);
}
