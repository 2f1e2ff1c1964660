/*
 * Calls of store/ledger.h: the ledger in Redis.
 *
 * Must not know who tells accounts, nor how a ledger is shown.
 */
#include "coordinator/store/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordinator/store/link.h"

#define DAY_S 86400
#define KEY_MAX 96
#define LINE_ITEMS 4

struct ledger_call {
    store_account_fn *told;
    store_ledger_fn *read;
    store_texts_fn *listed;
    void *arg;
    int64_t day;
    char node[OL_KEY_CHARS + 1];
};

static struct ledger_call *
ledger_call(const char *node, void *arg)
{
    struct ledger_call *call = calloc(1, sizeof(*call));

    if (call != NULL) {
        call->arg = arg;
        memcpy(call->node, node, strnlen(node, OL_KEY_CHARS));
    }
    return call;
}

static void
day_text(int64_t day, char ret[STORE_LEDGER_DAY + 1])
{
    time_t at = (time_t)day * DAY_S;
    struct tm tm;

    gmtime_r(&at, &tm);
    if (strftime(ret, STORE_LEDGER_DAY + 1, "%Y%m%d", &tm) == 0)
        ret[0] = '\0';
}

static void
on_told(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct ledger_call *call = arg;
    const redisReply *result = link_item(reply, 0);
    const struct store_ledger_sums added = {
        .confirmed = link_uint(link_item(reply, 1)),
        .claimed = link_uint(link_item(reply, 2)),
        .credited = link_uint(link_item(reply, 3)),
        .failed = link_uint(link_item(reply, 4)),
    };

    (void)store;
    if (rc == 0 && (result == NULL || result->type != REDIS_REPLY_INTEGER))
        rc = -EIO;
    else if (rc == 0 && result->integer < 0)
        rc = result->integer == -3 ? -ENOENT : -ENOSPC;
    call->told(call->arg, rc, &added);
    free(call);
}

int
store_account_tell(struct store *store, const struct store_account *account,
                   int64_t now_s, store_account_fn *done, void *arg)
{
    struct ledger_call *call = ledger_call(account->node, arg);
    const char *node = account->node, *site = account->site;
    char day[STORE_LEDGER_DAY + 1];
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->told = done;
    day_text(now_s / DAY_S, day);
    rc = link_send(store, on_told, call,
                   "FCALL ol_ledger_add 8 ledger:{%s} la:{%s}:%s lc:{%s}:%s "
                   "ld:{%s}:%s ledgers ledgers-new key:{%s} site:{%s} "
                   "%s %s %s %s %s %llu %llu %lld",
                   node, node, site, node, site, node, day, node, site, node,
                   site, account->iss, account->claim ? "c" : "r",
                   account->name, (unsigned long long)account->bytes,
                   (unsigned long long)account->failed, (long long)now_s);
    if (rc != 0)
        free(call);
    return rc;
}

/* Decimal numbers with spaces between. */
static void
sums_read(const char *text, struct store_ledger_sums *ret)
{
    char *end;

    ret->confirmed = strtoull(text, &end, 10);
    ret->claimed = strtoull(end, &end, 10);
    ret->credited = strtoull(end, &end, 10);
    ret->failed = strtoull(end, &end, 10);
}

static void
on_ledger(struct store *store, int rc, const redisReply *reply, void *arg)
{
    struct store_ledger_line lines[STORE_LEDGER_LINES];
    struct ledger_call *call = arg;
    struct store_ledger_sums sums;
    size_t items = link_count(reply), count = 0;
    const char *text = link_string(link_item(reply, 0));

    sums_read(text, &sums);
    for (size_t i = 1; i + LINE_ITEMS <= items && count < STORE_LEDGER_LINES;
         i += LINE_ITEMS) {
        struct store_ledger_line *line = &lines[count++];

        line->day = call->day + (int64_t)link_uint(link_item(reply, i));
        line->place = link_uint(link_item(reply, i + 1));
        line->iss = link_string(link_item(reply, i + 2));
        sums_read(link_string(link_item(reply, i + 3)), &line->sums);
    }
    if (rc == 0 && *text == '\0') {
        link_send(store, NULL, NULL,
                  "FCALL ol_ledger_forget 2 ledger:{%s} ledgers %s", call->node,
                  call->node);
        rc = -ENOENT;
    }
    call->read(call->arg, rc, &sums, lines, count);
    free(call);
}

int
store_ledger(struct store *store, const char *node, int64_t day, unsigned days,
             uint64_t place, store_ledger_fn *done, void *arg)
{
    char keys[1 + STORE_LEDGER_DAYS][KEY_MAX], first[24], limit[16], count[16];
    const char *argv[6 + STORE_LEDGER_DAYS] = {"FCALL", "ol_ledger_page",
                                               count};
    struct ledger_call *call = ledger_call(node, arg);
    char text[STORE_LEDGER_DAY + 1];
    int argc = 3, rc;

    if (call == NULL)
        return -EAGAIN;
    call->read = done;
    call->day = day;
    snprintf(count, sizeof(count), "%u", days + 1);
    snprintf(keys[0], KEY_MAX, "ledger:{%s}", node);
    argv[argc++] = keys[0];
    for (unsigned i = 1; i <= days; i++) {
        day_text(day + i - 1, text);
        snprintf(keys[i], KEY_MAX, "ld:{%s}:%s", node, text);
        argv[argc++] = keys[i];
    }
    snprintf(first, sizeof(first), "%llu", (unsigned long long)place);
    snprintf(limit, sizeof(limit), "%d", STORE_LEDGER_LINES);
    argv[argc++] = first;
    argv[argc++] = limit;
    rc = link_send_argv(store, on_ledger, call, argc, argv);
    if (rc != 0)
        free(call);
    return rc;
}

static void
on_ledgers(struct store *store, int rc, const redisReply *reply, void *arg)
{
    const char *texts[STORE_LEDGER_NODES];
    struct ledger_call *call = arg;
    size_t count = link_count(reply);

    (void)store;
    if (count > STORE_LEDGER_NODES)
        count = STORE_LEDGER_NODES;
    for (size_t i = 0; i < count; i++)
        texts[i] = link_string(link_item(reply, i));
    call->listed(call->arg, rc, texts, count);
    free(call);
}

int
store_ledgers(struct store *store, const char *after, store_texts_fn *done,
              void *arg)
{
    struct ledger_call *call = ledger_call("", arg);
    int rc;

    if (call == NULL)
        return -EAGAIN;
    call->listed = done;
    rc = *after == '\0' ? link_send(store, on_ledgers, call,
                                    "ZRANGEBYLEX ledgers - + LIMIT 0 %d",
                                    STORE_LEDGER_NODES)
                        : link_send(store, on_ledgers, call,
                                    "ZRANGEBYLEX ledgers (%s + LIMIT 0 %d",
                                    after, STORE_LEDGER_NODES);
    if (rc != 0)
        free(call);
    return rc;
}
