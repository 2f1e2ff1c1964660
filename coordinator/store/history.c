/*
 * Calls of history.h: bytes over time, the hottest contents, Redis itself.
 *
 * Must not know what a page looks like.
 */
#include "coordinator/store/history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/status/metrics.h"
#include "coordinator/store/link.h"
#include "offload/content.h"

#define POINTS (HISTORY_MINUTES + HISTORY_SLOTS + HISTORY_DAYS)
_Static_assert(sizeof(struct store_history) ==
                   POINTS * sizeof(struct history_point),
               "points stand side by side");

struct history_call {
    union {
        store_history_fn *history;
        store_hot_fn *hot;
        store_content_state_fn *state;
        store_overview_fn *overview;
    } done;
    void *arg;
};

static struct history_call *
history_call(void *arg)
{
    struct history_call *call = calloc(1, sizeof(*call));

    if (call != NULL)
        call->arg = arg;
    return call;
}

/* Bytes over time. */

void
store_history_add(struct store *store, int64_t now_s, uint64_t claimed,
                  uint64_t credited)
{
    long long now = now_s;

    if (claimed == 0 && credited == 0)
        return;
    metrics_add(M_BYTES_CLAIMED, claimed);
    metrics_add(M_BYTES_CREDITED, credited);
    link_send(store, NULL, NULL,
              "FCALL ol_history_add 3 {hist}:m:%lld {hist}:t:%lld {hist}:d "
              "%lld %lld %lld %llu %llu",
              now / 3600, now / 86400, now / 60, now / 600, now / 86400,
              (unsigned long long)claimed, (unsigned long long)credited);
}

static void
on_history(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct history_call *call = arg;
    struct history_point points[POINTS] = {{0}};
    struct store_history history;

    (void)store;
    if (rc == 0 && link_count(reply) != (size_t)2 * POINTS)
        rc = -EIO;
    for (size_t i = 0; rc == 0 && i < POINTS; i++) {
        points[i].claimed = link_uint(link_item(reply, 2 * i));
        points[i].credited = link_uint(link_item(reply, 2 * i + 1));
    }
    memcpy(&history, points, sizeof(history));
    call->done.history(call->arg, rc, &history);
    free(call);
}

int
store_history_read(struct store *store, int64_t now_s, store_history_fn *done,
                   void *arg)
{
    struct history_call *call = history_call(arg);
    long long now = now_s;
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->done.history = done;
    rc = link_send(store, on_history, call,
                   "FCALL_RO ol_history 5 {hist}:m:%lld {hist}:m:%lld "
                   "{hist}:t:%lld {hist}:t:%lld {hist}:d %lld %lld %lld "
                   "%d %d %d",
                   now / 3600 - 1, now / 3600, now / 86400 - 1, now / 86400,
                   now / 60, now / 600, now / 86400, HISTORY_MINUTES,
                   HISTORY_SLOTS, HISTORY_DAYS);
    if (rc != 0)
        free(call);
    return rc;
}

/* The hottest contents. */

#define HOT_KEYS "{hot}:demand {hot}:at {hot}:wanted"

void
store_hot_put(struct store *store, int64_t now_s,
              const struct hot_content *list, size_t count)
{
    struct {
        char demand[32], wanted[12];
    } texts[HOT_PUT_MAX] = {{"", ""}};
    const char *argv[7 + 3 * HOT_PUT_MAX] = {
        "FCALL", "ol_hot_put", "3", "{hot}:demand", "{hot}:at", "{hot}:wanted",
    };
    char now[24];

    if (count == 0 || count > HOT_PUT_MAX)
        return;
    snprintf(now, sizeof(now), "%lld", (long long)now_s);
    argv[6] = now;
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i].demand, sizeof(texts[i].demand), "%.6g",
                 list[i].demand);
        snprintf(texts[i].wanted, sizeof(texts[i].wanted), "%u",
                 list[i].wanted);
        argv[7 + 3 * i] = list[i].root;
        argv[8 + 3 * i] = texts[i].demand;
        argv[9 + 3 * i] = texts[i].wanted;
    }
    link_send_argv(store, NULL, NULL, (int)(7 + 3 * count), argv);
}

