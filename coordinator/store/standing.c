/*
 * Calls of standing.h: bans, audits, reports and the operator's drain.
 *
 * Must not know what follows from them.
 */
#include "coordinator/store/standing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/store/link.h"
#include "offload/content.h"

/* Functions that answer a number, of which others hear if it is 1 and `tell`.
 */
struct number_call {
    store_value_fn *done; /* or NULL */
    void *arg;
    bool tell;
    char id[OL_KEY_CHARS + 1];
};

static void
on_number(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct number_call *call = arg;
    uint64_t value = link_uint(reply);

    if (rc == 0 && value == 1 && call->tell)
        store_announce(store, STORE_NODE, call->id);
    if (call->done != NULL)
        call->done(call->arg, rc, value);
    free(call);
}

static struct number_call *
number_call(const char *id, bool tell, store_value_fn *done, void *arg)
{
    struct number_call *call = calloc(1, sizeof(*call));

    if (call == NULL)
        return NULL;
    memcpy(call->id, id, strnlen(id, OL_KEY_CHARS));
    call->tell = tell;
    call->done = done;
    call->arg = arg;
    return call;
}

/* Bans. */

int
store_ban(struct store *store, const struct store_ban *ban,
          store_value_fn *done, void *arg)
{
    struct number_call *call = number_call(ban->id, true, done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc = link_send(
        store, on_number, call, "FCALL ol_ban 2 ban:{%s} bans %s %llu %b %s %b",
        ban->id, ban->id, (unsigned long long)ban->since_s, ban->reason,
        strlen(ban->reason), ban->by, ban->details, strlen(ban->details));
    if (rc != 0)
        free(call);
    return rc;
}

int
store_unban(struct store *store, const char *id, store_value_fn *done,
            void *arg)
{
    struct number_call *call = number_call(id, true, done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc = link_send(store, on_number, call,
                   "FCALL ol_unban 3 ban:{%s} bans rep:{%s} %s", id, id, id);
    if (rc != 0)
        free(call);
    return rc;
}

/* The index, then the bans that it names. */
struct bans_call {
    store_bans_fn *done;
    void *arg;
    size_t count;
    char ids[STORE_BANS_PAGE][OL_KEY_CHARS + 1];
};

static void
on_bans(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct bans_call *call = arg;
    struct store_ban list[STORE_BANS_PAGE];
    const redisReply *entry;
    size_t count = 0;

    (void)store;
    for (size_t i = 0; i < link_count(reply) && i < call->count; i++) {
        entry = link_item(reply, i);
        list[count] =
            (struct store_ban){.id = call->ids[i],
                               .reason = link_string(link_item(entry, 0)),
                               .since_s = link_uint(link_item(entry, 1)),
                               .by = link_string(link_item(entry, 2)),
                               .details = link_string(link_item(entry, 3))};
        count += *list[count].reason != '\0';
    }
    call->done(call->arg, rc, list, count);
    free(call);
}

static void
on_banned(struct store *store, int rc, const redisReply *reply, void *arg)
{
    const char *argv[3 + STORE_BANS_PAGE];
    char keys[STORE_BANS_PAGE][OL_KEY_CHARS + 8], number[24];
    struct bans_call *call = arg;

    for (size_t i = 0; i < link_count(reply) && i < STORE_BANS_PAGE; i++) {
        snprintf(call->ids[i], sizeof(call->ids[i]), "%s",
                 link_string(link_item(reply, i)));
        snprintf(keys[i], sizeof(keys[i]), "ban:{%s}", call->ids[i]);
        argv[3 + i] = keys[i];
        call->count = i + 1;
    }
    if (rc == 0 && call->count > 0) {
        snprintf(number, sizeof(number), "%zu", call->count);
        argv[0] = "FCALL_RO";
        argv[1] = "ol_bans_read";
        argv[2] = number;
        rc = link_send_argv(store, on_bans, call, (int)(3 + call->count), argv);
        if (rc == 0)
            return;
    }
    call->done(call->arg, rc, NULL, 0);
    free(call);
}

int
store_bans(struct store *store, size_t offset, store_bans_fn *done, void *arg)
{
    struct bans_call *call = calloc(1, sizeof(*call));
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->done = done;
    call->arg = arg;
    rc = link_send(store, on_banned, call, "ZRANGE bans %llu %llu REV",
                   (unsigned long long)offset,
                   (unsigned long long)offset + STORE_BANS_PAGE - 1);
    if (rc != 0)
        free(call);
    return rc;
}

int
store_node_drain(struct store *store, const char *id, bool drain,
                 store_value_fn *done, void *arg)
{
    struct number_call *call = number_call(id, true, done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc = link_send(store, on_number, call, "FCALL ol_node_drain 1 key:{%s} %d",
                   id, drain);
    if (rc != 0)
        free(call);
    return rc;
}

/* Audits. */

int
store_audit_begin(struct store *store, const char *id, store_value_fn *done,
                  void *arg)
{
    struct number_call *call = number_call(id, false, done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc = link_send(store, on_number, call,
                   "FCALL ol_audit_begin 2 audit:{%s} rep:{%s} %s %d", id, id,
                   link_process(store), STORE_AUDIT_PAUSE_S);
    if (rc != 0)
        free(call);
    return rc;
}

void
store_audit_passed(struct store *store, const char *id, uint64_t rate)
{
    struct number_call *call = number_call(id, true, NULL, NULL);

    if (call != NULL &&
        link_send(store, on_number, call,
                  "FCALL ol_audit_passed 2 rep:{%s} node:{%s} %llu", id, id,
                  (unsigned long long)rate) != 0)
        free(call);
}

void
store_audit_failed(struct store *store, const char *id, const char *why)
{
    struct number_call *call = number_call(id, true, NULL, NULL);

    if (call != NULL &&
        link_send(store, on_number, call,
                  "FCALL ol_audit_failed 2 rep:{%s} node:{%s} %b", id, id, why,
                  strlen(why)) != 0)
        free(call);
}

int
store_audit_wrong(struct store *store, const char *id, int64_t now_s,
                  store_value_fn *done, void *arg)
{
    struct number_call *call = number_call(id, true, done, arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    rc =
        link_send(store, on_number, call,
                  "FCALL ol_audit_wrong 1 rep:{%s} %lld", id, (long long)now_s);
    if (rc != 0)
        free(call);
    return rc;
}

struct text_call {
    store_text_fn *done;
    void *arg;
};

static void
on_text(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct text_call *call = arg;

    (void)store;
    call->done(call->arg, rc, link_string(reply));
    free(call);
}

int
store_bitmap(struct store *store, const char *root, const char *id,
             store_text_fn *done, void *arg)
{
    struct text_call *call = malloc(sizeof(*call));
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->done = done;
    call->arg = arg;
    rc = link_send(store, on_text, call, "HGET c:{%s}:b %s", root, id);
    if (rc != 0)
        free(call);
    return rc;
}

/* Reports. */

void
store_node_failed(struct store *store, const char *id, const char *site,
                  uint64_t count, int64_t now_s)
{
    struct number_call *call = number_call(id, true, NULL, NULL);

    if (call != NULL &&
        link_send(store, on_number, call,
                  "FCALL ol_node_failed 3 rep:{%s} told:{%s} audit:{%s} %s "
                  "%llu %d %lld",
                  id, id, id, site, (unsigned long long)count, STORE_FAILED,
                  (long long)now_s) != 0)
        free(call);
}

void
store_node_accused(struct store *store, const char *id, const char *by,
                   int64_t now_s)
{
    struct number_call *call = number_call(id, true, NULL, NULL);

    if (call != NULL &&
        link_send(store, on_number, call,
                  "FCALL ol_node_accused 3 rep:{%s} told:{%s} audit:{%s} %s "
                  "%lld",
                  id, id, id, by, (long long)now_s) != 0)
        free(call);
}