static void
on_hot(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct history_call *call = arg;
    struct hot_content list[HOT_PAGE];
    size_t items = link_count(reply), count = 0;

    (void)store;
    for (size_t i = 1; i + 2 < items && count < HOT_PAGE; i += 3) {
        list[count].root = link_string(link_item(reply, i));
        list[count].demand = link_double(link_item(reply, i + 1));
        list[count].wanted = (unsigned)link_uint(link_item(reply, i + 2));
        if (strlen(list[count].root) == OL_ROOT_HEX)
            count++;
    }
    call->done.hot(call->arg, rc, list, count, link_uint(link_item(reply, 0)));
    free(call);
}

int
store_hot_read(struct store *store, int64_t now_s, store_hot_fn *done,
               void *arg)
{
    struct history_call *call = history_call(arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->done.hot = done;
    rc =
        link_send(store, on_hot, call, "FCALL_RO ol_hot 3 " HOT_KEYS " %lld %d",
                  (long long)now_s, HOT_PAGE);
    if (rc != 0)
        free(call);
    return rc;
}

static void
on_content_state(struct store *store, int rc, const redisReply *reply,
                 void *arg)
{
    struct history_call *call = arg;
    const struct store_content_state state = {
        .iss = link_string(link_item(reply, 0)),
        .sub = link_string(link_item(reply, 1)),
        .size = link_uint(link_item(reply, 2)),
        .holders = link_uint(link_item(reply, 3)),
        .incomplete = link_uint(link_item(reply, 4)),
    };

    (void)store;
    if (rc == 0 && state.iss[0] == '\0')
        rc = -ENOENT;
    call->done.state(call->arg, rc, &state);
    free(call);
}

int
store_content_state(struct store *store, const char *root, int64_t now_s,
                    store_content_state_fn *done, void *arg)
{
    struct history_call *call = history_call(arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->done.state = done;
    rc = link_send(store, on_content_state, call,
                   "FCALL_RO ol_content_state 3 c:{%s}:meta c:{%s}:h c:{%s}:b "
                   "%lld",
                   root, root, root, (long long)now_s);
    if (rc != 0)
        free(call);
    return rc;
}

/* Redis itself. */

/* What follows "name:" at the start of a line; NULL: there is none. */
static const char *
info_field(const char *info, const char *name)
{
    size_t len = strlen(name);
    const char *at = info;

    while ((at = strstr(at, name)) != NULL) {
        if ((at == info || at[-1] == '\n') && at[len] == ':')
            return at + len + 1;
        at += len;
    }
    return NULL;
}

static uint64_t
info_uint(const char *info, const char *name)
{
    const char *at = info_field(info, name);

    return at == NULL ? 0 : strtoull(at, NULL, 10);
}

static void
on_info(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct history_call *call = arg;
    const char *info = link_string(link_item(reply, 2));
    const char *version = info_field(info, "redis_version");
    char text[32] = "";
    const struct store_overview overview = {
        .sites = link_uint(link_item(reply, 0)),
        .bans = link_uint(link_item(reply, 1)),
        .contents = link_uint(link_item(reply, 3)),
        .memory = info_uint(info, "used_memory"),
        .memory_max = info_uint(info, "maxmemory"),
        .aof = info_uint(info, "aof_enabled") != 0,
        .version = text,
    };

    (void)store;
    if (version != NULL)
        snprintf(text, sizeof(text), "%.*s", (int)strcspn(version, "\r\n"),
                 version);
    call->done.overview(call->arg, rc, &overview);
    free(call);
}

int
store_overview(struct store *store, store_overview_fn *done, void *arg)
{
    struct history_call *call = history_call(arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->done.overview = done;
    rc = link_send(store, on_info, call,
                   "FCALL_RO ol_overview 3 sites bans offered");
    if (rc != 0)
        free(call);
    return rc;
}
